"""scLAMBDA: a salient code of the perturbation, and a basal one that shares nothing with it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import log
from typing import Any, ClassVar

from wildcell.models.neural.backend import Module, Tensor, torch
from wildcell.models.neural.batch import Batch
from wildcell.models.neural.layers import deep, divergence, halves, sampled, squared_error
from wildcell.models.neural.neural_model import NeuralModel, Shape, neural_model
from wildcell.models.neural.trainer import Player


@neural_model("sclambda", cite="Wang et al. 2024, bioRxiv, doi:10.1101/2024.12.04.626878")
class Sclambda(NeuralModel):
    """Decodes a salient code of the perturbation plus a basal one that shares nothing with it.

    A cell x is decode(z + s): z is encoded from the cell, s from the features of the perturbation,
    which can be read off s again. A critic estimates the information that z and s share, which is
    lowered. Features are moved a little, in the direction that raises the loss most, so that
    similar perturbations are answered alike. Asked about a perturbation, z is that of a control.

    Departs from the publication: the information term weighs less, since errors are means over
    genes here; answers are anchored.

    Attributes
    ----------
    width, latent, n_layers
        Hidden units, dimensions of either code, and layers of encoder and decoder.
    information_weight
        Of the information that both codes share, in nats.
    divergence_weight
        Of the codes' divergence from a standard normal.
    step
        How far each feature is moved against the network, in standard deviations.
    """

    width: int = 256
    latent: int = 32
    n_layers: int = 2
    information_weight: float = 0.02
    divergence_weight: float = 1e-4
    step: float = 0.05

    paper: ClassVar[Mapping[str, Any]] = {
        "width": 512,
        "latent": 30,
        "information_weight": 0.1,
        "step": 0.001,
        "anchored": False,
        "batch_size": 500,
        "max_steps": 10**9,
    }

    def build(self, shape: Shape) -> Mapping[str, Module]:
        """Return the encoders of cell and perturbation, both decoders, and the critic."""
        return {
            "encode": deep(shape.n_state, self.width, 2 * self.latent, n_layers=self.n_layers),
            "embed": deep(shape.n_inputs, self.width, 2 * self.latent, n_layers=2),
            "decode": deep(self.latent, self.width, shape.n_genes, n_layers=self.n_layers),
            "read": deep(self.latent, self.width, shape.n_inputs, n_layers=2),
            "critic": deep(2 * self.latent, 128, 1, n_layers=2),
        }

    def players(self) -> Sequence[Player]:
        """Return the autoencoder and the critic."""
        own = [part for name, part in self.net.items() if name != "critic"]
        return [
            Player([p for part in own for p in part.parameters()], self.loss),
            Player(list(self.net["critic"].parameters()), self.critic_loss),
        ]

    def respond(self, batch: Batch) -> Tensor:
        """Return what the basal codes of the control cells become with the salient codes."""
        basal, _ = halves(self.net["encode"](batch.control_state))
        salient, _ = halves(self.net["embed"](batch.inputs))
        return self.positive(self.net["decode"](basal + batch.sum_of_parts(salient)))

    def loss(self, batch: Batch) -> Tensor:
        """Return the loss once the features were moved against the network."""
        inputs = batch.inputs.clone().requires_grad_()
        loss = self._loss(replace(batch, inputs=inputs))
        (slope,) = torch.autograd.grad(loss, inputs, retain_graph=True)
        moved = batch.inputs + self.step * torch.sign(slope) * (batch.inputs != 0)
        return 0.5 * (loss + self._loss(replace(batch, inputs=moved.detach())))

    def critic_loss(self, batch: Batch) -> Tensor:
        """Return the negative estimate of the information that both codes share."""
        with torch.no_grad():
            basal, salient = (sampled(*code) for code in self._codes(batch))
        return -self._information(basal, batch.sum_of_parts(salient))

    def _codes(self, batch: Batch) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
        """Return means and log standard deviations of the basal and the salient codes."""
        return (
            halves(self.net["encode"](batch.perturbed_state)),
            halves(self.net["embed"](batch.inputs)),
        )

    def _loss(self, batch: Batch) -> Tensor:
        basal, salient = self._codes(batch)
        drawn, parts = sampled(*basal), sampled(*salient)
        added = batch.sum_of_parts(parts)
        found = self.positive(self.net["decode"](drawn + added))
        return (
            squared_error(batch.known(found), batch.known(batch.perturbed))
            + 0.1 * squared_error(self.net["read"](parts), batch.inputs)
            + self.information_weight * torch.relu(self._information(drawn, added))
            + self.divergence_weight * (divergence(*basal).mean() + divergence(*salient).mean())
        )

    def _information(self, basal: Tensor, salient: Tensor) -> Tensor:
        """Return the lower bound of Donsker and Varadhan on the information two codes share."""
        critic = self.net["critic"]
        together = critic(torch.cat([basal, salient], dim=1)).float()
        apart = critic(torch.cat([basal, salient.roll(1, dims=0)], dim=1)).float()
        return together.mean() - (torch.logsumexp(apart, dim=0).squeeze() - log(len(apart)))
