"""The environment that numbers were made in, written down so that it can be made again."""

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from wildcell.errors import StoreError
from wildcell.guards.texts import parse_json
from wildcell.store.provenance import hardware, now, versions

OWN = "wildcell"


@dataclass(frozen=True)
class Pinned:
    """An installed package.

    Attributes
    ----------
    name, version
        As its metadata say.
    source
        Where it is from, if not from an index: `git+https://...@commit` or an address of a file.
    is_local
        Whether it was installed from a folder or a file of this machine, which others do not have.
    hashes
        `sha256:...` of the files that it may be installed from; none where that is not told.
    """

    name: str
    version: str
    source: str = ""
    is_local: bool = False
    hashes: tuple[str, ...] = ()

    @property
    def line(self) -> str:
        """The line of a file of requirements that pip reads."""
        if self.is_local:
            return f"# {self.name} {self.version} was installed from a folder or file of its own"
        wanted = f"{self.name} @ {self.source}" if self.source else f"{self.name}=={self.version}"
        return " \\\n    ".join([wanted, *(f"--hash={digest}" for digest in self.hashes)])


def installed() -> list[Pinned]:
    """Return all packages of this environment, sorted by name.

    Examples
    --------
    >>> "numpy" in [package.name for package in installed()]
    True
    """
    found: dict[str, Pinned] = {}
    for package in distributions():
        name = package.metadata["Name"]
        if name:
            found.setdefault(_plain(name), _pinned(package))  # the first is the one imported
    return [found[name] for name in sorted(found)]


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _pinned(package: Distribution) -> Pinned:
    pinned = Pinned(package.metadata["Name"], package.version)
    text = package.read_text("direct_url.json")
    return pinned if text is None else _from_elsewhere(pinned, json.loads(text))


def _from_elsewhere(pinned: Pinned, told: Mapping[str, Any]) -> Pinned:
    """Return a package with the address it was installed from, without the user's keys to it."""
    parts = urlsplit(str(told["url"]))
    if parts.scheme == "file":
        return replace(pinned, is_local=True)
    url = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    if "vcs_info" in told:
        words = told["vcs_info"]
        return replace(pinned, source=f"{words['vcs']}+{url}@{words['commit_id']}")
    digests = told.get("archive_info", {}).get("hashes", {})
    hashes = tuple(f"{kind}:{digest}" for kind, digest in digests.items() if kind == "sha256")
    return replace(pinned, source=url, hashes=hashes)


def with_hashes(packages: Sequence[Pinned]) -> list[Pinned]:
    """Return packages with the hashes that pip finds for them where it installs from.

    Nothing is installed. The network is used.

    Raises
    ------
    StoreError
        pip does not find one of them, or does not answer.
    """
    wanted = [package for package in packages if not package.is_local]
    with tempfile.TemporaryDirectory(prefix="wildcell-") as folder:
        file = Path(folder) / "requirements.txt"
        file.write_text("".join(f"{package.line}\n" for package in wanted), encoding="utf-8")
        options = ["--dry-run", "--ignore-installed", "--no-deps", "--quiet", "--report", "-"]
        command = [sys.executable, "-m", "pip", "install", *options, "-r", str(file)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["pip said nothing"])[-1]
        raise StoreError(f"Hashes cannot be told: {last}")
    told = _hashes(parse_json(done.stdout, "What pip reports"))
    return [
        replace(package, hashes=package.hashes or told.get(_plain(package.name), ()))
        for package in packages
    ]


def _hashes(report: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    return {
        _plain(item["metadata"]["name"]): tuple(
            f"sha256:{digest}"
            for kind, digest in item["download_info"]
            .get("archive_info", {})
            .get("hashes", {})
            .items()
            if kind == "sha256"
        )
        for item in report["install"]
    }


def lock_text(packages: Iterable[Pinned], *, remark: str = "") -> str:
    """Return the text of a file of requirements, with what else numbers depend on above it.

    Parameters
    ----------
    packages
        What is installed.
    remark
        A sentence that is to be read with it.
    """
    machine, known = hardware(), list(packages)
    own = next((package.version for package in known if _plain(package.name) == OWN), "unknown")
    lines = [
        f"wildcell {own}, Python {versions()['python']}, {sys.implementation.name}",
        f"{machine['system']} {machine['machine']}, {machine['cores']} cores",
        f"Written {now()}. Make it again with: pip install -r THIS_FILE",
        *([remark] if remark else []),
    ]
    return "\n".join([*(f"# {line}" for line in lines), *(item.line for item in known), ""])
