"""What an import costs, and what it must not load."""

import subprocess
import sys

HEAVY = ["anndata", "torch", "pandas", "altair", "numpy", "scipy", "numba", "sklearn"]


def loaded_after(statement):
    code = f"import sys; {statement}; print(*[name for name in {HEAVY} if name in sys.modules])"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    return result.stdout.split()


def test_importing_the_package_loads_nothing_heavy():
    assert loaded_after("import wildcell") == []


def test_listing_the_commands_loads_nothing_heavy():
    code = (
        "import sys\nfrom wildcell.cli.main import build_app\n"
        "build_app(is_overview=True)(['--help'], exit_on_error=False)\n"
        f"assert not [name for name in {HEAVY} if name in sys.modules]"
    )
    subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)


def test_scoring_by_preset_loads_neither_models_nor_all_of_statistics():
    code = (
        "import sys, wildcell.scoring\nfrom wildcell.metrics.preset import PRESETS\n"
        "assert PRESETS.names()\n"
        "assert not {'scipy.stats', 'wildcell.models', 'wildcell.outside'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)


def test_public_names_resolve():
    import wildcell

    for name in wildcell.__all__:
        assert callable(getattr(wildcell, name))
