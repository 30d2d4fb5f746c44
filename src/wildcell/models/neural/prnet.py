"""PRnet: control cell and perturbation are encoded together, and decoded as mean and variance."""

from collections.abc import Mapping
from typing import Any, ClassVar

from wildcell.models.neural.backend import Module, Tensor, torch
from wildcell.models.neural.batch import Batch
from wildcell.models.neural.layers import deep, halves, sampled
from wildcell.models.neural.neural_model import NeuralModel, Shape, neural_model


@neural_model("prnet", cite="Qi et al. 2024, Nat Commun, doi:10.1038/s41467-024-53457-1")
class Prnet(NeuralModel):
    """Encodes control cell and perturbation together, and decodes a mean and a variance.

    An adapter embeds the perturbation; an encoder reads it beside the control cell; a decoder
    reads code, adapter and noise, and gives mean and standard deviation of each gene of a
    perturbed cell, whose normal likelihood is raised.

    Departs from the publication: features are those given, which need not be fingerprints; the
    mean goes through a softplus; answers are anchored.

    Attributes
    ----------
    width, n_layers
        Hidden units and layers of encoder and decoder.
    latent, adapter
        Dimensions of the code and of the embedded perturbation.
    noise
        Dimensions of noise that the decoder reads.
    dropout
        Share of the hidden units left out in training.
    """

    width: int = 256
    n_layers: int = 2
    latent: int = 64
    adapter: int = 64
    noise: int = 10
    dropout: float = 0.05

    paper: ClassVar[Mapping[str, Any]] = {
        "width": 128,
        "n_layers": 3,
        "anchored": False,
        "control_share": 0.0,
        "batch_size": 512,
        "max_steps": 10**9,
    }

    def build(self, shape: Shape) -> Mapping[str, Module]:
        """Return adapter, encoder and decoder."""
        sizes: dict[str, Any] = {"n_layers": self.n_layers, "dropout": self.dropout}
        n_code = self.latent + self.adapter + self.noise
        return {
            "adapt": deep(shape.n_inputs, self.width, self.adapter, n_layers=2),
            "encode": deep(shape.n_state + self.adapter, self.width, self.latent, **sizes),
            "decode": deep(n_code, self.width, 2 * shape.n_genes, **sizes),
        }

    def respond(self, batch: Batch) -> Tensor:
        """Return the means that are decoded without noise."""
        return self._decoded(batch, noise=0.0)[0]

    def draw_cells(self, batch: Batch) -> Tensor:
        """Return draws from the decoded distributions."""
        mean, log_sd = self._decoded(batch, noise=1.0)
        return sampled(mean, log_sd)

    def loss(self, batch: Batch) -> Tensor:
        """Return the negative log likelihood of the perturbed cells."""
        mean, log_sd = self._decoded(batch, noise=1.0)
        surprise = log_sd + 0.5 * ((batch.perturbed - mean) * torch.exp(-log_sd)) ** 2
        return batch.known(surprise).mean()

    def _decoded(self, batch: Batch, *, noise: float) -> tuple[Tensor, Tensor]:
        """Return mean and log standard deviation of each gene."""
        added = batch.sum_of_parts(self.net["adapt"](batch.inputs))
        code = self.net["encode"](torch.cat([batch.control_state, added.float()], dim=1))
        drawn = noise * torch.randn(len(code), self.noise, device=code.device)
        mean, log_sd = halves(self.net["decode"](torch.cat([code, added, drawn], dim=1)), least=-3)
        return self.positive(mean), log_sd
