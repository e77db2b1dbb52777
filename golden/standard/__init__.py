"""The baseline's golden model: int8 queries, keys and values in; softmax attention over all keys, to the last bit, out.

`bf16` is the same in bfloat16, the baseline's second width.
"""

from hamming.golden.standard.inputs import QuantizedInputs, quantize_inputs
from hamming.golden.standard.model import StandardAttention, attend_standard, digits, score_bias
from hamming.golden.standard.spec import CLIP, DIGITS, ELEMENT_BITS, WEIGHT_MAX, StandardSpec, logit_scale_of

__all__ = [
    "CLIP",
    "DIGITS",
    "ELEMENT_BITS",
    "WEIGHT_MAX",
    "QuantizedInputs",
    "StandardAttention",
    "StandardSpec",
    "attend_standard",
    "digits",
    "logit_scale_of",
    "quantize_inputs",
    "score_bias",
]
