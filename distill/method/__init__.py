"""The method: attention whose queries and keys become signs, its stages, losses and calibration."""

from hamming.distill.method.attention import HammingAttention
from hamming.distill.method.convert import calibrate, convert
from hamming.distill.method.quantize import Widths, head_spec
from hamming.distill.method.schedule import Schedule

__all__ = ["HammingAttention", "Schedule", "Widths", "calibrate", "convert", "head_spec"]
