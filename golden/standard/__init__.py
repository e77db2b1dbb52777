"""The baseline's golden model: queries, keys and values of 8 or 4 bits in; softmax attention over all keys, exact, out.

`bf16` is the same in bfloat16.
"""

from hamming.golden.standard.inputs import QuantizedInputs, quantize_inputs
from hamming.golden.standard.model import StandardAttention, attend_standard, digits, score_bias
from hamming.golden.standard.spec import CLIP, ELEMENT_BITS, StandardSpec, logit_scale_of, unit_of

__all__ = [
    "CLIP",
    "ELEMENT_BITS",
    "QuantizedInputs",
    "StandardAttention",
    "StandardSpec",
    "attend_standard",
    "digits",
    "logit_scale_of",
    "quantize_inputs",
    "score_bias",
    "unit_of",
]
