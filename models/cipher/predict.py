"""CIPHER: the response is linear in the covariance of unperturbed cells.

The change of all genes is a column of the covariance, that of the target, times a number. The
package fits that number to the response itself; of a perturbation that was never seen it is taken
to be the one that moves the target as far as training perturbations moved theirs.
"""

import cipher
import numpy as np
from wildcell_task import control_means, effects, read_task, write_means

task = read_task()
column_of = {gene: column for column, gene in enumerate(task.genes)}
covariance = {
    group: cipher.compute_covariance(
        task.controls.X[(task.controls.obs["control_group"] == group).to_numpy()]
    )
    for group in set(task.query["control_group"])
}
of_training = cipher.compute_covariance(
    task.train.X[(task.train.obs["perturbation"] == "control").to_numpy()]
)

pushes, strengths = {}, []
for (_, perturbation), delta in effects(task).items():
    (*others, target) = task.parts[perturbation]
    if not others and target in column_of:
        column = column_of[target]
        strength, _ = cipher.core.forward_fit(of_training[:, column], delta)
        if np.isfinite(strength):
            pushes.setdefault(target, []).append(strength)
            strengths.append(strength * of_training[column, column])
usual = float(np.median(strengths)) if strengths else 0.0
print(f"{len(strengths)} responses fitted; a target moves by {usual:.3f}")

start, means, rows = control_means(task), [], []
for row, (perturbation, group) in enumerate(
    task.query[["perturbation", "control_group"]].to_numpy()
):
    targets = [target for target in task.parts[perturbation] if target in column_of]
    if len(targets) < len(task.parts[perturbation]):
        continue  # of a gene that was not measured nothing can be said
    sigma, delta = covariance[group], 0.0
    for target in targets:
        column = column_of[target]
        variance = max(sigma[column, column], 1e-6)
        strength = np.mean(pushes[target]) if target in pushes else usual / variance
        delta = delta + strength * sigma[:, column]
    means.append(start[row] + delta)
    rows.append(row)
print(f"{len(rows)} of {len(task.query)} conditions answered")
write_means(task, np.array(means).reshape(-1, len(task.genes)), rows)
