"""Known vulnerabilities and the licences of what the checks run with: `make audit`.

Fails where a pinned version has a known vulnerability, or where the licence of an installed package
is not known or forbids what the project allows. Where advisories cannot be reached, or are not
known of a package, it says so and goes on.
"""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
AT_MOST_S = 120
REFUSED = ("GPL", "CC-BY-NC", "NonCommercial", "Proprietary", "UNKNOWN")
"""Parts of the names of licences that would bind who uses the project."""

ALLOWED: Mapping[str, str] = {"wildcell": "the project itself"}
"""Packages whose licences are not looked at, and why."""


class UnreachableError(Exception):
    """Nobody could be asked for advisories."""


def advisories() -> list[dict[str, Any]]:
    """Return what pip-audit says of each pinned package.

    Raises
    ------
    UnreachableError
        It says nothing.
    """
    command = [
        *(sys.executable, "-m", "pip_audit", "--requirement", str(ROOT / "constraints.txt")),
        *("--no-deps", "--disable-pip", "--format", "json", "--progress-spinner", "off"),
    ]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=AT_MOST_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise UnreachableError(f"no answer in {AT_MOST_S} s") from error
    try:
        return list(json.loads(done.stdout)["dependencies"])
    except (json.JSONDecodeError, KeyError) as error:
        raise UnreachableError(done.stderr.strip().rpartition("\n")[2]) from error


def licences() -> list[dict[str, str]]:
    """Return the name, version and licence of each installed package."""
    program = Path(sys.executable).with_name("pip-licenses")
    done = subprocess.run(
        [str(program), "--from=mixed", "--format=json"], capture_output=True, text=True, check=True
    )
    return list(json.loads(done.stdout))


def vulnerable(packages: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield a sentence a known vulnerability."""
    for package in packages:
        for one in package.get("vulns", ()):
            mended = ", ".join(one["fix_versions"]) or "no version"
            yield f"{package['name']} {package['version']}: {one['id']}, mended in {mended}"


def refused(packages: Sequence[Mapping[str, str]]) -> Iterator[str]:
    """Yield a sentence a package whose licence is not one that the project can depend on."""
    for package in packages:
        licence = first_line(package["License"])
        is_refused = any(part.lower() in licence.lower() for part in REFUSED)
        if is_refused and package["Name"] not in ALLOWED:
            yield f"{package['Name']} {package['Version']}: {licence}"


def first_line(licence: str) -> str:
    return licence.strip().partition("\n")[0]


def main() -> None:
    installed, known = licences(), []
    for package in installed:
        print(f"{package['Name']} {package['Version']}: {first_line(package['License'])}")
    try:
        pinned = advisories()
        known = [package for package in pinned if "skip_reason" not in package]
        print(f"\nAdvisories were looked up for {len(known)} of {len(pinned)} pinned packages.")
    except UnreachableError as error:
        print(f"\nNothing is known of vulnerabilities: advisories could not be reached: {error}.")
    troubles = [*vulnerable(known), *refused(installed)]
    print("\n".join(troubles) or f"Licences of {len(installed)} packages are ones to depend on.")
    sys.exit(bool(troubles))


if __name__ == "__main__":
    main()
