"""STATE: a set of control cells becomes a set of perturbed cells, compared as distributions."""

from collections.abc import Mapping
from typing import Any, ClassVar

from wildcell.errors import OptionError
from wildcell.models.neural.backend import Module, Tensor, torch
from wildcell.models.neural.batch import Batch
from wildcell.models.neural.layers import mlp, squared_error
from wildcell.models.neural.neural_model import NeuralModel, Shape, neural_model

LOSSES = ("energy", "squared")


@neural_model("state", cite="Adduri et al. 2025, bioRxiv, doi:10.1101/2025.06.26.661135")
class State(NeuralModel):
    """Turns a set of control cells into a set of perturbed cells with a transformer.

    Each cell of the set is a token, to which the perturbation is added; tokens attend to each
    other, and what comes out is added to the cells. The set is compared with a set of perturbed
    cells by the energy distance between them, so that spread and shape count, and not means alone.
    It answers with cells.

    Departs from the publication: log values of genes are predicted from log values or the given
    embedding, without a cell embedding trained on other data; answers are anchored.

    Attributes
    ----------
    width, n_layers, n_heads
        Dimensions of a token, and layers and heads of the transformer.
    dropout
        Share of the hidden units left out in training.
    set_size
        Cells in a set; a batch holds `batch_size` cells.
    distance
        `energy`, or `squared` for squared errors of cells paired at random.
    """

    width: int = 160
    n_layers: int = 2
    n_heads: int = 4
    dropout: float = 0.1
    set_size: int = 32
    distance: str = "energy"
    batch_size: int = 192
    answers_cells: bool = True

    paper: ClassVar[Mapping[str, Any]] = {
        "width": 696,
        "n_layers": 4,
        "n_heads": 12,
        "set_size": 128,
        "batch_size": 2048,
        "anchored": False,
        "control_share": 0.0,
        "max_steps": 40_000,
        "max_epochs": 10**6,
    }

    def __post_init__(self) -> None:
        """Check the options."""
        super().__post_init__()
        if self.distance not in LOSSES:
            raise OptionError(f"distance is one of {', '.join(LOSSES)}; got {self.distance!r}.")

    @property
    def cells_at_once(self) -> int:
        """How many cells of a condition the network reads together."""
        return self.set_size

    def build(self, shape: Shape) -> Mapping[str, Module]:
        """Return what makes tokens of cells, the embedding, the transformer, and its reader."""
        nn = torch.nn
        layer = nn.TransformerEncoderLayer(
            self.width,
            self.n_heads,
            dim_feedforward=2 * self.width,
            dropout=self.dropout,
            activation="gelu",
            batch_first=True,
            norm_first=True,
        )
        read = nn.Linear(self.width, shape.n_genes)
        nn.init.zeros_(read.weight)
        nn.init.zeros_(read.bias)
        return {
            "encode": mlp(shape.n_state, self.width, self.width),
            "embed": mlp(shape.n_inputs, self.width, self.width),
            "attend": nn.TransformerEncoder(layer, self.n_layers, enable_nested_tensor=False),
            "read": read,
        }

    def respond(self, batch: Batch) -> Tensor:
        """Return what each cell of the sets becomes."""
        cells = self.net["encode"](batch.control_state)
        tokens = cells + batch.sum_of_parts(self.net["embed"](batch.inputs))
        sets = tokens.view(-1, batch.set_size, self.width)
        change = self.net["read"](self.net["attend"](sets)).flatten(0, 1)
        moved = batch.control + change
        return torch.relu(moved) if self.is_positive and not self.net.training else moved

    def loss(self, batch: Batch) -> Tensor:
        """Return the distance between the predicted and the measured sets."""
        found, wanted = batch.known(self.respond(batch).float()), batch.known(batch.perturbed)
        if self.distance == "squared":
            return squared_error(found, wanted)
        shape = (-1, batch.set_size, found.shape[1])
        return energy_distance(found.view(shape), wanted.view(shape)).mean()


def energy_distance(found: Tensor, wanted: Tensor) -> Tensor:
    """Return the energy distance between sets of cells, over the root of the number of genes.

    Parameters
    ----------
    found, wanted
        Shape (n_sets, n_cells, n_genes) each.

    Returns
    -------
    Shape (n_sets,); pairs of a cell with itself are counted, so it is 0 for equal sets.
    """
    between = _distances(found, wanted)
    within = _distances(found, found) + _distances(wanted, wanted)
    return (2 * between - within) / found.shape[-1] ** 0.5


def _distances(first: Tensor, second: Tensor) -> Tensor:
    """Return the mean distance between the cells of either set, shape (n_sets,)."""
    products = first @ second.transpose(1, 2)
    squares = (first**2).sum(-1)[:, :, None] + (second**2).sum(-1)[:, None, :] - 2 * products
    return torch.sqrt(squares.clamp_min(0) + 1e-8).mean(dim=(1, 2))
