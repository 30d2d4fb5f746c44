"""A training's progress as a file, so that one that was killed goes on where it was."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np

from wildcell.errors import DataError
from wildcell.guards.archives import check_zip
from wildcell.models.neural.backend import random_states, restore_random_states, torch
from wildcell.store.atomic import writing

UNREADABLE = (OSError, EOFError, KeyError, ValueError, RuntimeError, UnpicklingError, DataError)
"""What reading raises of a file that is damaged or none of ours: no progress."""


@dataclass
class Checkpoint:
    """Where progress is kept, if anywhere.

    Attributes
    ----------
    path
        The file; None to keep nothing.
    key
        Of what is trained on what; a file with another key is not looked at.
    rng
        The generator of draws, whose state is kept, too.
    device
        What the network is trained on; the state of its random stream is kept, too.
    seconds_between
        Progress is not written more often than that.
    """

    path: Path | None
    key: str
    rng: np.random.Generator
    device: Any
    seconds_between: float
    _last: float = field(default_factory=time.monotonic)

    def save(self, parts: Mapping[str, Any], **others: Any) -> None:
        """Write the states of `parts`, and whatever else is to be found again."""
        if self.path is None or time.monotonic() - self._last < self.seconds_between:
            return
        content = {
            "key": self.key,
            "states": {name: part.state_dict() for name, part in parts.items()},
            "draws": self.rng.bit_generator.state,
            "torch": random_states(self.device),
            "others": others,
        }
        with writing(self.path) as temporary:
            torch.save(content, temporary)
        self._last = time.monotonic()

    def load(self, parts: Mapping[str, Any]) -> dict[str, Any] | None:
        """Bring `parts` back to where they were and return the others; None if nothing is kept."""
        content = self._read()
        if content is None or content.get("key") != self.key:
            return None
        for name, part in parts.items():
            part.load_state_dict(content["states"][name])
        self.rng.bit_generator.state = content["draws"]
        restore_random_states(content["torch"])
        return dict(content["others"])

    def remove(self) -> None:
        """Delete the file: training is over."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)

    def _read(self) -> dict[str, Any] | None:
        if self.path is None or not self.path.is_file():
            return None
        try:
            check_zip(self.path)
            content = torch.load(self.path, map_location="cpu", weights_only=True)
        except UNREADABLE:
            return None
        return content if isinstance(content, dict) else None
