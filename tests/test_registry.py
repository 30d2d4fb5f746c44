"""Registries: filled at the definition, read at the first look-up, helpful with typos."""

import sys
import textwrap
from importlib.metadata import EntryPoint

import pytest

from wildcell import registry
from wildcell.errors import BenchmarkError, UnknownNameError
from wildcell.registry import Registry, did_you_mean


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package of two modules that register a thing each, and of a sub-package."""
    folder = tmp_path / "plants"
    (folder / "deep").mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    (folder / "deep" / "__init__.py").write_text("raise AssertionError('not a leaf')")
    for name in ("rose", "tulip"):
        (folder / f"{name}.py").write_text(
            textwrap.dedent(f"""
            import sys
            sys.modules["registered_here"].PLANTS.add("{name}", "{name} of this package")
            """)
        )
    plants = Registry("plant", "plants")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setitem(sys.modules, "registered_here", type(sys)("registered_here"))
    sys.modules["registered_here"].PLANTS = plants
    yield plants
    for name in [name for name in sys.modules if name.split(".")[0] == "plants"]:
        del sys.modules[name]


def plug_in(monkeypatch, load):
    class Loaded(EntryPoint):
        def load(self):
            return load()

    found = [Loaded("garden", "garden.plants", "wildcell")]
    monkeypatch.setattr(registry, "entry_points", lambda group: found * (group == "wildcell"))


def test_modules_are_imported_at_the_first_look_up_and_not_before(package):
    assert "plants.rose" not in sys.modules
    assert package.get("rose") == "rose of this package"
    assert "plants.tulip" in sys.modules
    assert "plants.deep" not in sys.modules


def test_names_are_sorted_and_can_be_asked_for(package):
    assert package.names() == ["rose", "tulip"]
    assert "rose" in package
    assert "oak" not in package


def test_unknown_name_gets_a_suggestion_or_the_list(package):
    with pytest.raises(UnknownNameError, match=r"No plant is called 'tulp'. Did you mean 'tulip'"):
        package.get("tulp")
    with pytest.raises(UnknownNameError, match=r"'oak'. Known: rose, tulip\."):
        package.get("oak")


def test_suggestion_where_there_is_nothing_to_suggest():
    assert did_you_mean("oak", []) == "Known: none."


def test_two_things_of_one_name_are_an_error_and_one_thing_twice_is_not(package):
    thing = object()
    assert package.add("oak", thing) is thing
    assert package.add("oak", thing) is thing
    with pytest.raises(BenchmarkError, match="two plants called 'oak'; rename one"):
        package.add("oak", object())


def test_installed_plug_in_adds_its_own(package, monkeypatch):
    plug_in(monkeypatch, lambda: package.add("fern", "fern of the plug-in"))
    assert package.get("fern") == "fern of the plug-in"
    assert package.names() == ["fern", "rose", "tulip"]


def test_plug_in_that_cannot_be_imported_is_named(package, monkeypatch):
    def fail():
        raise ModuleNotFoundError("No module named 'soil'")

    plug_in(monkeypatch, fail)
    with pytest.raises(BenchmarkError, match=r"'garden' cannot be imported \(ModuleNotFound.*soil"):
        package.names()


def test_a_module_that_cannot_be_imported_is_an_error_at_every_look_up(package, tmp_path):
    (tmp_path / "plants" / "weed.py").write_text("import nothing_of_this_name")
    for _ in range(2):
        with pytest.raises(ModuleNotFoundError, match="nothing_of_this_name"):
            package.get("rose")
