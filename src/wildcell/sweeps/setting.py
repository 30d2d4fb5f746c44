"""How the jobs of a sweep are run, whatever they are; no result depends on it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from wildcell.models.sealed.terms import Terms


@dataclass(frozen=True)
class Setting:
    """Where runs are kept, and on what terms jobs are run.

    Attributes
    ----------
    runs
        Folder of all runs.
    terms
        What a job may take; of a model in processes of its own, these are counted with it.
    retry
        Whether runs that ended in an error are run again.
    """

    runs: Path
    terms: Terms = field(default_factory=Terms)
    retry: bool = False

    def words(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        return {"runs": str(self.runs), "terms": asdict(self.terms), "retry": self.retry}

    @classmethod
    def of(cls, words: Mapping[str, Any]) -> "Setting":
        """Return what `words` were made of."""
        return cls(Path(words["runs"]), Terms(**words["terms"]), words["retry"])
