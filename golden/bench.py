"""How fast the integer model is, beside PyTorch's attention in the same process, and how much memory it takes.

    python -m hamming.golden.bench

Needs PyTorch, which the tests need as well.
"""

from __future__ import annotations

import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import click
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from hamming.golden.attention import attend
from hamming.golden.spec import AttentionSpec

__all__ = ["peak_memory", "times"]

D_HEAD, TOP_K = 64, 32

#: Queries and keys: a layer's, a long document's, and a few queries on the longest context.
SHAPES = ((1024, 1024), (16384, 16384), (64, 131_072))


def example(n_queries: int, n_keys: int) -> tuple[AttentionSpec, NDArray, NDArray, NDArray]:
    """Random queries and keys, of the flagship's shape."""
    rng = np.random.default_rng(0)
    spec = AttentionSpec.from_logit_scale(
        d_head=D_HEAD, d_value=D_HEAD, n_keys=n_keys, top_k=TOP_K, logit_scale=D_HEAD**-0.5
    )
    q, k = (rng.integers(0, 2, (n, D_HEAD), np.uint8) for n in (n_queries, n_keys))
    return spec, q, k, rng.integers(-128, 128, (n_keys, D_HEAD), np.int8)


def times(functions: dict[str, Callable[[], object]], n_rounds: int, n_runs: int) -> dict[str, list[float]]:
    """Seconds that each function takes, in `n_rounds` in which each has `n_runs` in a row.

    In a row, since PyTorch's idle threads keep a processor busy for a moment; in rounds, so that whatever else the
    machine does disturbs all alike.
    """
    seconds: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(n_rounds):
        for name, function in functions.items():
            function()  # warm up
            for _ in range(n_runs):
                start = time.perf_counter()
                function()
                seconds[name].append(time.perf_counter() - start)
    return seconds


def peak_memory(way: str, n_queries: int, n_keys: int) -> int:
    """Return the most memory, in bytes, that a process ever holds which attends once: by `golden`, or by `pytorch`.

    Call this before PyTorch is loaded: the new process starts with this one's peak.
    """
    code = f"from hamming.golden.bench import attend_once; attend_once({way!r}, {n_queries}, {n_keys})"
    command = [sys.executable, "-c", code]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def attend_once(way: str, n_queries: int, n_keys: int) -> None:
    """Attend, and print the most memory that this process ever held, in bytes."""
    spec, q, k, v = example(n_queries, n_keys)
    if way == "pytorch":
        next(iter(in_pytorch(q, k, v).values()))()
    else:
        attend(spec, q, k, v)
    unit = 1 if sys.platform == "darwin" else 1024
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit)


def in_pytorch(q: NDArray, k: NDArray, v: NDArray) -> dict[str, Callable[[], object]]:
    """Attention in float32; the last function keeps the top keys, as golden does, but leaves the order of ties open."""
    import torch  # here, and not above: see peak_memory

    qf, kf, vf = (torch.tensor(x, dtype=torch.float32) for x in (2.0 * q - 1, 2.0 * k - 1, v))
    q4, k4, v4 = (x[None, None] for x in (qf, kf, vf))
    attention = torch.nn.functional.scaled_dot_product_attention

    def top_keys() -> torch.Tensor:
        best = torch.topk(qf @ kf.T * D_HEAD**-0.5, TOP_K)
        return torch.softmax(best.values, dim=-1)[:, None] @ vf[best.indices]

    return {
        "PyTorch, all keys, 4 axes (fused)": lambda: attention(q4, k4, v4),
        "PyTorch, all keys, 2 axes": lambda: attention(qf, kf, vf),
        f"PyTorch, the top {TOP_K} keys": top_keys,
    }


def comparison(n_queries: int, n_keys: int, n_others: int, n_rounds: int, n_runs: int) -> Table:
    """Time golden and the first `n_others` of `in_pytorch`."""
    spec, q, k, v = example(n_queries, n_keys)
    golden = "golden: packed bits, integers"
    others = dict(list(in_pytorch(q, k, v).items())[:n_others])
    seconds = times({golden: lambda: attend(spec, q, k, v)} | others, n_rounds, n_runs)
    title = f"{n_queries} queries on {n_keys} keys, d = {D_HEAD}, k = {TOP_K}; {n_rounds * n_runs} runs each"
    table = Table(title=title)
    table.add_column("attention", min_width=33)
    for heading in ("median, ms", "time / golden's", "best, ms", "time / golden's"):
        table.add_column(heading, justify="right")
    for name, of_one in seconds.items():
        figures = []
        for statistic in (statistics.median, min):
            figures.append(f"{1000 * statistic(of_one):.2f}")
            figures.append(f"{statistic(of_one) / statistic(seconds[golden]):.2f}")
        table.add_row(name, *figures)
    return table


@click.command()
def main() -> None:
    """Time the integer model beside PyTorch's attention, and print tables: medians, best runs, peak memory."""
    console = Console(width=100)
    with console.status("Attending"):
        peaks = {shape: [peak_memory(way, *shape) for way in ("golden", "pytorch")] for shape in SHAPES[1:]}
        for shape, sizes in zip(SHAPES, ((3, 5, 20), (1, 3, 1), (1, 5, 3)), strict=True):
            console.print(comparison(*shape, *sizes))
    for (n_queries, n_keys), (own, theirs) in peaks.items():
        console.print(
            f"{n_queries} queries on {n_keys} keys: peak memory of a process {own / 2**20:.0f} MiB, "
            f"with PyTorch (fused) {theirs / 2**20:.0f} MiB"
        )

    import torch

    console.print(
        f"NumPy {np.__version__}, {os.cpu_count()} threads; PyTorch {torch.__version__}, {torch.get_num_threads()} "
        f"threads; Python {platform.python_version()}, {platform.machine()}"
    )


if __name__ == "__main__":
    main()
