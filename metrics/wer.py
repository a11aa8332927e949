"""Word and character error rates of transcripts that a lip reader elsewhere made of the videos."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import bench
from metrics import error_rates, transcripts
from metrics.error_rates import Errors
from metrics.transcripts import Transcript


class _ReadsTranscripts(bench.Metric):
    """What the two metrics share: the file of transcripts, read once."""

    class Options(bench.Options):
        """csv: transcripts (docs/metrics.md). reader: who read them; it enters the protocol."""

        csv: Path
        reader: str = ""

    options: Options
    _found: Mapping[str, Transcript] | None = None

    def identity(self) -> Mapping[str, object]:
        """The digest of the transcripts."""
        path = self.options.csv
        if not path.is_file():
            raise bench.BenchError(
                f"{path}: is not there; `python -m metrics.transcripts RUN` lists the videos to"
                " read, docs/metrics.md says how"
            )
        return {"transcripts": bench.file_sha256(path)}

    def load(self, device: str) -> None:  # noqa: ARG002 (nothing here runs on one)
        """Reads the transcripts."""
        self._found = transcripts.read_transcripts(self.options.csv)

    @property
    def _reader(self) -> str:
        return self.options.reader or self.options.csv.stem

    def _transcript(self, video: bench.Video) -> Transcript:
        if self._found is None:
            raise RuntimeError("call load(device) before measure")
        digest = video.sha256 or (bench.file_sha256(video.path) if video.path else "")
        if digest not in self._found:
            raise bench.Undefined(f"{self.options.csv.name} has no transcript of this video")
        return self._found[digest]


class Wer(_ReadsTranscripts, bench.ClipMetric):
    """Word and character error rate of a transcript of the video, made by a reader elsewhere.

    The least number of substitutions, deletions and insertions over the number of words
    (characters) spoken. Both texts lose case and punctuation. Chinese and Japanese texts have no
    words here: both rates count characters without blanks. The text is that of the case's speech.

    Reads: no pixel; transcripts by the video's SHA-256, and the text of the speech clip.
    Output: wer, cer, shares, lower is better, from 0, above 1 where more is read than is spoken.
    Raises: Undefined without a transcript of this video or a text of the speech. BenchError for a
        file of transcripts that cannot be read.
    Source: Levenshtein 1966; the definitions of torchmetrics 1.9.0.
    Deviations: texts are compared without case and punctuation.
    """

    name, version = "wer", "1"
    source = "Levenshtein 1966; torchmetrics 1.9.0"
    reads = frozenset({"video", "text"})
    outputs = (
        bench.Output("wer", unit="share", better="lower", best=0.0, low=0.0, title="WER"),
        bench.Output("cer", unit="share", better="lower", best=0.0, low=0.0, title="CER"),
    )

    @property
    def protocol(self) -> str:
        """Who read."""
        return f"wer[{self._reader}; no case, no punctuation; clip]"

    def measure(self, sample: bench.Sample) -> dict[str, float]:
        """The clip's rates."""
        read = self._transcript(sample.video).text
        by_words, by_characters = _errors(read, sample.case.speech.text)
        return {"wer": by_words.rate, "cer": by_characters.rate}


class WerTotal(_ReadsTranscripts, bench.SetMetric):
    """Word and character error rate of a set: all errors over all words spoken.

    This is how the field reports WER; the mean of `wer` over clips weighs short clips more. What is
    spoken must stand beside each transcript, in the column `spoken`.

    Reads: no pixel; transcripts by the video's SHA-256.
    Output: wer, cer, shares, lower is better, from 0; words, characters: how many were spoken.
    Raises: Undefined where a video of the set has no transcript or no spoken text.
    Source: Levenshtein 1966; the definitions of torchmetrics 1.9.0.
    Deviations: texts are compared without case and punctuation.
    """

    name, version = "wer_total", "1"
    source = "Levenshtein 1966; torchmetrics 1.9.0"
    reads = frozenset({"video"})
    outputs = (
        bench.Output("wer", unit="share", better="lower", best=0.0, low=0.0, title="WER, total"),
        bench.Output("cer", unit="share", better="lower", best=0.0, low=0.0, title="CER, total"),
        bench.Output("words", unit="words", better="none", low=0.0),
        bench.Output("characters", unit="characters", better="none", low=0.0),
    )

    @property
    def protocol(self) -> str:
        """Who read."""
        return f"wer[{self._reader}; no case, no punctuation; total]"

    def start(self) -> list[tuple[Errors, Errors]]:
        """No clips yet."""
        return []

    def update(self, summary: list[tuple[Errors, Errors]], video: bench.Video) -> None:
        """Adds a clip's errors."""
        transcript = self._transcript(video)
        summary.append(_errors(transcript.text, transcript.spoken or ""))

    def compute(
        self,
        summary: list[tuple[Errors, Errors]],
        references: None,  # noqa: ARG002 (this metric reads none)
    ) -> dict[str, float]:
        """The set's rates."""
        if not summary:
            raise bench.Undefined("no clips")
        nothing = Errors(0, 0)
        words = sum((by_words for by_words, _ in summary), nothing)
        characters = sum((by_characters for _, by_characters in summary), nothing)
        return {
            "wer": words.rate,
            "cer": characters.rate,
            "words": float(words.spoken),
            "characters": float(characters.spoken),
        }


def _errors(read: str, spoken: str) -> tuple[Errors, Errors]:
    """Errors by words and by characters. Raises Undefined where nothing is known to be spoken."""
    told, said = error_rates.plain(read), error_rates.plain(spoken)
    if not said:
        raise bench.Undefined("the text of the speech is not known")
    if error_rates.has_no_blanks(said):  # the reader's script does not decide how it is counted
        by_characters = error_rates.errors(told.replace(" ", ""), said.replace(" ", ""))
        return by_characters, by_characters
    return error_rates.errors(told.split(), said.split()), error_rates.errors(told, said)


@bench.hookimpl
def register_metrics() -> list[type[bench.Metric]]:
    """Registers both metrics."""
    return [Wer, WerTotal]
