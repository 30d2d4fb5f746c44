"""Where in the site a file of the repository is, and links that are led there."""

import posixpath
import re

DOCS = "docs/"
COPIES = "repository/"
LINK = re.compile(r"(?<=\]\()(?P<place>[^)\s#:]+)(?=[)#])")


def address(place: str) -> str:
    """Return where in the site a file is, from its place in the repository.

    Pages are where they are among pages, all else among copies. No copy is a README, which would
    be the index of its folder, or without an extension.
    """
    if place.startswith(DOCS):
        return place.removeprefix(DOCS)
    folder, name = posixpath.split(place.lower())
    stem, extension = posixpath.splitext(name)
    title = "about" if stem == "readme" else stem
    return posixpath.join(COPIES, folder, title + (extension or ".txt"))


def linked(text: str, place: str) -> list[str]:
    """Return the places of the files that the text of a file links."""
    return [place_of(link, place) for link in LINK.findall(text)]


def led(text: str, place: str) -> str:
    """Return the text of a file with its links led to addresses of the site."""
    here = posixpath.dirname(address(place)) or "."
    return LINK.sub(
        lambda link: posixpath.relpath(address(place_of(link["place"], place)), here), text
    )


def place_of(link: str, place: str) -> str:
    """Return what a link in a file leads to, from the root."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(place), link))
