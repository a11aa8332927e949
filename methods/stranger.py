"""Another person in place of the clip's: shows whether a metric knows one face from another."""

from __future__ import annotations

from collections.abc import Iterator

import bench


class Stranger(bench.Method):
    """Plays another speaker's clip, stretched to the face's size, with the clip's own speech.

    What a metric gives it is the metric's chance level: the wrong person, who says something else.
    Every run asks this of a few cases by itself (the config's key `floors`), with a clip of another
    speaker as `job.other`.

    Needs: a `reconstruct` case, and a clip of another speaker in the data set.
    Source: defined here.
    Weights: none.
    Deviations: none. A shorter clip goes forth and back; frames are taken at the clip's own rate.
    """

    name, version, source = "stranger", "1", "defined here"
    kinds = frozenset({"reconstruct"})
    control = True

    def generate(self, job: bench.Job) -> bench.Generation:
        """The other clip's frames; raises BenchError if there is no clip of another speaker."""
        face, other = job.case.face, job.case.other
        if job.other is None:
            raise bench.BenchError(
                f"stranger: the data set {job.case.dataset!r} has no other clip for {face.id!r}; "
                "add clips of a second speaker to its manifest"
            )
        if other is not None and face.speaker and other.speaker == face.speaker:
            raise bench.BenchError(
                f"stranger: the other clip of {face.id!r} is {other.id!r}, of the same speaker "
                f"{face.speaker}; leave `stranger` to the config's key `floors`, which looks for "
                "a clip of another speaker"
            )
        height, width = job.face.read().shape[1:3]
        frames = stretched(job.other.read(), count=job.frames, height=height, width=width)
        return bench.Generation(video=frames)


def stretched(
    frames: bench.Frames, *, count: int, height: int, width: int
) -> Iterator[bench.Frame]:
    """`count` frames, (height, width, 3), made of (T, H, W, 3) uint8 RGB, forth and back."""
    from bench import media

    for place in bench.forth_and_back(len(frames), count):
        yield media.resize(frames[place], height=height, width=width)


@bench.hookimpl
def register_methods() -> list[type[bench.Method]]:
    """The method of this file."""
    return [Stranger]
