"""The built-in importers, by the names that `bench data import NAME ROOT` and configs take."""

from __future__ import annotations

from pathlib import Path

from bench.contract.hookspecs import hookimpl
from bench.contract.importer import Imported, Importer
from bench.contract.plugins import Options
from bench.data.cmlr import import_cmlr
from bench.data.crema_d import import_crema_d
from bench.data.folder import Layout, import_folder
from bench.data.grid import import_grid
from bench.data.huggingface import import_huggingface
from bench.data.lrs2 import import_lrs2
from bench.data.lrs3 import import_lrs3


class Grid(Importer):
    """GRID, the audiovisual sentence corpus, as it is given out or converted.

    Layout: s1/bbaf2n.mpg, s1/video/bbaf2n.mpg, s1/video/mpg_6000/bbaf2n.mpg,
        original/s1/bbaf2n.mpg, video/s1/bbaf2n.mp4; word times in align/s1 or s1/align.
    Source: Cooke, Barker, Cunningham, Shao 2006.
    """

    name, source, licence = "grid", "Cooke, Barker, Cunningham, Shao 2006", "CC BY 4.0"

    def read(self, root: Path) -> Imported:
        """The clips with speaker, text and split."""
        return import_grid(root)


class Lrs2(Importer):
    """LRS2, the Oxford-BBC Lip Reading Sentences 2 corpus: its main part.

    Layout: main/<id>/<clip>.mp4 with <clip>.txt; the lists train.txt, val.txt and test.txt.
    Source: Afouras, Chung, Senior, Vinyals, Zisserman 2018; given out by the BBC on request.
    """

    name, source = "lrs2", "Afouras, Chung, Senior, Vinyals, Zisserman 2018"
    licence = "of the BBC, for research"

    def read(self, root: Path) -> Imported:
        """The clips with text and split; a broadcast stands for the speaker."""
        return import_lrs2(root)


class Lrs3(Importer):
    """LRS3-TED, the Lip Reading Sentences 3 corpus.

    Layout: pretrain, trainval or test, each <id of the talk>/<clip>.mp4 with <clip>.txt.
    Source: Afouras, Chung, Zisserman 2018, arXiv:1809.00496.
    """

    name, source = "lrs3", "Afouras, Chung, Zisserman 2018, arXiv:1809.00496"
    licence = "CC BY-NC-ND 4.0, as TED gives its talks"

    def read(self, root: Path) -> Imported:
        """The clips with text and split; a talk stands for the speaker."""
        return import_lrs3(root)


class Cmlr(Importer):
    """CMLR, Chinese Mandarin Lip Reading.

    Layout: video/s1/<day>/<section>.mp4, the same below audio and text; lists of names.
    Source: Zhao, Xu, Song 2019, arXiv:1908.04917; given out by Zhejiang University on request.
    """

    name, source = "cmlr", "Zhao, Xu, Song 2019, arXiv:1908.04917"
    licence = "of Zhejiang University, for research"

    def read(self, root: Path) -> Imported:
        """The clips with speaker, text and split."""
        return import_cmlr(root)


class CremaD(Importer):
    """CREMA-D: 91 actors say twelve sentences in six emotions.

    Layout: VideoFlash/1001_DFA_ANG_XX.flv; these names, or .mp4, anywhere below the root.
    Source: Cao, Cooper, Keutmann, Gur, Nenkova, Verma 2014, doi 10.1109/TAFFC.2014.2336244.
    """

    name, source, licence = "crema-d", "Cao et al. 2014", "ODbL 1.0"

    def read(self, root: Path) -> Imported:
        """The clips with speaker, text and split."""
        return import_crema_d(root)


class Folder(Importer):
    """Any folder of videos, searched to the bottom.

    Layout: videos with the sound and the text of the same name beside them, or as the options say.
    Source: defined here.
    """

    name, source = "folder", "defined here"

    class Options(Options):
        """videos, sounds, texts: where they lie, paths below the root with fields in braces.

        As in videos: 'mp4/{speaker}/{clip}.mp4'. Without them all lie beside each other.
        """

        videos: str | None = None
        sounds: str | None = None
        texts: str | None = None

    options: Options

    def read(self, root: Path) -> Imported:
        """The clips; the fields speaker, split and language are taken into the manifest."""
        asked = self.options
        return import_folder(root, Layout(asked.videos, asked.sounds, asked.texts))


class HuggingFace(Importer):
    """A folder in the Hugging Face layout: videos, and a table with their file names.

    Layout: metadata.csv or metadata.jsonl with the column file_name, at the root or in a folder of
        each split (train, validation, test); further columns: text, speaker, language, split,
        audio_file_name.
    Source: the videofolder of Hugging Face datasets; defined here.
    """

    name, source = "huggingface", "the layout `videofolder` of Hugging Face datasets"

    def read(self, root: Path) -> Imported:
        """The clips with what the table says of them."""
        return import_huggingface(root)


@hookimpl
def register_importers() -> list[type[Importer]]:
    """Registers the importers of this project."""
    return [Grid, Lrs2, Lrs3, Cmlr, CremaD, Folder, HuggingFace]
