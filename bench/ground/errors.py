"""The exceptions of the harness: errors that a user can fix, and values that do not exist."""


class BenchError(Exception):
    """An error that a user can fix; the command line shows its message without a traceback.

    The message names file and key, and says what was found, what was expected and what to do.
    """


class MachineFault(Exception):
    """The machine lacks disk space, memory or open files; says nothing about a method or a clip.

    Never recorded as a failure, and no BenchError, so that it is not taken for a bad clip.
    `bench.machine.faults` recognises such errors.
    """


class NoSuchSplit(BenchError):
    """A data set has no clip in the requested split."""


class Undefined(Exception):
    """Raised by a metric if this sample has no value by definition; the message says why.

    Raised by a feature: this video has none. An undefined cell is recorded with its reason; it is
    neither a failure nor a number.
    """


class NoFace(BenchError, Undefined):
    """No frame of a video shows a face: no value for a metric, and a failure for a method."""
