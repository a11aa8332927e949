"""Fetches corpora that may be passed on, from where their authors publish them.

Names, sizes and checksums are read from the publisher on the spot, and every file is verified by
them: GRID's from its record at Zenodo (MD5), CREMA-D's from its repository, whose files stand there
as pointers of Git LFS with size and SHA-256.
"""

from __future__ import annotations

import csv
import io
import re
import shutil
import stat
import zipfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, TypeAlias

from bench.config.names import closest
from bench.files.download import TIMEOUT_SECONDS, Progress, download, in_short, no_progress
from bench.files.one_move import in_one_move
from bench.ground.errors import BenchError

if TYPE_CHECKING:
    import requests

AT_ONCE = 8  # small files that are fetched side by side
SWELL = 20  # an archive that unpacks to more than so many times its size is refused


@dataclass(frozen=True)
class Published:
    """A file as its publisher describes it. digest: `md5:...` or `sha256:...`."""

    name: str
    bytes: int
    digest: str
    url: str


@dataclass(frozen=True)
class Corpus:
    """A corpus that can be pulled.

    importer: which reads it. site: the address that everything else follows from. speakers: all of
    them. size: about, in words. fetch(corpus, speakers, folder, progress) brings what is missing.
    """

    name: str
    title: str
    licence: str
    page: str
    site: str
    speakers: tuple[str, ...]
    size: str
    importer: str
    fetch: Fetch


Fetch: TypeAlias = Callable[[Corpus, Sequence[str], Path, Progress], None]


def pull(
    name: str, folder: Path, *, speakers: Sequence[str] = (), progress: Progress = no_progress
) -> Path:
    """Brings a corpus, or some speakers of it, into `folder`/NAME; returns that.

    What is there already is not fetched again; a broken download continues. Raises BenchError for
    an unknown name or speaker, if the publisher cannot be reached, if a file is not the published
    one, or if the disk is too small.
    """
    corpus = corpus_named(name)
    unknown = [speaker for speaker in speakers if speaker not in corpus.speakers]
    if unknown:
        hint = closest(unknown[0], corpus.speakers)
        raise BenchError(f"--speakers: {name} has no speaker {unknown[0]!r}. {hint}")
    target = folder / corpus.name
    try:
        target.mkdir(parents=True, exist_ok=True)
        corpus.fetch(corpus, speakers or corpus.speakers, target, progress)
    except (OSError, ValueError) as error:
        raise BenchError(
            f"{corpus.title} cannot be fetched from {corpus.page}: {in_short(error)}. What has "
            f"come is kept in {target}; the same command goes on."
        ) from error
    return target


def corpus_named(name: str) -> Corpus:
    """The corpus of that name; raises BenchError if there is none."""
    if name not in CORPORA:
        raise BenchError(
            f"no corpus {name!r} can be pulled. {closest(name, CORPORA)} "
            "Others must be asked for at their authors; docs/data.md says where."
        )
    return CORPORA[name]


def unpack(archive: Path, folder: Path) -> int:
    """Unpacks a zip file into `folder`; returns the number of files.

    Every top-level name of the archive appears whole or not at all. Raises ValueError if a name
    leads out of the folder, is a link, or if the content is more than SWELL times the archive.
    """
    with zipfile.ZipFile(archive) as packed:
        members = [member for member in packed.infolist() if not member.is_dir()]
        for member in members:
            _check_name(member)
        if sum(member.file_size for member in members) > SWELL * archive.stat().st_size:
            raise ValueError(f"{archive.name} unpacks to over {SWELL} times its size")
        for top in sorted({PurePosixPath(member.filename).parts[0] for member in members}):
            inside = [one for one in members if PurePosixPath(one.filename).parts[0] == top]
            with in_one_move(folder / top) as part:
                for member in inside:
                    place = part.joinpath(*PurePosixPath(member.filename).parts[1:])
                    place.parent.mkdir(parents=True, exist_ok=True)
                    with packed.open(member) as content, place.open("wb") as file:
                        shutil.copyfileobj(content, file)
    return len(members)


def _check_name(member: zipfile.ZipInfo) -> None:
    name = PurePosixPath(member.filename)
    is_outside = name.is_absolute() or ".." in name.parts or re.search(r"[\\:\0]", member.filename)
    if is_outside or stat.S_ISLNK(member.external_attr >> 16):
        raise ValueError(f"the archive has a name that leads out of its folder: {name}")


# ---- GRID, at Zenodo ------------------------------------------------------------------------


def _fetch_grid(corpus: Corpus, speakers: Sequence[str], folder: Path, progress: Progress) -> None:
    """Archives of the speakers' videos, and that of the word times for all of them."""
    wanted = [("alignments", "alignments.zip"), *((one, f"{one}.zip") for one in speakers)]
    missing = [archive for name, archive in wanted if not (folder / name).is_dir()]
    if not missing:
        return
    known = {one.name: one for one in _record(corpus.site)}
    if absent := [name for name in missing if name not in known]:
        raise ValueError(f"the record has no file {absent[0]}")
    files = [known[name] for name in missing]
    total = sum(one.bytes for one in files)
    _check_space(folder, 2 * max(one.bytes for one in files) + total)
    done = 0
    for one in files:
        archive = folder / one.name

        def step(here: int, _: int, before: int = done) -> None:
            progress(before + here, total)

        download(one.url, archive, total=one.bytes, digest=one.digest, progress=step)
        unpack(archive, folder)
        archive.unlink()
        done += one.bytes
        progress(done, total)


def _record(address: str) -> Iterator[Published]:
    """The files of a record, as Zenodo's interface describes it."""
    answer = _asked(address).json()
    try:
        for one in answer["files"]:
            yield Published(one["key"], int(one["size"]), one["checksum"], one["links"]["self"])
    except (KeyError, TypeError) as error:
        raise ValueError(f"{address} does not describe its files: {error!r}") from error


# ---- CREMA-D, in its repository -------------------------------------------------------------

_CLIP = re.compile(r"(\d{4})_[A-Z]{3}_[A-Z]{3}_[A-Z]{2}")
_POINTER = re.compile(r"oid sha256:([0-9a-f]{64})\nsize (\d+)\n")


def _fetch_crema_d(
    corpus: Corpus, speakers: Sequence[str], folder: Path, progress: Progress
) -> None:
    """The videos, each by its pointer; names come from the repository's own list."""
    table = csv.DictReader(io.StringIO(_asked(f"{corpus.site}/SentenceFilenames.csv").text))
    names = [row["Filename"] for row in table]
    clips = [name for name in names if (match := _CLIP.fullmatch(name)) and match[1] in speakers]
    if not clips:
        raise ValueError("the list of files names no clip of these speakers")
    videos = folder / "VideoFlash"
    missing = [name for name in clips if not (videos / f"{name}.flv").is_file()]

    def fetched(name: str) -> None:
        file = f"VideoFlash/{name}.flv"
        pointer = _POINTER.search(_asked(f"{corpus.site}/{file}").text)
        if pointer is None:
            raise ValueError(f"{file} is no pointer of Git LFS")
        download(
            f"{corpus.site.replace(RAW, MEDIA)}/{file}",
            folder / file,
            total=int(pointer[2]),
            digest=f"sha256:{pointer[1]}",
            progress=no_progress,
        )

    pool = ThreadPoolExecutor(AT_ONCE)
    try:
        for done, _ in enumerate(pool.map(fetched, missing), start=1):
            progress(done, len(missing))
    finally:
        pool.shutdown(cancel_futures=True)


def _asked(address: str) -> requests.Response:
    import requests

    answer = requests.get(address, timeout=TIMEOUT_SECONDS)
    answer.raise_for_status()
    return answer


def _check_space(folder: Path, wanted: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < wanted:
        raise BenchError(
            f"{folder}: {free >> 20} MiB are free, and {wanted >> 20} MiB are needed. Name another "
            "folder with -o or BENCH_DATA, or fewer speakers with --speakers."
        )


RAW = "https://raw.githubusercontent.com"  # where the pointers are; MEDIA: what they point to
MEDIA = "https://media.githubusercontent.com/media"

CORPORA = {
    corpus.name: corpus
    for corpus in (
        Corpus(
            name="grid",
            title="GRID (Cooke, Barker, Cunningham, Shao 2006)",
            licence="CC BY 4.0",
            page="https://zenodo.org/records/3625687",
            site="https://zenodo.org/api/records/3625687",
            speakers=tuple(f"s{number}" for number in range(1, 35) if number != 21),
            size="33 speakers with 1000 clips each, about 16 GB",
            importer="grid",
            fetch=_fetch_grid,
        ),
        Corpus(
            name="crema-d",
            title="CREMA-D (Cao et al. 2014)",
            licence="Open Database License (ODbL) 1.0",
            page="https://github.com/CheyneyComputerScience/CREMA-D",
            site=f"{RAW}/CheyneyComputerScience/CREMA-D/master",
            speakers=tuple(str(number) for number in range(1001, 1092)),
            size="91 speakers, 7442 clips, about 2 GB",
            importer="crema-d",
            fetch=_fetch_crema_d,
        ),
    )
}
