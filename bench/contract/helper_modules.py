"""The modules beside a local plugin that it imports: they are part of it, and of its key."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

_PACKAGES = ("bench", "methods", "metrics", "reports")  # ours: versions stand for them
_INSTALLED = frozenset({"site-packages", "dist-packages"})  # as for installed packages
_BEFORE_PLUGINS = frozenset(sys.path)


def helper_modules(file: Path) -> tuple[Path, ...]:
    """The files that a plugin file imports, straight or through each other, in a fixed order.

    Looked for in the plugin's folder and in folders that plugins have put on `sys.path`, by the
    import statements (and `import_module` of a written-out name) anywhere in the files, also in
    those that have not run yet. Nothing is imported for it.
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
    """The files that stand for the modules which a file's own statements name."""
    if file.suffix != ".py":
        return
    try:
        tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return  # importing it says so
    for node in ast.walk(tree):
        for name, places in _named(node, file, roots):
            for root in places:
                yield from _files(name.split(".") if name else [], root)


def _named(node: ast.AST, file: Path, roots: list[Path]) -> Iterator[tuple[str, list[Path]]]:
    """The dotted names in a statement, each with the folders that it starts from."""
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
    """The files of a module and of the packages around it; none for names that are no modules."""
    folder = root
    for part in parts:
        for ending in (".py", *EXTENSION_SUFFIXES):
            for path in (folder / f"{part}{ending}", folder / part / f"__init__{ending}"):
                if path.is_file():
                    yield path.resolve()
        folder = folder / part


def _is_installed(path: Path) -> bool:
    """Whether a version stands for the file: this project's own, and installed packages."""
    ours = Path(__file__).resolve().parents[2]
    is_ours = any(path.is_relative_to(ours / package) for package in _PACKAGES)
    library = Path(ast.__file__).resolve().parent
    return is_ours or bool(_INSTALLED & set(path.parts)) or path.is_relative_to(library)
