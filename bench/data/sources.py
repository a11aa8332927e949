"""Opens data sets: turns an entry of a config's `data:` into clips, whatever their source."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pydantic

from bench.config.names import closest
from bench.config.reader import Label, Section, anchored, expand, validated
from bench.contract.importer import Imported, Importer
from bench.contract.registry import Registered
from bench.data import synth
from bench.data.manifest import check_id, read_manifest
from bench.files.paths import cache_dir
from bench.ground.errors import BenchError, NoSuchSplit
from bench.ground.types import Clip
from bench.machine.faults import raise_machine_fault

log = logging.getLogger(__name__)

Progress = Callable[[int, int], None]  # clips rendered, clips wanted


class Source(Section):
    """Where clips come from: a manifest, a data set's own folder, or an embedded corpus.

    Exactly one of `manifest`, `importer` with `root`, and `corpus` is given. `stand_in` names an
    embedded corpus that is used, and shown as such, where the data's `$NAME` is not set. `options`
    are the importer's.
    """

    name: Label
    title: str = ""
    manifest: str | None = None
    importer: str | None = None
    root: str | None = None
    options: dict[str, object] = pydantic.Field(default_factory=dict)
    corpus: str | None = None
    stand_in: str | None = None

    @pydantic.model_validator(mode="after")
    def _one_source(self) -> Source:
        given = [key for key in ("manifest", "importer", "corpus") if getattr(self, key)]
        if len(given) != 1:
            raise ValueError(
                "expected exactly one of `manifest`, `importer` (with `root`) and `corpus`, "
                f"found {', '.join(given) or 'none'}"
            )
        if bool(self.importer) != bool(self.root):
            raise ValueError("`importer` and `root` belong together; one of them is missing")
        if self.options and not self.importer:
            raise ValueError("`options` are an importer's, and there is no `importer` here")
        return self

    def place(self, folder: Path) -> str:
        """The key that gives the clips. folder: the config's."""
        named = self.manifest or self.root
        if named is None:
            return "corpus"
        if self.stand_in is not None and expand(named, folder) is None:
            return "stand_in"
        return "manifest" if self.manifest else "root"


@dataclass(frozen=True)
class Dataset:
    """The clips of a data set, with its name in tables.

    origin: the manifest or folder that was read, or the embedded corpus. stand_in: the embedded
    corpus used because the data are not on this machine, else None.
    """

    name: str
    title: str
    origin: str
    stand_in: str | None
    split: str | None
    clips: tuple[Clip, ...]


def open_source(
    source: Source,
    split: str | None,
    folder: Path,
    *,
    importers: Mapping[str, Registered[Importer]],
    clips: int | None = None,
    rendered: bool = True,
    progress: Progress | None = None,
) -> Dataset:
    """The clips of one split of a source; paths are relative to `folder`, the config's own.

    importers: all importers by name. clips: how many clips of an embedded corpus to use, if not its
    usual number. rendered: False for `synth.unrendered` ones. Raises BenchError where a variable is
    not set and there is no stand-in, or with all errors of the manifest or importer; NoSuchSplit
    where the split is empty.
    """
    named = source.manifest or source.root
    place = expand(named, folder) if named else None
    stand_in = source.stand_in if named and place is None else None
    corpus = source.corpus or stand_in
    if named and place is None and corpus is None:
        raise BenchError(
            f"data '{source.name}': {named.split('/')[0]} is not set. Set it to the folder of the "
            "data, or name an embedded corpus as `stand_in:`."
        )
    if corpus is not None and not rendered:
        found, origin = synth.unrendered(corpus, split or "test")[:clips], corpus
    elif corpus is not None:
        manifest = _build(corpus, split or "test", clips, progress)
        found, origin = read_manifest(manifest)[:clips], corpus
    elif source.importer is not None:
        assert place is not None
        imported = imported_by(_importer(source, importers, folder), place)
        for note in imported.notes:  # `bench data import` prints them when it writes a manifest
            log.warning("data '%s': %s", source.name, note)
        found, origin = [c for c in imported.clips if split in (None, c.split)], str(place)
    else:
        assert place is not None
        found, origin = read_manifest(place, split=split), str(place)
    if not found:
        raise NoSuchSplit(f"data '{source.name}': {origin} has no clip in the split '{split}'.")
    title = source.title or source.name
    return Dataset(source.name, title, origin, stand_in, split, tuple(found))


def importer_problems(
    source: Source, importers: Mapping[str, Registered[Importer]], where: str
) -> list[tuple[str, str]]:
    """What is wrong with a source's importer and its options, by yaml path; where: the source's."""
    if source.importer is None:
        return []
    if source.importer not in importers:
        what = f"there is no importer '{source.importer}'. {closest(source.importer, importers)}"
        return [(f"{where}.importer", what)]
    problems: list[tuple[str, str]] = []
    plugin = importers[source.importer].plugin
    validated(plugin.Options, source.options, f"{where}.options", problems)
    return problems


def imported_by(importer: Importer, root: Path) -> Imported:
    """What an importer finds below a folder, checked as a manifest is.

    Raises BenchError for a broken importer, and for ids that no clip can have.
    """
    try:
        found = importer.read(root)
    except BenchError:
        raise
    except Exception as error:  # a plugin's: whoever reads this can mend or leave it
        raise_machine_fault(error)
        raise BenchError(f"importer {importer.name}: {type(error).__name__}: {error}") from error
    if not isinstance(found, Imported) or not all(isinstance(one, Clip) for one in found.clips):
        raise BenchError(f"importer {importer.name} gave {found!r:.80}; expected bench.Imported")
    known: set[str] = set()
    for clip in found.clips:
        if check_id(clip.id) in known:
            raise BenchError(f"importer {importer.name}: two clips have the id {clip.id!r}")
        known.add(clip.id)
    return found


def _importer(
    source: Source, importers: Mapping[str, Registered[Importer]], folder: Path
) -> Importer:
    if problems := importer_problems(source, importers, f"data '{source.name}'"):
        raise BenchError("; ".join(f"{place}: {what}" for place, what in problems))
    plugin = importers[str(source.importer)].plugin
    return plugin(anchored(plugin.Options.model_validate(source.options), folder))


def _build(corpus: str, split: str, clips: int | None, progress: Progress | None) -> Path:
    if corpus not in synth.CORPORA:
        raise BenchError(
            f"there is no embedded corpus '{corpus}'. {closest(corpus, synth.CORPORA)}"
        )
    rendered = None if clips is None else _earlier_build(corpus, split, clips)
    return rendered or synth.build(corpus, split, clips=clips, progress=progress)


def _earlier_build(corpus: str, split: str, clips: int) -> Path | None:
    """The manifest of an earlier build of this split with at least that many clips, if any.

    The first clips of a split do not depend on how many are rendered, so none is rendered twice.
    """
    folder = cache_dir() / "corpora" / f"{corpus}-{synth.CORPORA[corpus]}"
    builds = [folder / split, *sorted(folder.glob(f"{split}-[0-9]*"))]
    manifests = [each / "manifest.csv" for each in builds]
    enough = (each for each in manifests if each.exists() and len(read_manifest(each)) >= clips)
    return next(enough, None)
