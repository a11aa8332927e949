"""Training: what authors of trainable plugins need. Imports no torch until it is used.

`loop` runs the steps, with checkpoints and curves; `ready_clips` preprocesses clips once; `draws`,
`averages`, `held_out`, `best_weights` and `strips` hold one thing each; `sync_expert` trains the
judge that generators are trained against. docs/plugins.md, "A method that is trained", has an
example.
"""

from bench.train.averages import running_average
from bench.train.best_weights import BestWeights
from bench.train.draws import Draw
from bench.train.held_out import evenly, evenly_by_dataset, means_by_dataset
from bench.train.loop import Loop, States, occupy, one_cycle, run
from bench.train.processes import ALONE, Processes
from bench.train.ready_clips import (
    Arrays,
    Detector,
    Landmarks,
    RawClip,
    ReadyClip,
    all_ready,
    track_of,
)
from bench.train.settings import Precision, Seconds, StageSettings, TrainSettings
from bench.train.strips import write_strip
from bench.train.trainable import Trainable, TrainJob

__all__ = [
    "ALONE",
    "Arrays",
    "BestWeights",
    "Detector",
    "Draw",
    "Landmarks",
    "Loop",
    "Precision",
    "Processes",
    "RawClip",
    "ReadyClip",
    "Seconds",
    "StageSettings",
    "States",
    "TrainJob",
    "TrainSettings",
    "Trainable",
    "all_ready",
    "evenly",
    "evenly_by_dataset",
    "means_by_dataset",
    "occupy",
    "one_cycle",
    "run",
    "running_average",
    "track_of",
    "write_strip",
]
