"""Pages of Parquet files: what they unpack to, read from their own heads.

What the end of a file says of its columns may be anything; what is allocated is what the head of
each page says. Heads are in Thrift's compact protocol, of which as much is read as is needed.
"""

from collections.abc import Iterator
from typing import IO, NamedTuple

LARGEST_HEAD = 2**16
MOST_NESTED = 8

TRUE, FALSE, BYTE, I16, I32, I64, DOUBLE, BINARY, LIST, SET, MAP, STRUCT = range(1, 13)
UNPACKED, PACKED = 2, 3
"""The fields of a page's head that say how many bytes it has."""


class Page(NamedTuple):
    """A page: the bytes that it unpacks to, and whether it holds values that others point at."""

    n_bytes: int
    is_dictionary: bool


def pages(file: IO[bytes], start: int, length: int) -> Iterator[Page]:
    """Yield the pages of a column's part of a file.

    Parameters
    ----------
    file
        The file.
    start, length
        Where the part lies.

    Raises
    ------
    ValueError
        What lies there is no page.
    """
    end = start + length
    while start < end:
        file.seek(start)
        head = _Head(file.read(min(LARGEST_HEAD, end - start)))
        fields = head.numbers()
        unpacked, packed = fields.get(UNPACKED, -1), fields.get(PACKED, -1)
        if unpacked < 0 or packed < 0:
            raise ValueError("a page does not say how large it is")
        yield Page(unpacked, fields.get(1) == 2)
        start += head.at + packed


class _Head:
    """The head of a page, read once from its beginning to its end."""

    def __init__(self, content: bytes) -> None:
        self._content, self.at = content, 0

    def numbers(self, depth: int = 0) -> dict[int, int]:
        """Return the whole numbers of a struct by field; all else is passed over."""
        if depth > MOST_NESTED:
            raise ValueError("the head of a page lies in itself too deep")
        found: dict[int, int] = {}
        field = 0
        while (word := self._byte()) != 0:
            field = field + (word >> 4) if word >> 4 else self._number()
            kind = word & 15
            if kind in {I16, I32, I64}:
                found[field] = self._number()
            else:
                self._pass_over(kind, depth)
        return found

    def _pass_over(self, kind: int, depth: int) -> None:
        if kind in {TRUE, FALSE}:
            return
        if kind == STRUCT:
            self.numbers(depth + 1)
        elif kind in {BYTE, DOUBLE}:
            self.at += 1 if kind == BYTE else 8
        elif kind == BINARY:
            length = self._varint()
            self.at += length
        else:
            raise ValueError("the head of a page has what none has")

    def _byte(self) -> int:
        if self.at >= len(self._content):
            raise ValueError("the head of a page is cut short")
        self.at += 1
        return self._content[self.at - 1]

    def _varint(self) -> int:
        value = 0
        for shift in range(0, 70, 7):
            byte = self._byte()
            value |= (byte & 127) << shift
            if byte < 128:
                return value
        raise ValueError("a number in the head of a page is too long")

    def _number(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)
