"""Imports a Python file that is no installed module: a local plugin."""

from __future__ import annotations

import importlib.util
import sys
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType


class _AsItIs(SourceFileLoader):
    """Compiles the file anew: of an edit within a second to the same size, old bytecode would run.

    The run's records would then hold the new file's digest.
    """

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        code: CodeType = self.source_to_code(self.get_data(path), path)
        return code


def import_local(name: str, file: Path) -> ModuleType:
    """The module, known by `name` from now on; raises what the file raises."""
    loader = _AsItIs(name, str(file))
    spec = importlib.util.spec_from_file_location(name, file, loader=loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # so that inspect and pickling of its classes work
    try:
        loader.exec_module(module)
    except Exception:
        del sys.modules[name]
        raise
    return module
