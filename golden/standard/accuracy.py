"""What the baselines' arithmetic costs: against floating point, on normal queries, keys and values.

    python -m hamming.golden.standard.accuracy

prints the cosine similarity of outputs to float64 attention of the unrounded inputs; `docs/baseline.md` discusses it.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import click
import numpy as np
from numpy.typing import NDArray

from hamming.golden.accuracy import cosine
from hamming.golden.ideal import softmax_attention
from hamming.golden.standard import CLIP, StandardSpec, attend_standard, quantize_inputs
from hamming.golden.standard.bf16 import Bf16Spec, attend_bf16
from hamming.golden.standard.bf16_arithmetic import from_patterns, to_patterns

__all__ = ["BaselineError", "float_error"]

#: Shapes shown: elements, keys, lanes, and the queries' and keys' standard deviation.
SHAPES = ((64, 128, 2, 1.0), (64, 1024, 16, 1.0), (64, 1024, 16, 1.5))
N_QUERIES = 128


@dataclass(frozen=True, kw_only=True)
class BaselineError:
    """Cosine similarities to float64 attention, mean and worst over queries.

    `int8_inputs` and `int4_inputs` are of float attention over the rounded queries and keys: what rounding the inputs
    alone costs.
    """

    int8_inputs: tuple[float, float]
    int8: tuple[float, float]
    int4_inputs: tuple[float, float]
    int4: tuple[float, float]
    bf16: tuple[float, float]


def float_error(
    d_head: int, n_keys: int, n_lanes: int, sigma: float, *, n_queries: int = N_QUERIES, seed: int = 0
) -> BaselineError:
    """Compare all widths with float64 attention of the same random inputs.

    Parameters
    ----------
    d_head, n_keys, n_lanes
        Sizes; values have `d_head` elements.
    sigma
        Standard deviation of queries and keys: logits have one of `sigma**2`.
    n_queries, seed
        Of the random inputs.
    """
    rng = np.random.default_rng(seed)
    q, k = (sigma * rng.normal(size=(n, d_head)) for n in (n_queries, n_keys))
    v = rng.normal(size=(n_keys, d_head))
    sizes = {"d_head": d_head, "d_value": d_head, "n_keys": n_keys}
    ideal = softmax_attention(q, k, v, d_head**-0.5)

    cosines = {}
    for bits, clip in ((8, None), (4, CLIP[4])):
        inputs = quantize_inputs(q, k, v, element_bits=bits, clip=clip)
        scale = float(inputs.logit_scale)
        spec = StandardSpec.from_logit_scale(**sizes, logit_scale=scale, element_bits=bits)
        out = attend_standard(spec, inputs.q, inputs.k, inputs.v).out * inputs.v_scale / 2**spec.out_frac_bits
        cosines[f"int{bits}_inputs"] = _cosine(softmax_attention(inputs.q, inputs.k, v, scale), ideal)
        cosines[f"int{bits}"] = _cosine(out, ideal)
    wide = Bf16Spec.from_logit_scale(**sizes, n_lanes=n_lanes, n_sums=3, logit_scale=d_head**-0.5)
    out_bf16 = from_patterns(attend_bf16(wide, *(to_patterns(x) for x in (q, k, v))).out)
    return BaselineError(**cosines, bf16=_cosine(out_bf16, ideal))


def _cosine(a: NDArray, b: NDArray) -> tuple[float, float]:
    found = cosine(a, b)
    return float(found.mean()), float(found.min())


@click.command()
def main() -> None:
    """Print how far the baselines' outputs are from attention in float64, as the table of docs/baseline.md."""
    kinds = [field.name.replace("_inputs", " inputs alone") for field in dataclasses.fields(BaselineError)]
    print(f"| d | keys | sigma |{''.join(f' {kind}, mean | worst |' for kind in kinds)}")
    print(f"|{'---:|' * (3 + 2 * len(kinds))}")
    for d_head, n_keys, n_lanes, sigma in SHAPES:
        error = float_error(d_head, n_keys, n_lanes, sigma)
        figures = (figure for field in dataclasses.fields(error) for figure in getattr(error, field.name))
        print(f"| {d_head} | {n_keys} | {sigma} | {' | '.join(f'{figure:.5f}' for figure in figures)} |")


if __name__ == "__main__":
    main()
