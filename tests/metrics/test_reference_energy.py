"""Energy distances of many clouds to one, against the distance of two at a time."""

import numpy as np
import pytest
from scipy import sparse

from wildcell.metrics import reference_energy
from wildcell.metrics.pairwise import energy_distance
from wildcell.metrics.reference_energy import energies_to_reference


@pytest.mark.parametrize("as_given", [np.asarray, sparse.csr_matrix])
@pytest.mark.parametrize("block_bytes", [2**26, 200])
def test_energies_are_those_of_two_clouds_at_a_time(as_given, block_bytes, monkeypatch):
    monkeypatch.setattr(reference_energy, "BLOCK_BYTES", block_bytes)
    rng = np.random.default_rng(1)
    cells, reference = rng.normal(5, 1, (30, 7)), rng.normal(5, 2, (25, 7))
    codes = rng.integers(-1, 3, 30)
    found = energies_to_reference(as_given(cells), codes, 4, as_given(reference))
    for group in range(3):
        expected = energy_distance(cells[codes == group], reference, unbiased=False)
        assert found[group] == pytest.approx(expected, rel=1e-4)
    assert np.isnan(found[3])


@pytest.mark.parametrize("block_bytes", [2**26, 2000])
@pytest.mark.parametrize("density", [0.0, 0.05, 0.5])
def test_genes_that_few_cells_have_count_as_others_do(density, block_bytes, monkeypatch):
    monkeypatch.setattr(reference_energy, "BLOCK_BYTES", block_bytes)
    rng = np.random.default_rng(2)
    everyone = rng.normal(1, 1, (90, 40)) * (rng.random((90, 40)) < density)
    everyone[:, :5] += rng.normal(3, 1, (90, 5)) * (density != 0.05)
    cells, reference, codes = everyone[:50], everyone[50:], np.repeat([0, 1], 25)
    found = energies_to_reference(cells, codes, 2, sparse.csr_matrix(reference))
    for group in range(2):
        expected = energy_distance(cells[codes == group], reference, unbiased=False)
        assert found[group] == pytest.approx(expected, rel=1e-4, abs=1e-5)
