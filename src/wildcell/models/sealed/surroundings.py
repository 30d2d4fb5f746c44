"""Which of the user's environment variables others see: those that are named here, and no other.

Keys to accounts and clusters, which environments are full of, are none of them.
"""

import os
from collections.abc import Mapping, Sequence

RUNNING = (
    "PATH",
    "LANG",
    "LC_ALL",
    "TZ",
    "LD_LIBRARY_PATH",
    "CUDA_VISIBLE_DEVICES",
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
)
"""What a model that runs sees of ours; others could tell it where things lie."""

INSTALLING = (
    *RUNNING,
    "HOME",
    "TMPDIR",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
    "CC",
    "CXX",
    "CUDA_HOME",
)
"""What an installation sees, which may run code of the packages, beside `INSTALLERS`."""

INSTALLERS = ("PIP_", "UV_")
"""How variables begin that say where packages are from."""


def passed_on(names: Sequence[str], prefixes: tuple[str, ...] = ()) -> Mapping[str, str]:
    """Return the environment variables of some names, and those that begin so.

    Examples
    --------
    >>> "PATH" in passed_on(RUNNING), "AWS_SECRET_ACCESS_KEY" in passed_on(INSTALLING)
    (True, False)
    """
    return {
        name: value
        for name, value in os.environ.items()
        if name in names or (prefixes and name.startswith(prefixes))
    }
