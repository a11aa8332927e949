"""The modules beside a local plugin that it imports: they belong to it and enter its key."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

# Keys hold the versions of our own and of installed packages, not their contents.
_PACKAGES = ("bench", "methods", "metrics", "reports")
_INSTALLED = frozenset({"site-packages", "dist-packages"})
_BEFORE_PLUGINS = frozenset(sys.path)


def helper_modules(file: Path) -> tuple[Path, ...]:
    """The files that a plugin file imports, directly or through each other, in a fixed order.

    Follows all import statements in the files (and `import_module` with a literal name), including
    those that have not run yet, and looks in the plugin's folder and in folders that plugins have
    put on `sys.path`. Imports nothing.
    """
    plugin = file.resolve()
    added = [Path(entry).resolve() for entry in sys.path if entry not in _BEFORE_PLUGINS]
    roots = list(dict.fromkeys([plugin.parent, *added]))
    found: set[Path] = set()
    waiting = [plugin]
    while waiting:
        for path in _imported(waiting.pop(), roots):
            if path != plugin and path not in found and not _is_installed(path):
                found.add(path)
                waiting.append(path)
    return tuple(sorted(found))


def _imported(file: Path, roots: list[Path]) -> Iterator[Path]:
    """The files of the modules that a file's own statements name."""
    if file.suffix != ".py":
        return
    try:
        tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return  # importing it reports the error
    for node in ast.walk(tree):
        for name, places in _named(node, file, roots):
            for root in places:
                yield from _files(name.split(".") if name else [], root)


def _named(node: ast.AST, file: Path, roots: list[Path]) -> Iterator[tuple[str, list[Path]]]:
    """The dotted names in a statement, each with the folders to search."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield alias.name, roots
    elif isinstance(node, ast.ImportFrom):
        own = [file.parents[node.level - 1]] if 0 < node.level <= len(file.parents) else roots
        for alias in node.names:
            yield ".".join(filter(None, [node.module, alias.name])), own
    elif isinstance(node, ast.Call) and node.args:
        called = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        called = node.func.id if isinstance(node.func, ast.Name) else called
        name = node.args[0]
        if called in ("import_module", "__import__") and isinstance(name, ast.Constant):
            yield str(name.value).lstrip("."), roots


def _files(parts: list[str], root: Path) -> Iterator[Path]:
    """The files of a module and of its parent packages; none if the name is no module."""
    folder = root
    for part in parts:
        for ending in (".py", *EXTENSION_SUFFIXES):
            for path in (folder / f"{part}{ending}", folder / part / f"__init__{ending}"):
                if path.is_file():
                    yield path.resolve()
        folder = folder / part


def _is_installed(path: Path) -> bool:
    """Whether the file belongs to this project or to an installed package."""
    ours = Path(__file__).resolve().parents[2]
    is_ours = any(path.is_relative_to(ours / package) for package in _PACKAGES)
    library = Path(ast.__file__).resolve().parent
    return is_ours or bool(_INSTALLED & set(path.parts)) or path.is_relative_to(library)
