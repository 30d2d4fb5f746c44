"""Features of perturbations, and graphs between them: make them, look at them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from wildcell.cli.feature_options import (
    ALL,
    AS_DRUGS,
    AS_GENE_SETS,
    AS_GRAPH,
    AS_REGULONS,
    DrugOptions,
    GeneSetOptions,
    GraphOptions,
    Names,
    Recipients,
    RegulonOptions,
)
from wildcell.cli.progress import say

if TYPE_CHECKING:
    import pandas as pd

    from wildcell.datasets.dataset import Dataset
    from wildcell.scenarios.gene_sets import Membership

app = App(
    name="features",
    help="Make features of perturbations, or a graph between them, from prior knowledge, or say "
    "whom a file has them for.",
)

N_NAMED = 10
"""How many of the components that lack features are named beside a file that was made."""

FAINT = 0.01
"""Below this share of a gene's memberships its features say next to nothing of it."""

Inline = Parameter(name="*")


@app.command(name="one-hot")
def one_hot(
    *, data: Annotated[list[str], Parameter(negative=())], out: Path, data_option: Names = None
) -> None:
    """Give each component of data sets a feature of its own.

    It says nothing of a component that was not trained on.

    Parameters
    ----------
    data
        A name that `wildcell datasets` lists, or a curated file; may be given several times.
    out
        The .parquet file to write.
    data_option
        A parameter of a named data set as key=value; may be given several times.
    """
    import pandas as pd

    from wildcell.scenarios.feature_arms import one_hot as one_hot_features

    screens = _load(data, data_option)
    components = pd.concat([screen.components for screen in screens])
    table = one_hot_features(components).astype("uint8")
    _write(out, table, screens, kind="one-hot")


@app.command
def drug(
    source: Path,
    /,
    *,
    out: Path,
    options: Annotated[DrugOptions, Inline] = AS_DRUGS,
    recipients: Annotated[Recipients, Inline] = ALL,
) -> None:
    """Make Morgan fingerprints of drugs from a table of SMILES; needs the extra `chem`.

    Parameters
    ----------
    source
        A csv or tsv file, gzipped or not, a row a drug.
    out
        The .parquet file to write.
    """
    from wildcell.cli.progress import working
    from wildcell.scenarios.drug_features import morgan_features, read_smiles

    smiles = read_smiles(
        source, name_column=options.name_column, smiles_column=options.smiles_column
    )
    screens = _load(recipients.data, recipients.data_option)
    names = _names(screens, smiles, ignore_case=recipients.ignore_case)
    with working("reading structures"):
        made = morgan_features(
            {component: smiles[name] for component, name in names.items()},
            radius=options.radius,
            n_bits=options.n_bits,
            is_counted=options.count,
            is_whole=options.keep_salts,
        )
    remarks = {
        f"have no features: {reason}": [
            name for name in made.lacking if made.lacking[name] == reason
        ]
        for reason in sorted(set(made.lacking.values()))
    }
    remarks["are salts or mixtures, seen by their largest part"] = made.stripped
    _write(
        out,
        made.table,
        screens,
        kind="drug",
        options=asdict(options),
        source=source,
        remarks=remarks,
    )


@app.command(name="gene-sets")
def gene_sets(
    source: Path,
    /,
    *,
    out: Path,
    options: Annotated[GeneSetOptions, Inline] = AS_GENE_SETS,
    recipients: Annotated[Recipients, Inline] = ALL,
) -> None:
    """Describe genes by the gene sets they are in, reduced to few features.

    All genes in the sets are looked at, whatever data they are for, and no expression is.

    Parameters
    ----------
    source
        A GMT file, gzipped or not.
    out
        The .parquet file to write.
    """
    from wildcell.scenarios.gene_sets import membership_of, read_gene_sets

    membership = membership_of(
        read_gene_sets(source), min_size=options.min_size, max_size=options.max_size
    )
    _write_reduced(
        out, membership, recipients, kind="gene-sets", options=asdict(options), source=source
    )


@app.command
def regulons(
    source: Path,
    /,
    *,
    out: Path,
    options: Annotated[RegulonOptions, Inline] = AS_REGULONS,
    recipients: Annotated[Recipients, Inline] = ALL,
) -> None:
    """Describe genes by what regulates them, or what they regulate, reduced to few features.

    All genes in the table are looked at, whatever data they are for, and no expression is.

    Parameters
    ----------
    source
        A csv or tsv file, gzipped or not, a row a pair of regulator and target.
    out
        The .parquet file to write.
    """
    from wildcell.scenarios.regulons import membership_in_regulons, read_regulons

    pairs = read_regulons(
        source,
        source=options.source_column,
        target=options.target_column,
        weight=options.weight_column,
    )
    membership = membership_in_regulons(
        pairs, side=options.side, min_size=options.min_size, max_size=options.max_size
    )
    _write_reduced(
        out, membership, recipients, kind="regulons", options=asdict(options), source=source
    )


@app.command
def graph(
    source: Path,
    /,
    *,
    out: Path,
    options: Annotated[GraphOptions, Inline] = AS_GRAPH,
    recipients: Annotated[Recipients, Inline] = ALL,
) -> None:
    """Join genes to those that share the largest part of their gene sets.

    Neighbours are found among the components of the data sets that are named, or else among all
    genes in the sets; no expression is looked at.

    Parameters
    ----------
    source
        A GMT file, gzipped or not.
    out
        The .parquet file to write.
    """
    from wildcell.cli.progress import working
    from wildcell.scenarios.gene_sets import membership_of, read_gene_sets, renamed_membership
    from wildcell.scenarios.graph import overlap_graph
    from wildcell.scenarios.graph_edges import edges_of

    membership = membership_of(
        read_gene_sets(source), min_size=options.min_size, max_size=options.max_size
    )
    screens = _load(recipients.data, recipients.data_option)
    names = _names(screens, membership.genes, ignore_case=recipients.ignore_case)
    with working("joining"):
        made = overlap_graph(
            renamed_membership(membership, names),
            measure=options.measure,
            n_neighbours=options.n_neighbours,
            above=options.above,
        )
    _write(
        out,
        edges_of(made),
        screens,
        kind="graph",
        options=asdict(options),
        source=source,
        remarks={"are in gene sets and have no neighbours": made.isolated},
    )


@app.command
def show(file: Path, /, *, data: Names = None, data_option: Names = None) -> None:
    """Say what a file of features, or a graph, was made of, and name all components it lacks.

    Parameters
    ----------
    file
        A .parquet, .csv, .npz or .pt file of features, or a .parquet or .csv file of a graph.
    data
        A name that `wildcell datasets` lists, or a curated file, whose components are looked for;
        may be given several times.
    data_option
        A parameter of a named data set as key=value; may be given several times.
    """
    from wildcell.scenarios.feature_file import lacking_features, read_origin
    from wildcell.scenarios.features import read_features
    from wildcell.scenarios.graph_file import is_graph_file, read_graph
    from wildcell.store.fingerprint import fingerprint

    table = read_graph(file) if is_graph_file(file) else read_features(file)
    origin = read_origin(file)
    say(f"{file}: {_size(table)}, fingerprint {fingerprint(table)}.")
    for key in ("kind", "cells", "options", "sources", "datasets", "versions"):
        if origin.get(key):
            say(f"{key}: {_words(origin[key])}")
    for remark, names in origin.get("remarks", {}).items():
        say(f"{len(names)} {remark}: {', '.join(names)}")
    for screen in _load(data, data_option):
        _report(screen, lacking_features(screen, _described(table)), table, at_most=None)


def _names(
    screens: Sequence["Dataset"], names: Collection[str], *, ignore_case: bool
) -> dict[str, str]:
    """Return the name in a source of each component of data sets, or of all where there are none.

    Says of each data set how many are found in another case alone, and are not looked for so.
    """
    from wildcell.scenarios.name_match import match_names, n_matched_but_for_case

    if not screens:
        return {name: name for name in names}
    components = {name for screen in screens for name in screen.components["component"].astype(str)}
    n = n_matched_but_for_case(components, names)
    if n and not ignore_case:
        say(f"{n} components would be found with --ignore-case.")
    return match_names(components, names, ignore_case=ignore_case)


def _write_reduced(
    out: Path,
    membership: "Membership",
    recipients: Recipients,
    *,
    kind: str,
    options: Mapping[str, Any],
    source: Path,
) -> None:
    from wildcell.cli.progress import working
    from wildcell.scenarios.gene_sets import reduce_membership

    screens = _load(recipients.data, recipients.data_option)
    with working("reducing"):
        reduced = reduce_membership(membership, n_dimensions=options["n_dimensions"], prefix=kind)
    names = _names(screens, membership.genes, ignore_case=recipients.ignore_case)
    kept = reduced.kept[list(names.values())].set_axis(list(names))
    say(
        f"{len(membership.genes)} genes in {len(membership.sets)} sets; the features keep "
        f"{reduced.kept.mean():.0%} of their memberships."
    )
    _write(
        out,
        reduced.table.loc[list(names.values())].set_axis(list(names)),
        screens,
        kind=kind,
        options=options,
        source=source,
        remarks={f"keep below {FAINT:.0%} of their memberships": list(kept.index[kept < FAINT])},
    )


def _write(
    out: Path,
    table: "pd.DataFrame",
    screens: Sequence["Dataset"],
    *,
    kind: str,
    options: Mapping[str, Any] | None = None,
    source: Path | None = None,
    remarks: Mapping[str, Sequence[str]] | None = None,
) -> None:
    """Write features or edges with their origin, and say whom they are of and who lacks them."""
    from wildcell.scenarios.feature_file import FeatureOrigin, lacking_features, write_features
    from wildcell.scenarios.graph_file import write_graph
    from wildcell.store.fingerprint import file_sha256

    lacking = {screen.name: lacking_features(screen, _described(table)) for screen in screens}
    origin = FeatureOrigin(
        kind=kind,
        options=options or {},
        sources={} if source is None else {source.name: file_sha256(source)},
        datasets={screen.name: screen.fingerprint for screen in screens},
        lacking=lacking,
        remarks={remark: names for remark, names in (remarks or {}).items() if names},
    )
    identity = (write_graph if _is_graph(table) else write_features)(out, table, origin)
    for remark, names in origin.remarks.items():
        say(f"{len(names)} {remark}: {_listing(names, N_NAMED)}.")
    for screen in screens:
        _report(screen, lacking[screen.name], table, at_most=N_NAMED)
    say(f"Wrote {out}: {_size(table)}, fingerprint {identity}.")


def _load(data: Sequence[str] | None, data_option: Sequence[str] | None) -> list["Dataset"]:
    from wildcell.cli.options import parse_options
    from wildcell.datasets.load import load_dataset
    from wildcell.errors import OptionError

    options = parse_options(data_option or [])
    screens = [load_dataset(name, **options) for name in data or []]
    names = [screen.name for screen in screens]
    if len(set(names)) < len(names):
        raise OptionError(f"Two data sets are called alike: {', '.join(names)}; rename one.")
    return screens


def _is_graph(table: "pd.DataFrame") -> bool:
    """Whether a table holds the edges of a graph, rather than features."""
    from wildcell.scenarios.graph_edges import EDGE_COLUMNS

    return list(table.columns) == EDGE_COLUMNS


def _described(table: "pd.DataFrame") -> "pd.Index[str]":
    """Return the components that have features, or neighbours."""
    import pandas as pd

    return pd.Index(table["component"].unique()) if _is_graph(table) else table.index


def _report(
    screen: "Dataset", lacking: Sequence[str], table: "pd.DataFrame", *, at_most: int | None
) -> None:
    what = "neighbours" if _is_graph(table) else "features"
    n = screen.components["component"].nunique()
    say(f"{screen.name}: {n - len(lacking)} of {n} components have {what}.")
    if lacking:
        say(f"Without: {_listing(lacking, at_most)}.")


def _listing(names: Sequence[str], at_most: int | None) -> str:
    shown = ", ".join(names[:at_most])
    n_more = len(names) - len(names[:at_most])
    return f"{shown} and {n_more} more (wildcell features show names all)" if n_more else shown


def _size(table: "pd.DataFrame") -> str:
    if _is_graph(table):
        return f"{len(_described(table))} components, {len(table)} neighbours"
    return f"{table.shape[0]} components, {table.shape[1]} features"


def _words(value: Mapping[str, object] | str) -> str:
    if isinstance(value, str):
        return value
    return ", ".join(f"{key}={value[key]}" for key in sorted(value))
