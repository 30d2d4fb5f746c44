"""Ensembl IDs as other names of genes."""

import pandas as pd


def ensembl_names(var: pd.DataFrame) -> dict[str, str]:
    """Return the gene that each Ensembl ID of a screen stands for, nothing where it has none.

    Parameters
    ----------
    var
        Genes of a screen by name, with the column ensembl_id where IDs are known.

    Examples
    --------
    >>> ensembl_names(pd.DataFrame({"ensembl_id": ["ENSG00000105610", ""]}, index=["KLF1", "X"]))
    {'ENSG00000105610': 'KLF1'}
    """
    if "ensembl_id" not in var:
        return {}
    pairs = zip(var["ensembl_id"].astype(str), var.index.astype(str), strict=True)
    return {identity: symbol for identity, symbol in pairs if identity}
