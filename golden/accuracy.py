"""What each width costs: the integers against floating point, on a real transformer's heads.

    python -m hamming.golden.accuracy

prints, for each width and number of kept keys, the cosine similarity of the outputs; `docs/accuracy.md` discusses it.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from hamming.golden.attention import attend
from hamming.golden.fixture import MINILM_LAYERS, AttentionInputs, load_minilm
from hamming.golden.ideal import dense_attention, had_attention
from hamming.golden.spec import AttentionSpec
from hamming.golden.values import quantize

__all__ = ["Cosines", "Widths", "cosines", "markdown"]


@dataclass(frozen=True, kw_only=True)
class Widths:
    """What is swept; the defaults are the spec's, and the presets' `top_k`."""

    weight_bits: int = 12
    value_bits: int = 8
    out_frac_bits: int = 8
    top_k: int = 30
    weight_form: str = "exponential"


#: Columns of the terminal that the table takes, wherever it is printed.
WIDTH = 100

SWEEPS: dict[str, Sequence[int]] = {
    "weight_bits": range(4, 17),
    "value_bits": (4, 6, 8, 10, 12),
    "out_frac_bits": range(9),
    "top_k": (8, 16, 30, 64),
}


def integer_attention(inputs: AttentionInputs, widths: Widths, logit_scale: NDArray[np.float64]) -> NDArray[np.float64]:
    """Attend with each head's own table, and scale the integers back: `(n_heads, n_tokens, d_value)`."""
    n_heads, n_tokens, d_head = inputs.q.shape
    v, v_scale = quantize(inputs.v, widths.value_bits)
    out = np.empty(inputs.v.shape)
    for head in range(n_heads):
        spec = AttentionSpec.from_logit_scale(
            d_head=d_head,
            d_value=inputs.v.shape[-1],
            n_keys=n_tokens,
            top_k=widths.top_k,
            logit_scale=float(logit_scale[head]),
            weight_bits=widths.weight_bits,
            weight_form=widths.weight_form,
            value_bits=widths.value_bits,
            out_frac_bits=widths.out_frac_bits,
        )
        out[head] = attend(spec, inputs.q[head], inputs.k[head], v[head]).out
    return out * v_scale / 2**widths.out_frac_bits


def cosine(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cosine similarity along the last axis; 0 where either is zero."""
    norms = np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1)
    return (a * b).sum(axis=-1) / np.where(norms == 0, 1, norms)


@cache
def float_attention(layer: int, top_k: int | None) -> NDArray[np.float64]:
    """Float HAD on the layer's bits and real values; over all keys where `top_k` is None."""
    inputs = load_minilm(layer)
    scale = inputs.logit_scale[:, None, None]
    if top_k is None:
        return dense_attention(inputs.q, inputs.k, inputs.v, scale)
    return had_attention(inputs.q, inputs.k, inputs.v, scale, top_k)


@dataclass(frozen=True, kw_only=True, eq=False)
class Cosines:
    """Cosine similarities of the integer output to a floating-point one, with the same bits and the real values.

    Attributes
    ----------
    had, dense
        Of each head's output, to float HAD and to float attention over all keys, `(n_layers, n_heads, n_tokens)`.
    had_token
        Of each token's, the outputs of all heads together as the next layer sees them, to float HAD,
        `(n_layers, n_tokens)`.
    """

    had: NDArray[np.float64]
    dense: NDArray[np.float64]
    had_token: NDArray[np.float64]


def cosines(widths: Widths, *, is_one_table: bool = False) -> Cosines:
    """Compare all heads of the layers kept.

    Parameters
    ----------
    widths
        Of the integers.
    is_one_table
        Give all heads of a layer the table of their mean logit scale, in place of each its own.
    """
    had, dense, had_token = [], [], []
    for layer in MINILM_LAYERS:
        inputs = load_minilm(layer)
        scale = np.full_like(inputs.logit_scale, inputs.logit_scale.mean()) if is_one_table else inputs.logit_scale
        out = integer_attention(inputs, widths, scale)
        ideal = float_attention(layer, widths.top_k)
        had.append(cosine(out, ideal))
        dense.append(cosine(out, float_attention(layer, None)))
        had_token.append(cosine(_by_token(out), _by_token(ideal)))
    return Cosines(had=np.stack(had), dense=np.stack(dense), had_token=np.stack(had_token))


def _by_token(out: NDArray[np.float64]) -> NDArray[np.float64]:
    return out.swapaxes(0, 1).reshape(out.shape[1], -1)


HEADINGS = (
    "HAD\na head\nmean",
    "HAD\na head\nworst",
    "HAD\na token\nmean",
    "HAD\na token\nworst",
    "all keys\na head\nmean",
    "all keys\na head\nworst",
)


def rows() -> Iterator[tuple[str, str, list[float]]]:
    """Each sweep's parameter and value, and the figures of `HEADINGS`; then other tables: of a layer, of shifts."""
    for name, values in SWEEPS.items():
        for value in values:
            mark = "*" if value == getattr(Widths(), name) else ""
            yield name, f"{value}{mark}", _figures(cosines(replace(Widths(), **{name: value})))
    yield "table", "the layer's", _figures(cosines(Widths(), is_one_table=True))
    yield "table", "powers of two", _figures(cosines(Widths(weight_form="power_of_two")))


def _figures(found: Cosines) -> list[float]:
    return [statistic for part in (found.had, found.had_token, found.dense) for statistic in (part.mean(), part.min())]


def markdown() -> Iterator[str]:
    """Lines of the table in `docs/accuracy.md`."""
    headings = [heading.replace("\n", ", ") for heading in ("parameter", "value", *HEADINGS)]
    yield f"| {' | '.join(headings)} |"
    yield f"|---|{'---:|' * (len(headings) - 1)}"
    for name, value, figures in rows():
        yield f"| {name} | {value} | {' | '.join(f'{figure:.5f}' for figure in figures)} |"


def terminal() -> Table:
    """Lay the table out for the terminal."""
    table = Table(
        title="Cosine to floating point: all-MiniLM-L6-v2, first and fifth layer, 24 heads, 128 tokens",
        caption="One parameter at a time, the others at the defaults (marked *).",
    )
    table.add_column("parameter", no_wrap=True)
    for heading in ("value", *HEADINGS):
        table.add_column(heading, justify="right", no_wrap=True)
    previous = ""
    for name, value, figures in rows():
        if previous not in ("", name):
            table.add_section()
        previous = name
        table.add_row(name, value, *(f"{figure:.5f}" for figure in figures))
    return table


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m hamming.golden.accuracy", description=main.__doc__)
    parser.add_argument("--markdown", action="store_true", help="in the form of docs/accuracy.md")
    if parser.parse_args().markdown:
        print(*markdown(), sep="\n")
    else:
        Console(width=WIDTH).print(terminal())


if __name__ == "__main__":
    main()
