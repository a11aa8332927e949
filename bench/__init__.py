"""The benchmarking harness for talking-face methods: all names that a plugin author needs."""

from bench import checks
from bench.contract.engine import Crew, Engine
from bench.contract.forth_and_back import forth_and_back
from bench.contract.hookspecs import hookimpl
from bench.contract.importer import Imported, Importer
from bench.contract.jobs import Cut, Generation, Job, PrepareJob, Sample
from bench.contract.plugins import (
    ClipMetric,
    Feature,
    Method,
    Metric,
    Options,
    SetMetric,
    Values,
)
from bench.contract.video import Arrays, Video
from bench.files.digests import file_sha256
from bench.ground.errors import BenchError, Undefined
from bench.ground.types import (
    FPS,
    SAMPLE_RATE,
    SAMPLES_PER_FRAME,
    Box,
    Case,
    Clip,
    Frame,
    Frames,
    Output,
    Sound,
    Track,
)
from bench.records.load import load
from bench.run.one_video import measure
from bench.train.trainable import Trainable, TrainJob

__all__ = [
    "FPS",
    "SAMPLES_PER_FRAME",
    "SAMPLE_RATE",
    "Arrays",
    "BenchError",
    "Box",
    "Case",
    "Clip",
    "ClipMetric",
    "Crew",
    "Cut",
    "Engine",
    "Feature",
    "Frame",
    "Frames",
    "Generation",
    "Imported",
    "Importer",
    "Job",
    "Method",
    "Metric",
    "Options",
    "Output",
    "PrepareJob",
    "Sample",
    "SetMetric",
    "Sound",
    "Track",
    "TrainJob",
    "Trainable",
    "Undefined",
    "Values",
    "Video",
    "checks",
    "file_sha256",
    "forth_and_back",
    "hookimpl",
    "load",
    "measure",
]
