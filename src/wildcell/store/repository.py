"""Public repositories: where their files are, what checksums they state, how they are reached."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol
from urllib.parse import quote, urlsplit

import requests

from wildcell.errors import StoreError

ZENODO = "https://zenodo.org"
FIGSHARE_API = "https://api.figshare.com"
FIGSHARE = "https://figshare.com"
TIMEOUTS_S = (15.0, 60.0)
"""To connect, and to wait for the next bytes."""

RETRIED = {408, 425, 429, 500, 502, 503, 504}
"""Statuses of a server that may do better in a moment."""


class UnreachableError(StoreError):
    """A place on the network that does not answer, or stops to."""


class Located(NamedTuple):
    """Where a file is, and the checksum its repository states, `md5:...`; None for none."""

    url: str
    checksum: str | None


class RemoteFile(Protocol):
    """A file in a public repository."""

    @property
    def name(self) -> str:
        """The name under which the file is kept."""
        ...

    @property
    def address(self) -> str:
        """Where a person finds the file with a browser."""
        ...

    def locate(self, ask: Callable[[str], Any], mirror: str) -> Located:
        """Find the file; `ask` reads JSON from an address, `mirror` stands for the repository."""
        ...


@dataclass(frozen=True)
class ZenodoFile:
    """A file of a Zenodo record, whose API states an md5 of each."""

    record: str
    name: str

    @property
    def address(self) -> str:
        """Where a person finds the file with a browser."""
        return f"{ZENODO}/records/{self.record}/files/{quote(self.name)}"

    def locate(self, ask: Callable[[str], Any], mirror: str) -> Located:
        """Find the file in its record."""
        record = f"{mirror or ZENODO}/api/records/{self.record}"
        checksums = _of_entries(record, ask(record), "key", "checksum")
        url = f"{record}/files/{quote(self.name)}/content"
        return Located(url, _entry(record, checksums, self.name))


@dataclass(frozen=True)
class FigshareFile:
    """A file of a figshare article, whose API states an md5 of each."""

    article: str
    file: str
    name: str

    @property
    def address(self) -> str:
        """Where a person finds the file with a browser."""
        return f"{FIGSHARE}/ndownloader/files/{self.file}"

    def locate(self, ask: Callable[[str], Any], mirror: str) -> Located:
        """Find the file in its article."""
        article = f"{mirror or FIGSHARE_API}/v2/articles/{self.article}"
        checksums = _of_entries(article, ask(article), "id", "computed_md5")
        url = f"{mirror}/ndownloader/files/{self.file}" if mirror else self.address
        return Located(url, f"md5:{_entry(article, checksums, self.file)}")


@dataclass(frozen=True)
class WebFile:
    """A file at an address, such as GEO's, whose repository states no checksum."""

    url: str
    name: str

    @property
    def address(self) -> str:
        """Where a person finds the file with a browser."""
        return self.url

    def locate(self, ask: Callable[[str], Any], mirror: str) -> Located:
        """Return the address, on the mirror if there is one."""
        del ask
        parts = urlsplit(self.url)
        path = f"{parts.path}?{parts.query}" if parts.query else parts.path
        return Located(f"{mirror}{path}" if mirror else self.url, None)


@dataclass(frozen=True)
class Connection:
    """How to reach repositories.

    Attributes
    ----------
    mirror
        Address that stands for the repository's own and answers the same paths.
    proxy
        Address of a proxy; by default, what HTTPS_PROXY and the like say.
    n_attempts
        How often in a row to try without getting any further.
    pause_s
        How long to wait before the second try; twice as long before each one after.
    """

    mirror: str = ""
    proxy: str = ""
    n_attempts: int = 5
    pause_s: float = 1.0
    session: requests.Session = field(default_factory=requests.Session, repr=False, compare=False)

    def get(self, url: str, headers: Mapping[str, str] | None = None) -> requests.Response:
        """Ask for an address; the body is not read yet."""
        proxies = {"http": self.proxy, "https": self.proxy} if self.proxy else None
        # Sizes and ranges are of the file itself only if it travels as it is.
        sent = {"Accept-Encoding": "identity", **(headers or {})}
        try:
            return self.session.get(
                url, headers=sent, stream=True, timeout=TIMEOUTS_S, proxies=proxies
            )
        except requests.RequestException as error:
            raise UnreachableError(f"{url} cannot be reached ({reason_of(error)}).") from error

    def ask(self, url: str) -> Any:
        """Read JSON from an address."""
        with self.get(url) as response:
            refuse_status(response, wanted={200})
            try:
                return response.json()
            except requests.JSONDecodeError as error:
                raise StoreError(f"{url} did not answer with JSON: is this the API?") from error
            except requests.RequestException as error:
                raise UnreachableError(f"{url} stopped to answer ({reason_of(error)}).") from error


def _of_entries(url: str, answer: Any, name: str, value: str) -> dict[str, str]:
    try:
        return {str(entry[name]): str(entry[value]) for entry in answer["files"]}
    except (KeyError, TypeError) as error:
        raise StoreError(f"{url} did not answer with a list of files: is this the API?") from error


def _entry(url: str, entries: Mapping[str, str], name: str) -> str:
    if name not in entries:
        known = ", ".join(sorted(entries)[:10]) or "no files"
        raise StoreError(f"{url} has no file {name!r}; it lists {known}.")
    return entries[name]


def refuse_status(response: requests.Response, wanted: set[int]) -> None:
    """Raise what a server's answer means, unless it is one that is wanted.

    Raises
    ------
    UnreachableError
        The server may do better in a moment.
    StoreError
        It will not.
    """
    status = response.status_code
    if status in wanted:
        return
    if status in {404, 410}:
        raise StoreError(f"{response.url} does not exist ({status}).")
    error = UnreachableError if status in RETRIED else StoreError
    raise error(
        f"{response.url} answered {status} {response.reason} in place of the file. Some "
        "repositories turn programs away that they take for robots: then save it with a browser."
    )


def reason_of(error: Exception) -> str:
    """Return the cause of a failed request in a few words."""
    cause = getattr(error.args[0] if error.args else error, "reason", error)
    words = str(cause).rpartition(": ")[-1].rstrip("\"'")
    while words.count(")") > words.count("("):
        words = words[: words.rindex(")")].rstrip("\"'")
    return f"{type(cause).__name__}: {words}"[:200]
