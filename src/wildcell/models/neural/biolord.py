"""BioLORD: known attributes embedded, and what is unknown of a cell kept small and noisy."""

from collections.abc import Mapping
from typing import Any, ClassVar

from wildcell.models.neural.backend import Module, Tensor, torch
from wildcell.models.neural.batch import Batch
from wildcell.models.neural.layers import deep, squared_error
from wildcell.models.neural.neural_model import NeuralModel, Shape, neural_model


@neural_model("biolord", cite="Piran et al. 2024, Nat Biotechnol, doi:10.1038/s41587-023-02079-x")
class Biolord(NeuralModel):
    """Embeds what is known of a cell, and keeps what is unknown of it small and noisy.

    A cell x is softplus(decode(u + noise, e(p), e(c))): its known attributes are embedded, what is
    unknown is a vector u whose length is penalised and to which noise is added, so that it has
    no room for what is known. Asked about a perturbation, u is that of a control cell.

    Departs from the publication: there u is a free vector of each cell trained on; here it is
    encoded from the cell, so that cells that come later have one. Errors are squared; answers are
    anchored.

    Attributes
    ----------
    width, n_layers
        Hidden units and layers of encoder and decoder.
    latent, attribute
        Dimensions of the unknown, and of each known attribute.
    noise
        Standard deviation of what is added to the unknown.
    penalty
        On its mean square.
    covariates
        Whether the context is a known attribute.
    """

    width: int = 256
    n_layers: int = 2
    latent: int = 16
    attribute: int = 64
    noise: float = 1.0
    penalty: float = 1e-3
    covariates: bool = True

    paper: ClassVar[Mapping[str, Any]] = {
        "width": 1024,
        "n_layers": 4,
        "attribute": 256,
        "noise": 0.1,
        "penalty": 1e-4,
        "anchored": False,
        "batch_size": 256,
        "max_steps": 10**9,
    }

    def build(self, shape: Shape) -> Mapping[str, Module]:
        """Return the encoder of the unknown, the embeddings, and the decoder."""
        known = self.attribute * (1 + self.covariates)
        return {
            "encode": deep(shape.n_state, self.width, self.latent, n_layers=self.n_layers),
            "embed": deep(shape.n_inputs, self.width, self.attribute, n_layers=2),
            "place": torch.nn.Linear(shape.n_contexts, self.attribute, bias=False),
            "decode": deep(self.latent + known, self.width, shape.n_genes, n_layers=self.n_layers),
        }

    def respond(self, batch: Batch) -> Tensor:
        """Return what the unknown of the control cells becomes with other attributes."""
        return self.decoded(self.net["encode"](batch.control_state), batch)

    def decoded(self, unknown: Tensor, batch: Batch) -> Tensor:
        """Return the log values of cells from what is unknown and what is known of them."""
        known = [batch.sum_of_parts(self.net["embed"](batch.inputs))]
        if self.covariates:
            known.append(self.net["place"](batch.covariates))
        return self.positive(self.net["decode"](torch.cat([unknown, *known], dim=1)))

    def loss(self, batch: Batch) -> Tensor:
        """Return the reconstruction error, and the penalty on the unknown."""
        unknown = self.net["encode"](batch.perturbed_state)
        noisy = unknown + self.noise * torch.randn_like(unknown)
        found = self.decoded(noisy, batch)
        error = squared_error(batch.known(found), batch.known(batch.perturbed))
        return error + self.penalty * (unknown.float() ** 2).mean()
