"""SAMS-VAE: a basal state, and sparse shifts of it that each perturbation makes."""

from collections.abc import Mapping
from typing import Any, ClassVar

from wildcell.models.neural.backend import Module, Tensor, torch
from wildcell.models.neural.batch import Batch
from wildcell.models.neural.layers import deep, divergence, halves, sampled
from wildcell.models.neural.material import Material
from wildcell.models.neural.neural_model import NeuralModel, Shape, neural_model

LEAST_LOG_SD = -3.0

SHARPNESS = 20.0
"""Log odds of a mask are so many times what is read off, so that they can move far enough."""

FIRST_LOG_ODDS, MOST_LOG_ODDS = 1.0, 5.0
"""The latter bounds those of mechanisms, so that a mask that went out can come on again."""

FIRST_PENALTY, FALLING, FIRST_SHIFT_SD = 10.0, 0.6, 0.5
"""How many times over masks of mechanisms count at first, over what share of steps that falls to 1,
and how wide their shifts are at first."""


@neural_model("sams-vae", cite="Bereket & Karaletsos 2023, NeurIPS, arXiv:2311.02794")
class SamsVae(NeuralModel):
    """Shifts the basal state of a cell in the few latent dimensions that a perturbation touches.

    A cell is decode(z + sum over components of m e): z is its basal state; of each component, m is
    a mask of zeros and ones and e a shift, both latent with priors Bernoulli(`mask_prior`) and
    normal. All are inferred together by raising the evidence's lower bound, masks by a relaxed
    draw that is rounded on the way forward. Asked about a perturbation, z is that of a control
    cell, and a mask is where its probability is above one half.

    Departs from the publication: log values are normal with a variance of each gene, instead of
    counts negative binomial; masks and shifts are read off the component's features by a linear
    map where it has some; answers are anchored.

    Attributes
    ----------
    width, latent, n_layers
        Hidden units, latent dimensions, and layers of encoder and decoder.
    mask_prior
        Probability that a component touches a dimension, beforehand.
    temperature
        Of the relaxed draw of a mask.
    mechanisms
        Whether masks are to be read, at some cost to the answers. A shift that is masked out then
        has its prior, components share no bias, and masks are penalised more at first, so that
        components share dimensions before each takes what it needs; the network is kept after that.
    """

    width: int = 256
    latent: int = 48
    n_layers: int = 2
    mask_prior: float = 1e-4
    temperature: float = 0.5
    mechanisms: bool = False

    paper: ClassVar[Mapping[str, Any]] = {
        "width": 400,
        "latent": 200,
        "n_layers": 3,
        "mask_prior": 0.001,
        "anchored": False,
        "batch_size": 512,
        "max_steps": 10**9,
    }

    @property
    def kept_from(self) -> float:
        """Share of the steps over which the penalty on masks still falls."""
        return FALLING if self.mechanisms else 0.0

    def start(self, material: Material) -> None:
        """Count the cells, over which the latent variables of components are shared."""
        self.n_cells = int(material.train.examples.cells.sizes.sum())

    def build(self, shape: Shape) -> Mapping[str, Module]:
        """Return encoder, decoder, what masks and shifts are read off, and the genes' spread."""
        nn = torch.nn
        shift = nn.Linear(shape.n_inputs, 2 * self.latent, bias=not self.mechanisms)
        mask = nn.Linear(shape.n_inputs, self.latent, bias=not self.mechanisms)
        nn.init.zeros_(mask.weight)
        if self.mechanisms:
            nn.init.normal_(shift.weight, std=FIRST_SHIFT_SD)
            nn.init.constant_(shift.weight[self.latent :], LEAST_LOG_SD)
        else:
            nn.init.constant_(shift.bias[self.latent :], LEAST_LOG_SD)
            nn.init.constant_(mask.bias, FIRST_LOG_ODDS / SHARPNESS)
        return {
            "encode": deep(shape.n_state, self.width, 2 * self.latent, n_layers=self.n_layers),
            "mask": mask,
            "shift": shift,
            "decode": deep(self.latent, self.width, shape.n_genes, n_layers=self.n_layers),
            "spread": nn.ParameterDict({"log_sd": nn.Parameter(torch.zeros(shape.n_genes) - 0.5)}),
        }

    def respond(self, batch: Batch) -> Tensor:
        """Return what the basal states of the control cells become once they are shifted."""
        basal, _ = halves(self.net["encode"](batch.control_state))
        mask = (self.log_odds(batch.inputs) > 0).float()
        shift, _ = halves(self.net["shift"](batch.inputs))
        return self.positive(self.net["decode"](basal + batch.sum_of_parts(mask * shift)))

    def loss(self, batch: Batch) -> Tensor:
        """Return the negative lower bound of a cell's evidence, over the number of genes."""
        mean, log_sd = halves(self.net["encode"](batch.perturbed_state))
        logits = self.log_odds(batch.inputs)
        shift, shift_log_sd = halves(self.net["shift"](batch.inputs))
        moved = batch.sum_of_parts(self._drawn_mask(logits) * sampled(shift, shift_log_sd))
        found = self.positive(self.net["decode"](sampled(mean, log_sd) + moved))
        gene_log_sd = self.net["spread"]["log_sd"].clamp(LEAST_LOG_SD, 3.0)
        surprise = gene_log_sd + 0.5 * ((batch.perturbed - found) * torch.exp(-gene_log_sd)) ** 2
        of_components = self._penalty() * self._mask_divergence(logits)
        of_components = of_components + self._shift_divergence(logits, shift, shift_log_sd)
        of_cells = batch.known(surprise).sum(dim=1) + divergence(mean, log_sd)
        n_genes = batch.perturbed.shape[1]
        return (of_cells.mean() + of_components.sum() / self.n_cells) / n_genes

    def log_odds(self, inputs: Tensor) -> Tensor:
        """Return the log odds that components touch dimensions, shape (n_inputs, n_dimensions)."""
        read = SHARPNESS * self.net["mask"](inputs).float()
        if not self.mechanisms:
            return read
        return MOST_LOG_ODDS * torch.tanh((FIRST_LOG_ODDS + read) / MOST_LOG_ODDS)

    def _penalty(self) -> float:
        """Return how many times over the divergence of masks counts at this step."""
        if not self.mechanisms:
            return 1.0
        return float(FIRST_PENALTY ** max(0.0, 1 - self.share_trained / FALLING))

    def _shift_divergence(self, logits: Tensor, shift: Tensor, log_sd: Tensor) -> Tensor:
        """Return the divergence of the shifts from their prior, shape (n_inputs,)."""
        if not self.mechanisms:
            return divergence(shift, log_sd)
        each = 0.5 * (shift**2 + torch.exp(2 * log_sd) - 1 - 2 * log_sd)
        return (torch.sigmoid(logits) * each).sum(dim=1)

    def _drawn_mask(self, logits: Tensor) -> Tensor:
        """Draw masks of zeros and ones; gradients are those of the relaxed draw."""
        uniform = torch.rand_like(logits).clamp(1e-6, 1 - 1e-6)
        noise = torch.log(uniform) - torch.log1p(-uniform)
        soft = torch.sigmoid((logits + noise) / self.temperature)
        return (soft > 0.5).float() + soft - soft.detach()

    def _mask_divergence(self, logits: Tensor) -> Tensor:
        """Return the divergence of the masks from their prior, shape (n_inputs,)."""
        bernoulli = torch.distributions.Bernoulli
        prior = bernoulli(torch.full_like(logits, self.mask_prior))
        return torch.distributions.kl_divergence(bernoulli(logits=logits), prior).sum(dim=1)
