"""biolord: what is known of a cell, perturbation and context, is disentangled from what is not.

Controls of the contexts that are asked are learnt from, too; then their cells are given the
perturbations that are asked.
"""

import argparse

import anndata as ad
import biolord
import numpy as np
import pandas as pd
import torch
from wildcell_task import read_task, write_cells

task = read_task()
rng = np.random.default_rng(task.seed)
options = argparse.Namespace(**task.options)
torch.set_num_threads(options.threads)

cells = ad.concat([task.train, task.val, task.controls], index_unique="-", keys=["a", "b", "c"])
cells.layers.clear()
cells.obs = cells.obs[["perturbation", "context", "control_group"]].astype("category")
cells.obs["split"] = np.where(rng.random(cells.n_obs) < 0.1, "valid", "train")

biolord.Biolord.setup_anndata(
    cells,
    ordered_attributes_keys=None,
    categorical_attributes_keys=["perturbation", "context"],
)
model = biolord.Biolord(
    cells,
    n_latent=32,
    model_name="task",
    split_key="split",
    train_split="train",
    valid_split="valid",
    test_split="test",
    module_params={
        "decoder_width": options.width,
        "decoder_depth": 2,
        "attribute_nn_width": options.width,
        "attribute_nn_depth": 2,
        "n_latent_attribute_categorical": 4,
        "gene_likelihood": "normal",
        "reconstruction_penalty": 1e2,
        "unknown_attribute_penalty": 1e1,
        "unknown_attribute_noise_param": 1e-1,
        "attribute_dropout_rate": 0.1,
        "use_batch_norm": False,
        "use_layer_norm": False,
        "seed": task.seed,
    },
)
model.train(
    max_epochs=options.epochs,
    batch_size=options.batch_size,
    plan_kwargs={
        "n_epochs_warmup": 0,
        "latent_lr": 1e-3,
        "latent_wd": 1e-4,
        "decoder_lr": 1e-3,
        "decoder_wd": 1e-4,
        "attribute_nn_lr": 1e-3,
        "attribute_nn_wd": 1e-4,
        "step_size_lr": 45,
        "cosine_scheduler": True,
        "scheduler_final_lr": 1e-5,
    },
    early_stopping=False,
    enable_checkpointing=False,
)

X, obs = [], []
for context, asked in task.query.groupby("context"):
    groups = set(asked["control_group"])
    is_source = (cells.obs["perturbation"] == "control") & cells.obs["control_group"].isin(groups)
    rows = np.flatnonzero(is_source)
    source = cells[rng.permutation(rows)[: options.cells]].copy()
    answer = model.compute_prediction_adata(
        cells, source, target_attributes=["perturbation"], add_attributes=["context"]
    )
    is_asked = (answer.obs["context"] == context) & answer.obs["perturbation"].isin(
        asked["perturbation"]
    )
    X.append(np.asarray(answer[is_asked].X))
    obs.append(answer.obs.loc[is_asked, ["context", "perturbation"]].astype(str))
write_cells(task, np.vstack(X), pd.concat(obs))
