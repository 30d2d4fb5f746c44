"""DecoderOnly: the perturbation alone, without a look at the control cell."""

from collections.abc import Mapping
from typing import Any, ClassVar

from wildcell.models.neural.backend import Module, Tensor, torch
from wildcell.models.neural.batch import Batch
from wildcell.models.neural.layers import deep, squared_error
from wildcell.models.neural.neural_model import NeuralModel, Shape, neural_model


@neural_model("decoder-only", cite="Wu et al. 2024, PerturBench, arXiv:2408.10609")
class DecoderOnly(NeuralModel):
    """Decodes the perturbation alone, without a look at the control cell.

    Every control cell becomes softplus(decode(e(p), c)), e(p) the sum of the embeddings of the
    components and c the one-hot context: zeros for a context that was not trained on.

    Departs from the publication: answers are anchored at the given controls, so that an unseen
    context keeps its own baseline; one hidden layer is the default.

    Attributes
    ----------
    width, n_layers
        Hidden units and layers of the decoder.
    latent
        Dimensions of an embedding.
    covariates
        Whether the decoder sees the context.
    """

    width: int = 512
    n_layers: int = 2
    latent: int = 128
    covariates: bool = False

    paper: ClassVar[Mapping[str, Any]] = {
        "width": 3072,
        "covariates": True,
        "anchored": False,
        "control_share": 0.0,
        "batch_size": 256,
        "max_steps": 10**9,
    }

    def build(self, shape: Shape) -> Mapping[str, Module]:
        """Return the decoder and the embedding of components."""
        n_contexts = shape.n_contexts * self.covariates
        return {
            "embed": deep(shape.n_inputs, self.latent, self.latent, n_layers=2),
            "decode": deep(
                self.latent + n_contexts, self.width, shape.n_genes, n_layers=self.n_layers
            ),
        }

    def respond(self, batch: Batch) -> Tensor:
        """Return the decoded perturbations."""
        seen = batch.sum_of_parts(self.net["embed"](batch.inputs))
        if self.covariates:
            seen = torch.cat([seen, batch.covariates], dim=1)
        return self.positive(self.net["decode"](seen))

    def loss(self, batch: Batch) -> Tensor:
        """Return the squared error on the perturbed cells."""
        return squared_error(batch.known(self.respond(batch)), batch.known(batch.perturbed))
