"""The environment written down."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from wildcell.cli.progress import say


def lock(
    *,
    out: Path = Path("environment.txt"),
    hashes: Annotated[bool, Parameter(negative=())] = False,
) -> None:
    """Write the versions of all installed packages, which pip can install again.

    Above them stand the versions of wildcell and Python, and the kind of machine. Packages that
    were installed from a folder of this machine are named, and cannot be installed from the file.

    Parameters
    ----------
    out
        The file of requirements to write.
    hashes
        Ask the package index, through pip, for the SHA-256 of each package, so that nothing else
        can be installed in its place; `pip install --require-hashes` insists on them.
    """
    from wildcell.store.atomic import write_text
    from wildcell.store.lock import installed, lock_text, with_hashes

    packages = installed()
    if hashes:
        packages = with_hashes(packages)
    n_hashed = sum(bool(package.hashes) for package in packages)
    remark = f"{n_hashed} of {len(packages)} packages have hashes."
    write_text(out, lock_text(packages, remark=remark))
    n_local = sum(package.is_local for package in packages)
    say(f"Wrote {out}: {len(packages)} packages, {n_hashed} with hashes, {n_local} from folders.")
