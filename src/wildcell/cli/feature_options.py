"""Options of making features, and what they mean."""

from dataclasses import dataclass
from typing import Annotated, Literal

from cyclopts import Parameter

Flag = Annotated[bool, Parameter(negative=())]
Names = Annotated[list[str] | None, Parameter(negative=())]


@dataclass(frozen=True)
class Recipients:
    """Whom features are made for.

    Attributes
    ----------
    data
        A name that `wildcell datasets` lists, or a curated file: what is made is then of its
        components alone, and it is said which it lacks. May be given several times.
    data_option
        A parameter of a named data set as key=value; may be given several times.
    ignore_case
        Find components under their names in other case, too. Genes of mouse and human may
        differ in nothing else.
    """

    data: Names = None
    data_option: Names = None
    ignore_case: Flag = False


@dataclass(frozen=True)
class DrugOptions:
    """How drugs are described.

    Attributes
    ----------
    name_column
        Column of the names of drugs.
    smiles_column
        Column of their SMILES.
    radius
        Bonds from the middle of a neighbourhood of atoms to its rim; 2 is known as ECFP4.
    n_bits
        Number of features.
    count
        Count neighbourhoods, rather than say which there are.
    keep_salts
        Take salts and mixtures with all parts, rather than the largest that has carbon.
    """

    name_column: str = "name"
    smiles_column: str = "smiles"
    radius: int = 2
    n_bits: int = 2048
    count: Flag = False
    keep_salts: Flag = False


@dataclass(frozen=True)
class GeneSetOptions:
    """How gene sets are brought to few features.

    Attributes
    ----------
    n_dimensions
        Number of features at most.
    min_size
        Genes of a set at least.
    max_size
        Genes of a set at most.
    """

    n_dimensions: int = 50
    min_size: int = 5
    max_size: int = 500


@dataclass(frozen=True)
class RegulonOptions:
    """How regulons are read and brought to few features.

    Attributes
    ----------
    source_column
        Column of the regulators: genes or pathways.
    target_column
        Column of the genes they regulate.
    weight_column
        Column of how they act: numbers, or words such as Activation and Repression, each of which
        makes a regulon of its own. All count 1 if none is named.
    side
        Describe a gene by what regulates it (target), what it regulates (source), or both.
    n_dimensions
        Number of features at most.
    min_size
        Genes listed with a regulator, or with a target, at least.
    max_size
        The same at most.
    """

    source_column: str = "source"
    target_column: str = "target"
    weight_column: str | None = None
    side: Literal["target", "source", "both"] = "target"
    n_dimensions: int = 50
    min_size: int = 2
    max_size: int = 10_000


@dataclass(frozen=True)
class GraphOptions:
    """How genes are joined by the sets that they share.

    Attributes
    ----------
    min_size
        Genes of a set at least.
    max_size
        Genes of a set at most.
    measure
        Sets shared over sets of either (jaccard), or over the root of the product of both numbers
        (cosine).
    n_neighbours
        Neighbours of a gene at most; of equals, those whose names come first.
    above
        The measure must lie above this.
    """

    min_size: int = 5
    max_size: int = 500
    measure: Literal["jaccard", "cosine"] = "jaccard"
    n_neighbours: int = 20
    above: float = 0.0


ALL = Recipients()
AS_DRUGS, AS_GENE_SETS, AS_REGULONS = DrugOptions(), GeneSetOptions(), RegulonOptions()
AS_GRAPH = GraphOptions()
