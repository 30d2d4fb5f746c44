"""GEARS: a graph network on genes and perturbed genes.

The graph of perturbed genes, which GEARS draws from Gene Ontology, is drawn from the task's
features: the terms of a gene are the features that it has.
"""

import argparse
import pickle
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import torch
from wildcell_task import control_means, read_features, read_task, write_means

pd.Series.nonzero = lambda series: series.to_numpy().nonzero()  # scipy's indexing asks for it

from gears import GEARS, PertData  # noqa: E402

task = read_task()
rng = np.random.default_rng(task.seed)
torch.manual_seed(task.seed)
options = argparse.Namespace(**task.options)


def terms():
    """Return the features that each component has: above 0, or of the highest tenth."""
    table = read_features(task)
    table = table[table.index.isin({part for parts in task.parts.values() for part in parts})]
    has = table > 0 if (table >= 0).all(axis=None) else table >= table.quantile(0.9)
    names = table.columns.astype(str)
    return {str(gene): set(names[row.to_numpy()]) for gene, row in has.T.items()}


def spelled(perturbation):
    """Return a perturbation as GEARS spells it: ctrl, A+ctrl, A+B."""
    if perturbation == "control":
        return "ctrl"
    parts = task.parts[perturbation]
    return "+".join([*parts, "ctrl"]) if len(parts) == 1 else "+".join(parts)


gene_terms = {gene: found for gene, found in terms().items() if found}
is_known = {
    name: len(parts) <= 2 and all(part in gene_terms for part in parts)
    for name, parts in task.parts.items()
}
cells = ad.concat([task.train, task.val])
cells = cells[[name == "control" or is_known[name] for name in cells.obs["perturbation"]]].copy()
cells.obs["condition"] = cells.obs["perturbation"].map(spelled)
trained = sorted(set(cells.obs["condition"]) - {"ctrl"})

# GEARS draws its graph of what has cells: copies of controls stand for what is asked.
asked = {name: spelled(name) for name in task.query["perturbation"].unique() if is_known[name]}
new = sorted(set(asked.values()) - set(trained))
if new:
    controls = np.flatnonzero(cells.obs["condition"] == "ctrl")
    standing = cells[rng.choice(controls, size=5 * len(new))].copy()
    standing.obs["condition"] = np.repeat(new, 5)
    cells = ad.concat([cells, standing])
cells.obs_names_make_unique()
cells.obs["condition"] = cells.obs["condition"].astype("category")
cells.obs["cell_type"] = "one"
cells.var["gene_name"] = cells.var_names
cells.layers.clear()

Path("data").mkdir()
Path("data/gene2go_all.pkl").write_bytes(pickle.dumps(gene_terms))
set_aside = [
    str(name) for name in rng.choice(trained, size=max(1, len(trained) // 10), replace=False)
]
split = {
    "train": ["ctrl", *(n for n in trained if n not in set_aside)],
    "val": set_aside,
    "test": new or set_aside,
}
Path("split.pkl").write_bytes(pickle.dumps(split))

data = PertData("./data", default_pert_graph=False)
data.new_data_process(dataset_name="task", adata=cells)
data.prepare_split(split="custom", seed=task.seed, split_dict_path="split.pkl")
data.get_dataloader(batch_size=options.batch_size, test_batch_size=128)
model = GEARS(data, device="cpu")
model.model_initialize(hidden_size=options.hidden_size)
model.train(epochs=options.epochs, lr=options.lr)

# What GEARS says of a perturbation is said of its mean control; the change is carried over.
known = set(model.pert_list)
asked = {name: text for name, text in asked.items() if set(task.parts[name]) <= known}
answers = model.predict([task.parts[name] for name in asked])
before = np.asarray(cells[cells.obs["condition"] == "ctrl"].X.mean(axis=0)).ravel()
start, rows, means = control_means(task), [], []
for row, perturbation in enumerate(task.query["perturbation"]):
    if perturbation in asked:
        rows.append(row)
        means.append(start[row] + answers["_".join(task.parts[perturbation])] - before)
write_means(task, np.array(means).reshape(-1, len(task.genes)), rows)
