"""CPA: an encoder that an adversary keeps free of the perturbation."""

from collections.abc import Mapping, Sequence
from math import log
from typing import Any, ClassVar

from wildcell.models.neural.backend import Module, Tensor, torch
from wildcell.models.neural.batch import Batch
from wildcell.models.neural.layers import deep, divergence, halves, sampled, squared_error
from wildcell.models.neural.material import Material
from wildcell.models.neural.neural_model import NeuralModel, Shape, neural_model
from wildcell.models.neural.trainer import Player


@neural_model("cpa", cite="Lotfollahi et al. 2023, Mol Syst Biol, doi:10.15252/msb.202211517")
class Cpa(NeuralModel):
    """Adds perturbation and context to a basal state that an adversary keeps free of both.

    A cell x is encoded as a basal state z; softplus(decode(z + e(p) + e(c))) is trained to give x
    back, while an adversary guesses perturbation and context from z, and the encoder is rewarded
    until it is at chance. Asked about a perturbation, z is that of a control cell.

    Departs from the publication: the encoder is variational; the reward ends at chance, so that
    the game is bounded; a combination is a class of its own to the adversary; errors are squared,
    without a variance; doses weigh embeddings by their logarithm; answers are anchored.

    Attributes
    ----------
    width, latent, n_layers
        Hidden units, dimensions of the basal state, and layers of encoder and decoder.
    dropout
        Share of the hidden units left out in training.
    adversary_weight
        Of the reward for leaving the adversary at chance.
    divergence_weight
        Of the basal state's divergence from a standard normal.
    covariates
        Whether the decoder sees the context.
    """

    width: int = 256
    latent: int = 64
    n_layers: int = 2
    dropout: float = 0.1
    adversary_weight: float = 0.02
    divergence_weight: float = 1e-4
    covariates: bool = True

    paper: ClassVar[Mapping[str, Any]] = {
        "width": 512,
        "latent": 128,
        "n_layers": 4,
        "adversary_weight": 0.1,
        "anchored": False,
        "batch_size": 256,
        "max_steps": 10**9,
    }

    def start(self, material: Material) -> None:
        """Number the perturbations and contexts, for the adversary to guess."""
        self.perturbation_of = torch.from_numpy(material.train.examples.perturbation + 1)
        self.n_perturbations = int(self.perturbation_of.max()) + 1

    def build(self, shape: Shape) -> Mapping[str, Module]:
        """Return encoder, decoder, the embeddings, and the two adversaries."""
        sizes: dict[str, Any] = {"n_layers": self.n_layers, "dropout": self.dropout}
        return {
            "encode": deep(shape.n_state, self.width, 2 * self.latent, **sizes),
            "embed": deep(shape.n_inputs, self.width, self.latent, n_layers=2),
            "place": torch.nn.Linear(shape.n_contexts, self.latent, bias=False),
            "decode": deep(self.latent, self.width, shape.n_genes, **sizes),
            "guess_perturbation": deep(self.latent, 128, self.n_perturbations, n_layers=3),
            "guess_context": deep(self.latent, 128, shape.n_contexts, n_layers=3),
        }

    def players(self) -> Sequence[Player]:
        """Return the autoencoder and the adversary."""
        guesses = ("guess_perturbation", "guess_context")
        own = [part for name, part in self.net.items() if name not in guesses]
        return [
            Player([p for part in own for p in part.parameters()], self.loss),
            Player([p for name in guesses for p in self.net[name].parameters()], self.guess_loss),
        ]

    def respond(self, batch: Batch) -> Tensor:
        """Return what the basal states of the control cells become."""
        return self.decoded(halves(self.net["encode"](batch.control_state))[0], batch)

    def decoded(self, basal: Tensor, batch: Batch) -> Tensor:
        """Return the log values of basal states under the perturbations of a batch."""
        seen = basal + batch.sum_of_parts(self.net["embed"](batch.inputs))
        if self.covariates:
            seen = seen + self.net["place"](batch.covariates)
        return self.positive(self.net["decode"](seen))

    def loss(self, batch: Batch) -> Tensor:
        """Return the reconstruction error, and how far the adversary is from chance."""
        mean, log_sd = halves(self.net["encode"](batch.perturbed_state))
        basal = sampled(mean, log_sd)
        known = [log(max(n, 1)) - loss for n, loss in self._guesses(basal, batch)]
        return (
            squared_error(batch.known(self.decoded(basal, batch)), batch.known(batch.perturbed))
            + self.adversary_weight * sum(torch.relu(bits) for bits in known)
            + self.divergence_weight * divergence(mean, log_sd).mean()
        )

    def guess_loss(self, batch: Batch) -> Tensor:
        """Return the cross entropy of the adversary's guesses."""
        with torch.no_grad():
            basal = sampled(*halves(self.net["encode"](batch.perturbed_state)))
        (_, perturbation), (_, context) = self._guesses(basal, batch)
        return perturbation + context

    def _guesses(self, basal: Tensor, batch: Batch) -> list[tuple[int, Tensor]]:
        """Return the number of classes and the cross entropy of either guess."""
        entropy = torch.nn.functional.cross_entropy
        perturbation = self.perturbation_of[batch.condition].to(basal.device)
        guessed = self.net["guess_perturbation"](basal).float()
        context = self.net["guess_context"](basal).float()
        return [
            (guessed.shape[1], entropy(guessed, perturbation)),
            (context.shape[1], entropy(context, batch.covariates.argmax(dim=1))),
        ]
