"""Linear Additive: the control cell plus a linear function of the perturbation."""

from collections.abc import Mapping
from typing import Any, ClassVar

from wildcell.models.neural.backend import Module, Tensor, torch
from wildcell.models.neural.batch import Batch
from wildcell.models.neural.layers import mlp, squared_error
from wildcell.models.neural.neural_model import NeuralModel, Shape, neural_model


@neural_model("linear-additive", cite="Wu et al. 2024, PerturBench, arXiv:2408.10609")
class LinearAdditive(NeuralModel):
    """Adds a linear function of the perturbation to the control cell.

    The control cell x becomes x + W e(p), e(p) the sum of the embeddings of the components.

    Departs from the publication: there the sum goes through a softplus, which turns the zeros
    that most log values are into 0.69, so that effects are bent by the control cell's noise; here
    that is the preset `paper`. Embeddings are linear in the features; there, an MLP.

    Attributes
    ----------
    width
        Dimensions of an embedding.
    is_bent
        Whether the sum goes through a softplus.
    n_layers
        Layers of the embedding of a component.
    """

    width: int = 512
    is_bent: bool = False
    n_layers: int = 1
    control_share: float = 0.0

    paper: ClassVar[Mapping[str, Any]] = {
        "is_bent": True,
        "n_layers": 2,
        "anchored": False,
        "batch_size": 256,
        "max_steps": 10**9,
    }

    def build(self, shape: Shape) -> Mapping[str, Module]:
        """Return the embedding of components, and W."""
        widths = [self.width] * self.n_layers
        effect = torch.nn.Linear(self.width, shape.n_genes, bias=False)
        torch.nn.init.zeros_(effect.weight)
        return {"embed": mlp(shape.n_inputs, *widths), "effect": effect}

    def respond(self, batch: Batch) -> Tensor:
        """Return the control cells plus the effects of their perturbations."""
        embedded = batch.weights @ self.net["embed"](batch.inputs)
        moved = batch.control + self.net["effect"](embedded)[batch.treatment]
        return self.positive(moved) if self.is_bent else moved

    def loss(self, batch: Batch) -> Tensor:
        """Return the squared error on the perturbed cells."""
        return squared_error(batch.known(self.respond(batch)), batch.known(batch.perturbed))
