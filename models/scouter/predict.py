"""Scouter: a network on an embedding of the perturbed genes, from control cells to responses.

The embedding is that of the task's features; where there are none, that of the genes in the
principal components of the training cells.
"""

import argparse

import anndata as ad
import numpy as np
import pandas as pd
import torch
from scouter import Scouter, ScouterData
from wildcell_task import read_features, read_task, write_means

task = read_task()
rng = np.random.default_rng(task.seed)
torch.manual_seed(task.seed)
options = argparse.Namespace(**task.options)


def embedding():
    table = read_features(task)
    if table is None:
        X = task.train.X.toarray()
        loadings = np.linalg.svd(X - X.mean(axis=0), full_matrices=False)[2][:64].T
        table = pd.DataFrame(loadings, index=task.genes)
    table = table.astype(np.float32)
    return pd.concat([table, pd.DataFrame(0.0, index=["ctrl"], columns=table.columns)])


def spelled(perturbation):
    """Return a perturbation as Scouter spells it: ctrl, A+ctrl, A+B."""
    if perturbation == "control":
        return "ctrl"
    parts = task.parts[perturbation]
    return "+".join([*parts, "ctrl"]) if len(parts) == 1 else "+".join(parts)


known = embedding()
is_known = {
    name: len(parts) <= 2 and all(part in known.index for part in parts)
    for name, parts in task.parts.items()
}
cells = ad.concat([task.train, task.val])
cells = cells[[name == "control" or is_known[name] for name in cells.obs["perturbation"]]].copy()
cells.obs["condition"] = cells.obs["perturbation"].map(spelled)

# Scouter wants the cells of what is tested to be there: copies of controls stand for them.
asked = [name for name in task.query["perturbation"].unique() if is_known[name]]
trained = set(cells.obs["condition"])
new = [name for name in map(spelled, asked) if name not in trained]
controls = np.flatnonzero(cells.obs["condition"] == "ctrl")
standing = cells[rng.choice(controls, size=10 * max(len(new), 1))].copy()
standing.obs["condition"] = np.repeat(new, 10) if new else "ctrl"
cells = ad.concat([cells, standing]) if new else cells
cells.obs_names_make_unique()
cells.obs["condition"] = cells.obs["condition"].astype("category")
cells.var["gene_name"] = cells.var_names
cells.layers.clear()
cells.uns["log1p"] = {}

data = ScouterData(adata=cells, embd=known, key_label="condition", key_var_genename="gene_name")
data.setup_ad("embd_index")
data.gene_ranks()
data.get_dropout_non_zero_genes()
seen = sorted(trained - {"ctrl"})
set_aside = [str(name) for name in rng.choice(seen, size=max(1, len(seen) // 10), replace=False)]
data.split_Train_Val_Test(test_conds=new, val_conds=set_aside, seed=task.seed)
model = Scouter(data, device="cpu")
model.model_init()
model.train(n_epochs=options.epochs, batch_size=options.batch_size)

# Cells that the network makes are values of any sign: their means are what it can be held to.
answers = model.pred(sorted(set(map(spelled, asked))), n_pred=options.cells, seed=task.seed)
rows = [row for row, name in enumerate(task.query["perturbation"]) if is_known[name]]
names = task.query["perturbation"].iloc[rows]
write_means(task, [np.asarray(answers[spelled(name)]).mean(axis=0) for name in names], rows)
