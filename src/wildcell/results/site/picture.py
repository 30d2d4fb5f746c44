"""A mean with its interval between floor and ceiling, as a small picture in a row of a table."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup

from wildcell.names import CEILING, REPLICATE
from wildcell.results.rank import PSEUDO_MODELS

WIDTH, HEIGHT, MARGIN = 160, 16, 6
REACH = 1.5
"""How far below the floor a scale goes, in units of floor to ceiling."""


@dataclass(frozen=True)
class Scale:
    """Where numbers lie in a picture.

    Attributes
    ----------
    low, high
        Numbers at its edges.
    marks
        Numbers with a line of their own: reference, replicate, ceiling; those that are known.
    """

    low: float
    high: float
    marks: Mapping[str, float]

    def at(self, value: float) -> float:
        """Return the place of a number, in pixels; one beyond the edges lies on them."""
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return round(MARGIN + share * (WIDTH - 2 * MARGIN), 1)


def scale_of(rows: pd.DataFrame) -> Scale | None:
    """Return the scale of one question and metric; None where nothing is to be drawn.

    Parameters
    ----------
    rows
        Of `standings`, of all models, the pseudo-models, too.
    """
    mean_of = rows.set_index("model")["mean"]
    names = {REPLICATE: REPLICATE, CEILING: CEILING}
    if len(rows):
        names["reference"] = str(rows["reference"].iloc[0])
    marks = {
        mark: float(mean_of[name])
        for mark, name in names.items()
        if name in mean_of and np.isfinite(mean_of[name])
    }
    own = rows[~rows["model"].isin(PSEUDO_MODELS)]
    known = [*marks.values(), *own[["mean", "low", "high"]].to_numpy(dtype=float).ravel()]
    known = [value for value in known if np.isfinite(value)]
    if len(known) < 2 or max(known) <= min(known):
        return None
    low, high = min(known), max(known)
    if "reference" in marks and CEILING in marks:
        room = REACH * abs(marks[CEILING] - marks["reference"])
        if room > 0:
            low = max(low, min(marks.values()) - room)
            high = min(high, max(marks.values()) + room)
    return Scale(low, high, marks)


def picture(row: Mapping[str, Any], scale: Scale | None) -> Markup:
    """Draw a row: the interval as a line, the mean as a dot, floor and ceiling as lines."""
    if scale is None or not np.isfinite(row["mean"]):
        return Markup("")
    middle = HEIGHT / 2
    parts = [
        Markup('<line class="{}" x1="{}" x2="{}" y1="1" y2="{}"/>').format(
            mark, scale.at(value), scale.at(value), HEIGHT - 1
        )
        for mark, value in scale.marks.items()
    ]
    if np.isfinite(row["low"]):
        parts.append(
            Markup('<line class="span" x1="{}" x2="{}" y1="{}" y2="{}"/>').format(
                scale.at(row["low"]), scale.at(row["high"]), middle, middle
            )
        )
    parts.append(
        Markup('<circle class="mean" cx="{}" cy="{}" r="3.5"/>').format(
            scale.at(row["mean"]), middle
        )
    )
    return Markup(
        '<svg class="place" width="{0}" height="{1}" viewBox="0 0 {0} {1}" aria-hidden="true">'
        "{2}</svg>"
    ).format(WIDTH, HEIGHT, Markup("").join(parts))
