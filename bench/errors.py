"""The exceptions of the harness: what a user can mend, and a value that does not exist."""


class BenchError(Exception):
    """Something a user can put right; the command line shows the message without a traceback.

    The message says what was expected, what was found and what to do next, and names file and key.
    """


class MachineFault(Exception):
    """The machine is at its end (disk, memory, open files): no verdict on what was being done.

    Never recorded as a failure, and no BenchError, so that nobody takes it for a bad clip.
    `bench.machine.faults` tells these from other errors.
    """


class NoSuchSplit(BenchError):
    """A data set has no clip in the split that is asked for."""


class Undefined(Exception):
    """Raised by a metric: this sample has no value, by definition, and the message says why.

    Raised by a feature: this video has none. An undefined cell is recorded with its reason; it is
    neither a failure nor a number.
    """


class NoFace(BenchError, Undefined):
    """No frame of a video shows a face: no value for a metric, and a failure for a method."""
