"""Where the pages of a site lie: names that do nothing, and links that work without a server."""

import hashlib

from wildcell.names import CEILING, REPLICATE
from wildcell.store.runs import slug

INDEX = "index.html"
KINDS = ("model", "scenario", "dataset", "metric")
DIGEST_BYTES = 4


def address(kind: str, name: str) -> str:
    """Return the path of a page below the folder of the site.

    Names that lose a letter, or its case, get a hash of the whole.

    Examples
    --------
    >>> address("model", "ridge")
    'model/ridge.html'
    >>> address("model", "<b>").startswith("model/b-")
    True
    """
    safe = slug(name)
    if safe != safe.lower():
        digest = hashlib.blake2b(name.encode(), digest_size=DIGEST_BYTES).hexdigest()
        safe = f"{safe.lower()}-{digest}"
    return f"{kind}/{safe}.html"


def link(kind: str, name: str) -> str:
    """Return the address of a page, "" where there is none, as of yardsticks."""
    return "" if name in (REPLICATE, CEILING) else address(kind, name)
