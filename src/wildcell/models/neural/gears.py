"""GEARS: messages along a graph of genes, and along a graph of perturbations."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from scipy import sparse

from wildcell.arrays import Matrix
from wildcell.errors import DataError
from wildcell.models.model import Ability
from wildcell.models.neural.backend import Module, Tensor, torch
from wildcell.models.neural.batch import Batch, to_device
from wildcell.models.neural.layers import deep, mlp
from wildcell.models.neural.material import Material
from wildcell.models.neural.neural_model import NeuralModel, Shape, neural_model
from wildcell.models.search import Searched
from wildcell.names import Expression
from wildcell.scenarios.graph import coexpression_graph
from wildcell.scenarios.graph_edges import neighbour_weights
from wildcell.scenarios.task import Cells


@neural_model(
    "gears",
    answers=(Ability.UNSEEN_CONTEXT, Ability.UNSEEN_PERTURBATION, Ability.UNSEEN_COMBINATION),
    cite="Roohani et al. 2024, Nat Biotechnol, doi:10.1038/s41587-023-01905-6",
)
class Gears(NeuralModel):
    """Passes messages between co-expressed genes and between near perturbations.

    Each gene has an embedding, smoothed over its neighbours in co-expression; each component of a
    perturbation has one, smoothed over its neighbours in the given graph or, where there is none,
    over the components whose features are most similar. The sum over components is added to every
    gene; what each gene then shows, and a summary of what all do, gives its change, which is added
    to the control cell. Errors count more where the sign of the change is wrong.

    Departs from the publication, which joins components by shared gene ontology terms: give a graph
    made of those (`wildcell features graph`) for its own. Of the given graph all neighbours count
    that are trained on or have features; a component without any is not smoothed. By features,
    components without features have no neighbours. Errors are squared, where it takes their fourth
    power: that of single cells pulls means to the middle of the cells' range. Genes have fewer
    dimensions. It was made for perturbations of genes, and its graph has no notion of a dose: it
    declares that it cannot answer unseen ones. Drugs are components like any other here, joined by
    a graph or whatever features they have, of which the publication says nothing; nor does it of
    contexts.

    Attributes
    ----------
    width
        Dimensions of an embedding.
    n_neighbours
        Neighbours of a gene; those of a component, where no graph is given.
    autofocus
        What is added to the power of 2 of the errors: 2 in the publication.
    direction_weight
        Of errors in the sign of a change.
    """

    width: int = 24
    n_neighbours: int = 20
    autofocus: float = 0.0
    direction_weight: float = 5e-3
    batch_size: int = 32
    max_steps: int = 900
    n_controls: int = 64
    control_share: float = 0.0
    lr: float = 1e-3

    searched = (
        Searched(name="lr", low=1e-4, high=3e-3, log=True),
        Searched(name="direction_weight", low=1e-4, high=1e-1, log=True),
        Searched(name="n_neighbours", low=5, high=50, log=True),
        Searched(name="width", choices=(16, 24, 32, 64)),
    )

    paper: ClassVar[Mapping[str, Any]] = {
        "width": 64,
        "autofocus": 2.0,
        "direction_weight": 1e-1,
        "lr": 1e-3,
        "anchored": False,
        "max_epochs": 20,
        "max_steps": 10**9,
    }

    def start(self, material: Material) -> None:
        """Make the graph of genes, and list the components that may be neighbours."""
        examples = material.train.examples
        genes = _genes_joined(examples.fullest, self.n_neighbours)
        self.genes_joined = _as_tensor(genes).to(self.place)
        known = material.encoding
        n_own = len(known.own)
        nodes = np.zeros((len(known.features) + n_own, known.n_columns), dtype=np.float32)
        n_features = known.features.shape[1]
        nodes[: len(known.features), :n_features] = known.features.to_numpy(np.float32)
        nodes[len(known.features) :, n_features : n_features + n_own] = np.eye(n_own)
        self.nodes = torch.from_numpy(nodes).to(self.place)
        self.n_compared = n_features
        self.names = pd.Index([*known.features.index, *known.own], dtype=object)
        self.parts_joined = _parts_joined(material.graph, list(self.names))
        self.control_mean = torch.from_numpy(material.train.control_mean.astype(np.float32)).to(
            self.place
        )
        self.group_of = examples.control_group

    def build(self, shape: Shape) -> Mapping[str, Module]:
        """Return embeddings of genes and components, and the two stages of decoding."""
        nn, width = torch.nn, self.width
        return {
            "genes": nn.Embedding(shape.n_genes, width),
            "mix_genes": nn.Linear(width, width),
            "embed": nn.Linear(shape.n_inputs, width),
            "mix_parts": nn.Linear(width, width),
            "spread_out": deep(width, 2 * width, width, n_layers=2),
            "show": mlp(width, 2 * width, width),
            "own": nn.ParameterDict(
                {
                    "first": nn.Parameter(torch.randn(shape.n_genes, width) / width**0.5),
                    "first_bias": nn.Parameter(torch.zeros(shape.n_genes)),
                    "second": nn.Parameter(
                        torch.randn(shape.n_genes, width + 1) / (width + 1) ** 0.5
                    ),
                    "second_bias": nn.Parameter(torch.zeros(shape.n_genes)),
                }
            ),
            "summarise": deep(shape.n_genes, width, width, n_layers=2),
        }

    def respond(self, batch: Batch) -> Tensor:
        """Return the control cells plus the changes of their perturbations."""
        return batch.control + self._change(batch)[batch.treatment]

    def loss(self, batch: Batch) -> Tensor:
        """Return the autofocus loss and the error in direction."""
        group = torch.from_numpy(self.group_of[batch.condition]).to(batch.control.device)
        usual = self.control_mean[group]
        change = self._change(batch)[batch.treatment].float()
        error = batch.known(torch.abs(usual + change - batch.perturbed))
        direction = batch.known(torch.sign(batch.perturbed - usual) - torch.tanh(change * 10))
        focused = (error ** (2 + self.autofocus)).mean()
        return focused + self.direction_weight * (direction**2).mean()

    def _change(self, batch: Batch) -> Tensor:
        """Return the change of each gene, shape (n_perturbations, n_genes)."""
        genes = self.net["genes"].weight
        genes = genes + torch.relu(self.net["mix_genes"](_sums(self.genes_joined, genes)))
        parts = self._smoothed(batch)
        done = self.net["spread_out"](batch.weights @ parts)
        shown = self.net["show"](genes[None] + done[:, None])
        own = self.net["own"]
        first = (shown * own["first"]).sum(dim=2) + own["first_bias"]
        summary = self.net["summarise"](first)[:, None].expand(-1, first.shape[1], -1)
        both = torch.cat([first[:, :, None], summary], dim=2)
        change = (both * own["second"]).sum(dim=2) + own["second_bias"]
        return change * (batch.weights.sum(dim=1) > 0)[:, None]

    def _smoothed(self, batch: Batch) -> Tensor:
        """Return the embeddings of components, each mixed with those of its neighbours."""
        embed = self.net["embed"]
        messages = self._joined(batch) @ embed(self.nodes)
        return embed(batch.inputs) + torch.relu(self.net["mix_parts"](messages))

    def _joined(self, batch: Batch) -> Tensor:
        """Return the weights of the neighbours of components, shape (n_inputs, n_nodes)."""
        if self.parts_joined is not None:
            rows = self.parts_joined[self.names.get_indexer(batch.components)]
            return to_device(rows.toarray().astype(np.float32), batch.inputs.device)
        n = self.n_compared
        return _nearest(batch.inputs[:, :n], self.nodes[:, :n], self.n_neighbours)


def _parts_joined(graph: pd.DataFrame | None, names: list[str]) -> Matrix | None:
    """Return the weights of the neighbours of components in the given graph, where there is one."""
    if graph is None:
        return None
    weights = neighbour_weights(graph, names)
    if not weights.nnz:
        raise DataError(
            f"The graph joins none of the {len(names)} components that are trained on or have "
            "features; give one of these, or none."
        )
    return weights


def _genes_joined(values: Matrix, n_neighbours: int) -> Matrix:
    """Return the graph of co-expression, each row summing to 1 or, for a lone gene, to 0."""
    names = np.arange(values.shape[1]).astype(str).astype(object)
    cells = Cells(values, names, pd.DataFrame(index=range(values.shape[0])), Expression.LOGNORM)
    graph = coexpression_graph(cells, n_neighbours=n_neighbours, above=0.1).adjacency
    total = np.asarray(graph.sum(axis=1)).ravel()
    scale = np.divide(1.0, total, out=np.zeros_like(total), where=total > 0)
    return sparse.csr_matrix(sparse.diags_array(scale) @ graph)


def _as_tensor(graph: Matrix) -> Tensor:
    rows = sparse.coo_matrix(graph)
    places = np.vstack([rows.row, rows.col]).astype(np.int64)
    values = rows.data.astype(np.float32)
    return torch.sparse_coo_tensor(
        torch.from_numpy(places), torch.from_numpy(values), graph.shape, check_invariants=True
    ).coalesce()


def _sums(graph: Tensor, values: Tensor) -> Tensor:
    """Return the sum over the neighbours of each gene, in float32: CUDA has no other."""
    with torch.autocast(values.device.type, enabled=False):
        return graph @ values.float()


def _nearest(inputs: Tensor, nodes: Tensor, n_neighbours: int) -> Tensor:
    """Return weights, shape (n_inputs, n_nodes), of the nodes whose features are most alike."""
    normal = torch.nn.functional.normalize
    similar = normal(inputs, dim=1) @ normal(nodes, dim=1).T
    similar = similar.masked_fill(similar > 1 - 1e-6, 0.0)
    kept, places = similar.topk(min(n_neighbours, similar.shape[1]), dim=1)
    weights = torch.zeros_like(similar).scatter(1, places, kept.clamp_min(0.0))
    return weights / weights.sum(dim=1, keepdim=True).clamp_min(1e-6)
