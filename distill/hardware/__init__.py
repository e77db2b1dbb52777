"""A trained model through the hardware"s integers: its accuracy, and its heads as files for the engine."""

from hamming.distill.hardware.evaluate import Evaluation, evaluate_run
from hamming.distill.hardware.export import export_run
from hamming.distill.hardware.integer import integer_attention

__all__ = ["Evaluation", "evaluate_run", "export_run", "integer_attention"]
