"""Latent Additive: the perturbation is added to the encoded control cell."""

from collections.abc import Mapping
from typing import Any, ClassVar

from wildcell.models.neural.backend import Module, Tensor
from wildcell.models.neural.batch import Batch
from wildcell.models.neural.layers import deep, squared_error
from wildcell.models.neural.neural_model import NeuralModel, Shape, neural_model


@neural_model("latent-additive", cite="Wu et al. 2024, PerturBench, arXiv:2408.10609")
class LatentAdditive(NeuralModel):
    """Adds the perturbation to the encoded control cell, and decodes the sum.

    The control cell x becomes softplus(decode(encode(x) + e(p))), e(p) the sum of the embeddings
    of the components, each an MLP of its features.

    Departs from the publication: answers are anchored at the given controls, and controls stand
    as perturbed cells in a share of the draws, so that there is something to anchor at.

    Attributes
    ----------
    width, latent, n_layers
        Hidden units, latent dimensions, and layers of encoder and decoder.
    dropout
        Share of the hidden units left out in training.
    """

    width: int = 256
    latent: int = 64
    n_layers: int = 2
    dropout: float = 0.1

    paper: ClassVar[Mapping[str, Any]] = {
        "width": 128,
        "latent": 160,
        "n_layers": 3,
        "anchored": False,
        "control_share": 0.0,
        "batch_size": 256,
        "max_steps": 10**9,
    }

    def build(self, shape: Shape) -> Mapping[str, Module]:
        """Return encoder, decoder, and the embedding of components."""
        sizes: dict[str, Any] = {"n_layers": self.n_layers, "dropout": self.dropout}
        return {
            "encode": deep(shape.n_state, self.width, self.latent, **sizes),
            "embed": deep(shape.n_inputs, self.width, self.latent, n_layers=2),
            "decode": deep(self.latent, self.width, shape.n_genes, **sizes),
        }

    def respond(self, batch: Batch) -> Tensor:
        """Return the decoded sum of cell and perturbation."""
        cell = self.net["encode"](batch.control_state)
        added = batch.sum_of_parts(self.net["embed"](batch.inputs))
        return self.positive(self.net["decode"](cell + added))

    def loss(self, batch: Batch) -> Tensor:
        """Return the squared error on the perturbed cells."""
        return squared_error(batch.known(self.respond(batch)), batch.known(batch.perturbed))
