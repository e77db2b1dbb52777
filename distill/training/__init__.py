"""Training: a run file in; a folder with a checkpoint, a log, weights and metrics out."""

from hamming.distill.training.config import RunConfig
from hamming.distill.training.run import train
from hamming.distill.training.run_file import load_run_file
from hamming.distill.training.runs import load_run

__all__ = ["RunConfig", "load_run", "load_run_file", "train"]
