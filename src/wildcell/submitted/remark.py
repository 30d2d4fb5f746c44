"""What is to be said of a file of a submission."""

from dataclasses import dataclass

LONGEST_SHOWN = 80


@dataclass(frozen=True)
class Remark:
    """A sentence about a file.

    Attributes
    ----------
    file
        Its path below the folder of results; of a folder, the folder's.
    said
        What was found, and what would do.
    is_wrong
        Whether it keeps the submission out; else it is a note.
    """

    file: str
    said: str
    is_wrong: bool = True


def shown(text: object) -> str:
    r"""Return a text of others in quotes, cut where it is long and escaped where it is not plain.

    Examples
    --------
    >>> shown("ridge"), shown(chr(27) + "[2J")
    ("'ridge'", "'\\x1b[2J'")
    """
    told = str(text)
    is_long = len(told) > LONGEST_SHOWN
    return ascii(told[:LONGEST_SHOWN]) + ("..." if is_long else "")
