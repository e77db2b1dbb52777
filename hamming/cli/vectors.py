"""The command that writes vectors to begin with: sample-vectors."""

from __future__ import annotations

from pathlib import Path

import click

from hamming.cli.common import file_option, outputs

__all__ = ["sample_vectors"]


@click.command()
@file_option("-o", "--output", required=True, metavar="OUT.npz", help="Gets q, k and v.")
@click.option("--value-bits", type=click.IntRange(2, 16), default=8, show_default=True, help="Value elements.")
def sample_vectors(output: Path, value_bits: int) -> None:
    """Write queries, keys and values of a real transformer.

    They are those of two attention layers of all-MiniLM-L6-v2 on a paragraph of 128 tokens: 24 heads, 128 queries and
    keys of 32 bits each, and values of 32 integers, which the preset minilm takes as they are.

    \b
    Examples:
      hamming sample-vectors -o vectors.npz
      hamming run minilm --vectors vectors.npz --output outputs.npz
      hamming simulate minilm --vectors vectors.npz
    """
    with outputs(output) as files:
        from hamming.golden.fixture import minilm_vectors

        vectors = minilm_vectors(value_bits)
        files.save_arrays(output, **vectors)
    heads, queries, bits = vectors["q"].shape
    click.echo(f"{output}: {heads} heads of {queries} queries and keys of {bits} bits")
