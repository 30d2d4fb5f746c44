"""What a run's folder says of itself, held to what lies in it."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from wildcell.errors import BenchmarkError
from wildcell.names import CEILING, REPLICATE, Status
from wildcell.scenarios.folder import read_prediction
from wildcell.store.fingerprint import file_sha256, fingerprint
from wildcell.store.provenance import versions
from wildcell.store.runs import PREDICTION, RunKey
from wildcell.verification.finding import Finding, Verdict

OF_FILES = "reading"
"""The fingerprint that runs of scored files have, and no others."""


def check_stored(runs: Path, folder: Path, record: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield what follows from the folder alone: its place, files, inputs, versions, prediction."""
    name = str(folder.relative_to(runs))
    for check, look in (
        ("place", _place),
        ("files", _files),
        ("inputs", _inputs),
        ("versions", _versions),
        ("prediction", _prediction),
    ):
        verdict, said = look(runs, folder, record)
        yield Finding(name, check, verdict, said)


def _place(runs: Path, folder: Path, record: Mapping[str, Any]) -> tuple[Verdict, str]:
    """Hold a folder's name to the names and options that it follows from."""
    words = ("scenario", "dataset", "arm", "model", "seed", "fold", "options")
    if lacking := [word for word in words if word not in record]:
        return Verdict.DIFFERS, f"run.json lacks {', '.join(lacking)}."
    expected = RunKey(*(record[word] for word in words)).folder(runs)
    if expected != folder:
        return Verdict.DIFFERS, f"by its names and options it belongs in {expected.name}."
    return Verdict.SAME, ""


def _files(runs: Path, folder: Path, record: Mapping[str, Any]) -> tuple[Verdict, str]:
    del runs
    told = record.get("files")
    if not told:
        return Verdict.UNTOLD, "the run was kept before files were hashed."
    wrong = [
        f"{name} {'is not the file that was written' if (folder / name).is_file() else 'is gone'}"
        for name, sha256 in sorted(told.items())
        if not (folder / name).is_file() or file_sha256(folder / name) != sha256
    ]
    return (Verdict.DIFFERS, f"{'; '.join(wrong)}.") if wrong else (Verdict.SAME, "")


def _inputs(runs: Path, folder: Path, record: Mapping[str, Any]) -> tuple[Verdict, str]:
    del runs, folder
    told = dict(record.get("fingerprints", {}))
    whole = told.pop("inputs", None)
    if OF_FILES not in told:
        told.pop("prediction", None)
    if fingerprint(told) != whole:
        return Verdict.DIFFERS, "the fingerprints of run.json do not add up: it was edited."
    return Verdict.SAME, ""


def _versions(runs: Path, folder: Path, record: Mapping[str, Any]) -> tuple[Verdict, str]:
    """Say which packages are of another version now, which may explain what differs."""
    del runs, folder
    told = record.get("versions", {})
    others = [f"{name} {told[name]}, now {now}" for name, now in versions().items()
              if name in told and told[name] != now]  # fmt: skip
    if others:
        return Verdict.UNTOLD, f"made with {'; '.join(others)}."
    return Verdict.SAME, ""


def _prediction(runs: Path, folder: Path, record: Mapping[str, Any]) -> tuple[Verdict, str]:
    del runs
    told = record.get("fingerprints", {})
    if OF_FILES in told:
        return Verdict.UNTOLD, "predictions that were scored as files are not kept."
    if "prediction" not in told:
        if record["model"] in (CEILING, REPLICATE) or record["status"] != Status.OK:
            return Verdict.SAME, ""
        return Verdict.DIFFERS, "its prediction is not told."
    try:
        found = fingerprint(read_prediction(folder / PREDICTION))
    except BenchmarkError as error:
        return Verdict.DIFFERS, str(error)
    if found != told["prediction"]:
        return Verdict.DIFFERS, f"{PREDICTION} is not what the model answered."
    return Verdict.SAME, ""
