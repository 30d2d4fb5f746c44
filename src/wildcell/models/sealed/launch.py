"""What stands between wildcell and a model's first line: limits are set, and the network is cut.

It is started as a script, `python -I launch.py NETWORK MAX_FILE MAX_DATA COMMAND ...`, becomes the
command, and imports nothing but the standard library.
"""

import ctypes
import fcntl
import os
import resource
import signal
import socket
import struct
import sys
from pathlib import Path

CUT, OPEN = "cut", "open"
NEW_USER, NEW_NETWORK = 0x10000000, 0x40000000
NO_NEW_PRIVILEGES, DIE_WITH_PARENT = 38, 1
GET_FLAGS, SET_FLAGS, IS_UP = 0x8913, 0x8914, 1
NOT_CUT, NOT_STARTED = 71, 127


def main(words: list[str]) -> None:
    """Set limits, cut the network where that is asked for, and become the command."""
    network, max_file, max_data, *command = words
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(DIE_WITH_PARENT, signal.SIGKILL, 0, 0, 0)
    is_cut = network == CUT and cut_network()
    limit(int(max_file), int(max_data))
    if not command:  # it was asked whether the network can be cut
        sys.exit(0 if is_cut else NOT_CUT)
    try:
        os.execvp(command[0], command)  # noqa: S606  a fixed list, no shell
    except OSError as error:
        sys.stderr.write(f"{command[0]}: {error.strerror}\n")
        sys.exit(NOT_STARTED)


def limit(max_file: int, max_data: int) -> None:
    """Allow no core dumps, no larger files, and (above 0) no more memory of a process's own."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for kind, wanted in ((resource.RLIMIT_FSIZE, max_file), (resource.RLIMIT_DATA, max_data)):
        _, most = resource.getrlimit(kind)
        if wanted > 0 and not 0 <= most < wanted:
            resource.setrlimit(kind, (wanted, wanted))


def cut_network() -> bool:
    """Leave this process and its children nothing but a loopback of their own; say if that went."""
    if sys.platform != "linux":
        return False
    system = ctypes.CDLL(None)
    user, group = os.getuid(), os.getgid()
    if system.unshare(NEW_NETWORK) != 0:
        if system.unshare(NEW_USER | NEW_NETWORK) != 0:
            return False
        _map_to_itself(user, group)
    system.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    _raise_loopback()
    return True


def _map_to_itself(user: int, group: int) -> None:
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
    Path("/proc/self/gid_map").write_text(f"{group} {group} 1")


def _raise_loopback() -> None:
    """Let processes of the model talk to each other, as those that train on several cores do."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as opened:
        asked = struct.pack("16sh14x", b"lo", 0)
        try:
            flags = struct.unpack("16sh14x", fcntl.ioctl(opened, GET_FLAGS, asked))[1]
            fcntl.ioctl(opened, SET_FLAGS, struct.pack("16sh14x", b"lo", flags | IS_UP))
        except OSError:
            return  # it is down, and stays so


if __name__ == "__main__":
    main(sys.argv[1:])
