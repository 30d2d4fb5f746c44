"""From a name, or a file of one's own, to a model's card."""

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

from wildcell.errors import OptionError, UnknownNameError
from wildcell.models.external import PREFIX, external_card
from wildcell.models.model import EVERYTHING, MODELS, ModelCard
from wildcell.models.sealed.terms import Terms
from wildcell.registry import did_you_mean
from wildcell.store.fingerprint import file_sha256


def find_model(name: str, terms: Terms | None = None) -> ModelCard:
    """Return the card of a registered model, of a class in a file, or of a model's own folder.

    Parameters
    ----------
    name
        A registered name; `path/to/file.py:Class`, a class that is taken to answer everything and
        to need no more than cells if it has no card, made with the decorator `model`; or
        `external:path/to/folder`, a model that is run in an environment of its own.
    terms
        What a model in processes of its own may take.

    Raises
    ------
    UnknownNameError
        There is no such model, file, class or folder.
    OptionError
        The file cannot be imported, or what it names is no model.
    """
    if name.startswith(PREFIX):
        return external_card(Path(name.removeprefix(PREFIX)), terms or Terms())
    path, _, class_name = name.rpartition(":")
    if not path.endswith(".py"):
        return MODELS.get(name)
    module = _import_file(Path(path))
    if not hasattr(module, class_name):
        classes = [key for key, value in vars(module).items() if isinstance(value, type)]
        raise UnknownNameError(f"{path} has no {class_name!r}. {did_you_mean(class_name, classes)}")
    make = getattr(module, class_name)
    version = file_sha256(Path(path))[:16]
    for registered in MODELS.names():
        if MODELS.get(registered).make is make:
            return replace(MODELS.get(registered), version=version)
    if not all(callable(getattr(make, verb, None)) for verb in ("fit", "predict")):
        raise OptionError(f"{name} is no model: it needs the methods fit(task) and predict(query).")
    shown = f"{Path(path).stem}:{class_name}"
    return ModelCard(shown, make, frozenset(EVERYTHING), version=version)


def _import_file(path: Path) -> ModuleType:
    """Import a file once; its content, not its name, says whether it was imported before."""
    if not path.is_file():
        raise UnknownNameError(f"There is no model file {path}.")
    name = f"wildcell_own_{file_sha256(path)[:16]}"
    if name in sys.modules:
        return sys.modules[name]
    found = importlib.util.spec_from_file_location(name, path)
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    sys.modules[name] = module
    try:
        found.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise OptionError(f"{path} cannot be imported: {type(error).__name__}: {error}.") from error
    return module
