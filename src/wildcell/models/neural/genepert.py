"""GenePert: ridge regression, or a small network, on embeddings of what was perturbed."""

from math import inf

import numpy as np

from wildcell.arrays import Floats
from wildcell.errors import OptionError
from wildcell.models.linear import ANSWERS, FeatureModel
from wildcell.models.model import Input, model
from wildcell.models.regression import believable, left_out_ridge_errors, ridge_coefficients
from wildcell.models.search import Searched

REGRESSORS = ("ridge", "mlp")
PENALTIES = (0.1, 0.3, 1.0, 3.0, 10.0)
"""Ridge penalties tried, each times the number of features over that of perturbations."""


@model(
    "genepert",
    answers=ANSWERS,
    needs=(Input.FEATURES,),
    cite="Chen & Zou 2024, bioRxiv, doi:10.1101/2024.10.27.620513",
)
class GenePert(FeatureModel):
    """Regresses mean expression on embeddings of the perturbed genes.

    The mean of the perturbed cells is a ridge regression on the sum of the embeddings of the
    components, or a network of one hidden layer.

    Departs from the publication: what is regressed is the delta beside the shared response of its
    context, so that it can answer for more than one context; embeddings are the features given,
    standardised; the penalty is chosen among a few by leaving out one perturbation, where there
    is one for all.

    Parameters
    ----------
    seed
        Of the network's weights; nothing is drawn for a ridge.
    regressor
        `ridge`, or `mlp`.
    alpha
        Ridge penalty, or that on the network's weights; None to choose it for a
        ridge, and for 10 on the network.
    width
        Hidden units of the network.
    preset
        `paper`: a ridge penalty of 1.

    Raises
    ------
    OptionError
        There is no such regressor or preset, or the penalty is not positive.
    """

    searched = (
        Searched(name="regressor", choices=REGRESSORS),
        Searched(name="alpha", low=1e-2, high=1e3, log=True),
    )

    def __init__(
        self,
        *,
        seed: int = 0,
        regressor: str = "ridge",
        alpha: float | None = None,
        width: int = 128,
        preset: str = "default",
    ) -> None:
        super().__init__(seed=seed)
        if regressor not in REGRESSORS:
            raise OptionError(f"regressor is one of {', '.join(REGRESSORS)}; got {regressor!r}.")
        if preset not in ("default", "paper"):
            raise OptionError(f"preset is one of default, paper; got {preset!r}.")
        if alpha is not None and not alpha > 0:
            raise OptionError(f"alpha must be a number above 0; it is {alpha!r}.")
        self.regressor, self.width = regressor, width
        self.alpha = 1.0 if preset == "paper" and alpha is None else alpha

    def learn(self, rows: Floats, residual: Floats) -> None:
        """Fit the regression."""
        if self.regressor == "mlp":
            self._learn_network(rows, residual)
            return
        self.chosen_alpha = self.alpha or _chosen(rows, residual)
        self.coefficients = ridge_coefficients(rows, residual, penalty=self.chosen_alpha)

    def respond(self, rows: Floats) -> Floats:
        """Return the regression's value at the rows."""
        if self.regressor == "mlp":
            found = np.asarray(self.network.predict(rows * self.scale)) * self.spread
            return found.reshape(len(rows), -1)
        return rows @ self.coefficients

    def _learn_network(self, rows: Floats, residual: Floats) -> None:
        from sklearn.neural_network import MLPRegressor  # noqa: PLC0415 - slow to import

        self.scale = np.sqrt(rows.shape[1])
        self.spread = float(residual.std()) or 1.0
        self.network = MLPRegressor(
            hidden_layer_sizes=(self.width,),
            alpha=self.alpha or 10.0,
            learning_rate_init=3e-3,
            max_iter=500,
            n_iter_no_change=20,
            tol=1e-3,
            random_state=self.seed,
        )
        wanted = residual / self.spread
        self.network.fit(rows * self.scale, wanted[:, 0] if wanted.shape[1] == 1 else wanted)


def _chosen(rows: Floats, residual: Floats) -> float:
    penalties = (*PENALTIES, inf)
    return penalties[believable(left_out_ridge_errors(rows, residual, penalties))]
