"""Queries, keys and values of a real transformer, kept in the package.

They are what two attention layers of all-MiniLM-L6-v2 (12 heads of 32; Apache-2.0) compute for 128 tokens of a
paragraph; `tests/fixtures/make_minilm.py` made them, and says how. `hamming sample-vectors` writes them as a file.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hamming.golden.checks import require_int
from hamming.golden.values import quantize

__all__ = ["MINILM_LAYERS", "MINILM_PATH", "AttentionInputs", "load_minilm", "minilm_vectors"]

MINILM_PATH = Path(__file__).parent / "data" / "minilm.npz"

#: The layers kept, counted from 0. Heads of the first have logit scales from 0.09, a softmax that is nearly flat, to
#: 1.31, nearly one-hot: the widest range of the six. Those of the fifth have the mean of all six, 0.29.
MINILM_LAYERS = (0, 4)


@dataclass(frozen=True, kw_only=True, eq=False)
class AttentionInputs:
    """What the heads of one attention layer compute with.

    Attributes
    ----------
    q, k
        Signs of queries and keys as bits, `(n_heads, n_tokens, d_head)`.
    v
        Value vectors, real numbers rounded to half precision, `(n_heads, n_tokens, d_value)`.
    sigma_q, sigma_k
        Standard deviations of the real queries and keys, over a head's tokens and elements, `(n_heads,)`.
    """

    q: NDArray[np.uint8]
    k: NDArray[np.uint8]
    v: NDArray[np.float16]
    sigma_q: NDArray[np.float64]
    sigma_k: NDArray[np.float64]

    @property
    def logit_scale(self) -> NDArray[np.float64]:
        """Of each head: `sigma_q * sigma_k / sqrt(d_head)` (HAD, arXiv 2502.01770), `(n_heads,)`."""
        return self.sigma_q * self.sigma_k / np.sqrt(self.q.shape[-1])


def load_minilm(layer: int = MINILM_LAYERS[-1]) -> AttentionInputs:
    """Return the inputs of a layer's 12 heads of 32, for 128 tokens.

    Parameters
    ----------
    layer
        One of `MINILM_LAYERS`.
    """
    if require_int("layer", layer, 0) not in MINILM_LAYERS:
        raise ValueError(f"layer must be one of {', '.join(map(str, MINILM_LAYERS))}, not {layer}")
    position = MINILM_LAYERS.index(layer)
    with np.load(MINILM_PATH) as stored:
        q, k = (np.unpackbits(stored[name][position], axis=-1, bitorder="little") for name in ("q_bits", "k_bits"))
        v, sigma_q, sigma_k = (stored[name][position] for name in ("v", "sigma_q", "sigma_k"))
    return AttentionInputs(q=q, k=k, v=v, sigma_q=sigma_q, sigma_k=sigma_k)


def minilm_vectors(value_bits: int = 8) -> dict[str, NDArray[Any]]:
    """Return `q`, `k` and `v` of all heads of both layers, `(24, 128, 32)`; values are integers of `value_bits`.

    Raises
    ------
    ValueError, TypeError
        `value_bits` is none that a spec can have.
    """
    layers = [load_minilm(layer) for layer in MINILM_LAYERS]
    return {
        "q": np.concatenate([layer.q for layer in layers]),
        "k": np.concatenate([layer.k for layer in layers]),
        "v": np.concatenate([quantize(layer.v, value_bits).integers for layer in layers]),
    }
