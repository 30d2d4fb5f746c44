"""Environments of models: made once for the same requirements, whole or not there."""

import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from wildcell.errors import OptionError, StoreError
from wildcell.models.sealed.model_folder import CONSTRAINTS, REQUIREMENTS, ModelFolder
from wildcell.models.sealed.surroundings import INSTALLERS, INSTALLING, passed_on
from wildcell.store.atomic import write_json
from wildcell.store.download import cache_folder
from wildcell.store.fingerprint import fingerprint
from wildcell.store.provenance import now
from wildcell.store.runs import claimed

READY = "wildcell.json"
"""Written last: an environment without it was not finished, and is made anew."""

SHOWN_LINES = 15


def python_of(folder: ModelFolder, *, installer: str = "pip", cache: Path | None = None) -> Path:
    """Return the interpreter that starts a model, its environment made if it is not there.

    Environments lie in the cache, under a hash of all that they follow from; one that is there is
    used without a look at the network. Two processes that want the same do not meet.

    Parameters
    ----------
    folder
        The model's; one that asks for no environment is started by the present interpreter.
    installer
        `pip` or `uv`.
    cache
        The folder for data sets and environments; by default $WILDCELL_CACHE or the platform's own.

    Raises
    ------
    OptionError
        There is no such Python, or no uv.
    StoreError
        The installation failed; nothing is left of it but its log.
    """
    if not folder.has_environment:
        return Path(sys.executable)
    python = _interpreter(folder, installer)
    home = cache_folder(cache) / "environments" / _key(folder, installer, python)
    with claimed(home.parent / ".locks" / home.name):
        if not (home / READY).is_file():
            _make(home, folder, installer, python)
    return home / "bin" / "python"


def _interpreter(folder: ModelFolder, installer: str) -> str:
    """Return the Python that an environment is made with: its place, or for uv its version."""
    version = folder.card.python
    if installer == "uv":
        if shutil.which("uv") is None:
            raise OptionError(
                "--installer uv: there is no uv here; install it, or leave it to pip."
            )
        return version or platform.python_version()
    if not version or f"{platform.python_version()}.".startswith(f"{version}."):
        return sys.executable
    found = shutil.which(f"python{version}")
    if found is None or not _says(found):
        raise OptionError(
            f"{folder.name} needs Python {version}, and there is no python{version} here; install "
            "it, or use --installer uv, which brings its own."
        )
    return found


def _says(python: str) -> str:
    """Return what an interpreter says of its version, "" if it does not run."""
    said = subprocess.run([python, "--version"], capture_output=True, text=True, check=False)
    return said.stdout.strip() if said.returncode == 0 else ""


def _key(folder: ModelFolder, installer: str, python: str) -> str:
    files = {
        name: (folder.path / name).read_text(encoding="utf-8")
        for name in (CONSTRAINTS, REQUIREMENTS)
        if (folder.path / name).is_file()
    }
    version = python if installer == "uv" else _says(python)
    words = [sys.platform, platform.machine(), installer, version, *folder.card.pip_options]
    return fingerprint(files, words)[:20]


def _make(home: Path, folder: ModelFolder, installer: str, python: str) -> None:
    log = home.with_name(f"{home.name}.log")
    with _whole_or_not_there(home), log.open("w", encoding="utf-8") as stream:
        for command in _commands(home, folder, installer, python):
            stream.write(f"$ {' '.join(command)}\n")
            stream.flush()
            code = subprocess.run(
                command,
                cwd=folder.path,
                env=passed_on(INSTALLING, INSTALLERS),
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                check=False,
            ).returncode
            if code != 0:
                raise StoreError(
                    f"The environment of {folder.name} could not be made: {command[0]} ended with "
                    f"{code}. Its last lines:\n{last_lines(log)}\nAll of them: {log}"
                )
        write_json(home / READY, {"model": folder.name, "installer": installer, "made": now()})


@contextmanager
def _whole_or_not_there(home: Path) -> Iterator[None]:
    """Leave no folder behind if the block fails, and none that was left before."""
    shutil.rmtree(home, ignore_errors=True)
    try:
        yield
    except BaseException:
        shutil.rmtree(home, ignore_errors=True)
        raise


def _commands(home: Path, folder: ModelFolder, installer: str, python: str) -> list[list[str]]:
    wanted = _requirements(folder.path)
    own = str(home / "bin" / "python")
    options = [*folder.card.pip_options, *wanted]
    if installer == "uv":
        install = ["uv", "pip", "install", "--python", own, *options]
        return [["uv", "venv", "--python", python, str(home)], *([install] if wanted else [])]
    # What is installed into nothing needs no pip either.
    venv = [python, "-m", "venv", *([] if wanted else ["--without-pip"]), str(home)]
    return [venv, *([[own, "-m", "pip", "install", *options]] if wanted else [])]


def _requirements(path: Path) -> Sequence[str]:
    """Return what is installed: the requirements within the constraints, or all of these."""
    if (path / REQUIREMENTS).is_file():
        return ["-r", REQUIREMENTS, "-c", CONSTRAINTS]
    lines = (path / CONSTRAINTS).read_text(encoding="utf-8").splitlines()
    has_some = any(line.strip() and not line.strip().startswith("#") for line in lines)
    return ["-r", CONSTRAINTS] if has_some else []


def last_lines(log: Path) -> str:
    """Return the end of a log, as much as one may want to see at once."""
    text = log.read_text(encoding="utf-8", errors="replace")
    return "\n".join(text.splitlines()[-SHOWN_LINES:])
