"""Words between the processes of a sweep: lines of JSON through a pair of sockets."""

import json
import socket
from array import array
from collections.abc import Mapping
from typing import Any, TypeAlias

Words: TypeAlias = Mapping[str, Any]

LARGEST_READ = 2**16


class Channel:
    """One end of a pair of sockets.

    Parameters
    ----------
    end
        A connected stream socket of this machine.

    Examples
    --------
    >>> one, other = channels()
    >>> one.send({"do": "stop"})
    >>> other.receive()
    {'do': 'stop'}
    """

    def __init__(self, end: socket.socket) -> None:
        self.end = end
        self._read = b""
        self._handed: list[int] = []

    def fileno(self) -> int:
        """Return the descriptor, for `select`."""
        return self.end.fileno()

    def send(self, words: Words, *, handing: socket.socket | None = None) -> None:
        """Send words, and with them another socket.

        Raises
        ------
        OSError
            The other end is closed.
        """
        line = json.dumps(words).encode() + b"\n"
        if handing is not None:
            rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array("i", [handing.fileno()]))
            self.end.sendmsg([line[:1]], [rights])
            line = line[1:]
        self.end.sendall(line)

    def receive(self) -> dict[str, Any] | None:
        """Return the next words, waiting for them; None where the other end is closed."""
        while b"\n" not in self._read:
            try:
                part, ancillary, _, _ = self.end.recvmsg(LARGEST_READ, socket.CMSG_LEN(4))
            except ConnectionError:
                return None
            for _, _, data in ancillary:
                self._handed.extend(array("i", data[:4]))
            if not part:
                return None
            self._read += part
        line, _, self._read = self._read.partition(b"\n")
        return dict(json.loads(line))

    @property
    def has_more(self) -> bool:
        """Whether whole words were read already, of which `select` does not know."""
        return b"\n" in self._read

    def handed(self) -> socket.socket:
        """Return the socket that came with words, the first first."""
        return socket.socket(fileno=self._handed.pop(0))

    def close(self) -> None:
        """Close this end."""
        self.end.close()


def channels() -> tuple[Channel, Channel]:
    """Return the two ends of a new pair."""
    one, other = socket.socketpair()
    return Channel(one), Channel(other)
