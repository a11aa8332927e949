"""`bench new`: writes a complete, installable plugin, or a config, to start from."""

from __future__ import annotations

import keyword
import re
from pathlib import Path

from bench.config.reader import LABEL, LABEL_WORDS
from bench.contract.registry import load_registry
from bench.errors import BenchError

TEMPLATES = Path(__file__).parent / "templates"
OPTIONS = {
    "method": "strength: 0.5",
    "metric": "step: 2",
    "feature": "step: 2",
}  # shown in the README's config
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")


def new_plugin(kind: str, name: str, folder: Path) -> Path:
    """The new folder `bench-NAME` in `folder`, with a package of one plugin file, test and README.

    kind: "method", "metric" or "feature". Raises BenchError for a name that is not usable or taken,
    and where the new folder exists already: nothing is overwritten.
    """
    if kind not in OPTIONS:
        raise BenchError(f"new plugin: kind is {kind!r}; expected one of {', '.join(OPTIONS)}")
    _check_name(kind, name)
    root = folder / f"bench-{name.replace('_', '-')}"
    if root.exists():
        raise BenchError(f"{root} exists already; choose another name or --folder")
    module = f"bench_{name}"
    values = {
        "kind": kind,
        "name": name,
        "package": root.name,
        "module": module,
        "class_name": "".join(word.capitalize() for word in name.split("_")),
        "option": OPTIONS[kind],
    }
    files = {
        "pyproject.toml": "pyproject.toml.j2",
        "README.md": "README.md.j2",
        f"{module}.py": f"{kind}.py.j2",
        f"test_{module}.py": "test.py.j2",
    }
    texts = {target: _filled(template, values) for target, template in files.items()}
    root.mkdir(parents=True)
    for target, text in texts.items():
        (root / target).write_text(text, encoding="utf-8")
    return root


def new_config(name: str, folder: Path, *, manifest: str) -> Path:
    """The new file NAME.yaml in `folder`: a commented benchmark of one's own clips.

    manifest: as the config names it, from its own folder. Raises BenchError for a name that no run
    can have, and where the file exists already.
    """
    if not re.fullmatch(LABEL, name):
        raise BenchError(f"new config: the name is {name!r}; expected {LABEL_WORDS}")
    path = folder / f"{name}.yaml"
    if path.exists():
        raise BenchError(f"{path} exists already; choose another name or --folder")
    values = {"file": path.name, "manifest": manifest}
    values |= {"name_in_yaml": _in_yaml(name), "manifest_in_yaml": _in_yaml(manifest)}
    text = _filled("config.yaml.j2", values)
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def _in_yaml(text: str) -> str:
    """Text as a yaml value within a flow, in quotes where it needs them."""
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


def _filled(template: str, values: dict[str, str]) -> str:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,  # the results are Python and toml, not html
    )
    return environment.get_template(template).render(values)
