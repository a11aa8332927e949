"""`bench new`: writes a complete, installable plugin, or a config, to start from."""

from __future__ import annotations

import keyword
import re
from collections.abc import Mapping
from pathlib import Path

from bench.config.reader import LABEL, LABEL_WORDS
from bench.contract.registry import load_registry
from bench.ground.errors import BenchError

TEMPLATES = Path(__file__).parent / "templates"
OPTIONS = {
    "method": "strength: 0.5",
    "metric": "step: 2",
    "feature": "step: 2",
}  # shown in the README's config
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")


def new_plugin(kind: str, name: str, folder: Path, *, trainable: bool = False) -> Path:
    """Writes a folder `bench-NAME` in `folder`: a package with a plugin file, a test and a README.

    kind: "method", "metric" or "feature". trainable: a method with a small network, and a config
    that trains it. Raises BenchError if the name is not usable or taken, or if the new folder
    exists already: nothing is overwritten.
    """
    if kind not in OPTIONS:
        raise BenchError(f"new plugin: kind is {kind!r}; expected one of {', '.join(OPTIONS)}")
    if trainable and kind != "method":
        raise BenchError(f"new {kind}: --trainable is for methods only")
    _check_name(kind, name)
    root = folder / f"bench-{name.replace('_', '-')}"
    if root.exists():
        raise BenchError(f"{root} already exists; choose another name or --folder")
    module = f"bench_{name}"
    values = {
        "kind": kind,
        "name": name,
        "package": root.name,
        "module": module,
        "class_name": "".join(word.capitalize() for word in name.split("_")),
        "option": f"weights: runs/{name}/{name}.safetensors" if trainable else OPTIONS[kind],
        "trainable": trainable,
    }
    files = {
        "pyproject.toml": "pyproject.toml.j2",
        "README.md": "README.md.j2",
        f"{module}.py": f"{kind}.py.j2",
        f"test_{module}.py": "test.py.j2",
    }
    if trainable:
        files |= {
            f"{module}.py": "trainable_method.py.j2",
            f"test_{module}.py": "trainable_test.py.j2",
            "train.yaml": "train.yaml.j2",
        }
    texts = {target: _filled(template, values) for target, template in files.items()}
    root.mkdir(parents=True)
    for target, text in texts.items():
        (root / target).write_text(text, encoding="utf-8")
    return root


def new_config(name: str, folder: Path, *, manifest: str) -> Path:
    """Writes the file NAME.yaml in `folder`: a commented benchmark of the user's own clips.

    manifest: its path relative to the config's folder. Raises BenchError for a name that no run can
    have, or if the file exists already.
    """
    if not re.fullmatch(LABEL, name):
        raise BenchError(f"new config: the name is {name!r}; expected {LABEL_WORDS}")
    path = folder / f"{name}.yaml"
    if path.exists():
        raise BenchError(f"{path} already exists; choose another name or --folder")
    values = {"file": path.name, "manifest": manifest}
    values |= {"name_in_yaml": _in_yaml(name), "manifest_in_yaml": _in_yaml(manifest)}
    text = _filled("config.yaml.j2", values)
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def _in_yaml(text: str) -> str:
    """Text as a yaml value inside a flow mapping or list, quoted if necessary."""
    import yaml

    return yaml.safe_dump([text], default_flow_style=True, width=10**6, allow_unicode=True)[1:-2]


def _check_name(kind: str, name: str) -> None:
    if not _NAME.fullmatch(name) or keyword.iskeyword(name):
        raise BenchError(
            f"new {kind}: the name is {name!r}; expected small letters, digits and '_', beginning "
            "with a letter, at most 40, as in 'flicker' (it becomes a Python module)"
        )
    taken = load_registry().plugins.get(name)
    if taken is not None:
        raise BenchError(
            f"new {kind}: the name {name!r} is taken by {taken.origin}; choose another"
        )


def _filled(template: str, values: Mapping[str, object]) -> str:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,  # the results are Python and toml, not html
    )
    return environment.get_template(template).render(values)
