"""What commands that go through random engines share: which engine has which number, and how many there are."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hamming import pool
from hamming.rtl.design import Design
from hamming.sim.stimulus import random_chain, random_design

__all__ = ["engine_of", "parsed"]


def engine_of(number: int, seed: int) -> Design:
    """Return the random design of a number.

    Every fourth is several engines in a chain, and of the others some have partial results.
    """
    rng = np.random.default_rng([seed, number])
    design = random_design(rng)
    if number % 4 == 3:
        return random_chain(design, rng)
    if number % 4 == 1 and design.config.selector == "histogram":
        return Design(design.spec, dataclasses.replace(design.config, output="partial", n_queries_a_row=1))
    return design


def parsed(
    parser: argparse.ArgumentParser, arguments: Sequence[str] | None, amount: str, *, configurations: int
) -> tuple[argparse.Namespace, pool.Pool]:
    """Parse `arguments`, among them those of every such command, and return the options and where jobs run.

    Parameters
    ----------
    parser
        Of what the command has beside them.
    amount
        The option of it that, like the number of engines, must be 1 or more.
    configurations
        Engines, unless told.
    """
    parser.add_argument(
        "--configurations", type=int, default=configurations, help="random designs (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of designs and inputs (default: %(default)s)")
    parser.add_argument("--output", type=Path, metavar="FILE.json", help="where to write everything, as JSON")
    pool.add_options(parser)
    options = parser.parse_args(arguments)
    for name in (amount, "configurations"):
        if getattr(options, name) < 1:
            parser.error(f"--{name} must be 1 or more, not {getattr(options, name)}")
    return options, pool.pool_of(parser, options)
