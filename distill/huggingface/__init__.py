"""Models of the package `transformers`: their attention reached, its heads' state attached, calibrated and saved."""

from hamming.distill.huggingface.attention import NAME, hamming_attention
from hamming.distill.huggingface.model import calibrate, prepare
from hamming.distill.huggingface.saving import HammingConfig
from hamming.distill.method.convert import configure

__all__ = ["NAME", "HammingConfig", "calibrate", "configure", "hamming_attention", "prepare"]
