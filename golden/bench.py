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

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from hamming.golden.attention import attend
from hamming.golden.spec import AttentionSpec

__all__ = ["peak_memory", "times"]

D_HEAD, TOP_K = 64, 32
N_KEYS, N_KEYS_LONG = 1024, 16384


def example(n_keys: int) -> tuple[AttentionSpec, NDArray, NDArray, NDArray]:
    """As many random queries as keys, of the flagship's shape."""
    rng = np.random.default_rng(0)
    spec = AttentionSpec.from_logit_scale(
        d_head=D_HEAD, d_value=D_HEAD, n_keys=n_keys, top_k=TOP_K, logit_scale=D_HEAD**-0.5
    )
    q, k = (rng.integers(0, 2, (n_keys, D_HEAD), np.uint8) for _ in range(2))
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


def peak_memory(n_keys: int) -> int:
    """Return the most memory, in bytes, that a process ever holds which attends once.

    Call this before PyTorch is loaded: the new process starts with this one's peak.
    """
    command = [sys.executable, "-m", "hamming.golden.bench", str(n_keys)]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def attend_once(n_keys: int) -> None:
    """Attend, and print the most memory that this process ever held, in bytes."""
    attend(*example(n_keys))
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


def comparison(n_keys: int, n_others: int, n_rounds: int, n_runs: int) -> Table:
    """Time golden and the first `n_others` of `in_pytorch`."""
    spec, q, k, v = example(n_keys)
    golden = "golden: packed bits, integers"
    others = dict(list(in_pytorch(q, k, v).items())[:n_others])
    seconds = times({golden: lambda: attend(spec, q, k, v)} | others, n_rounds, n_runs)
    table = Table(title=f"{n_keys} queries on {n_keys} keys, d = {D_HEAD}, k = {TOP_K}; {n_rounds * n_runs} runs each")
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


def main() -> None:
    """Print what was measured."""
    console = Console(width=100)
    with console.status("Attending"):
        peak = peak_memory(N_KEYS_LONG)
        console.print(comparison(N_KEYS, n_others=3, n_rounds=5, n_runs=20))
        console.print(comparison(N_KEYS_LONG, n_others=1, n_rounds=3, n_runs=1))
    console.print(f"{N_KEYS_LONG} queries on {N_KEYS_LONG} keys: peak memory of a process {peak / 2**20:.0f} MiB")

    import torch

    console.print(
        f"NumPy {np.__version__}, {os.cpu_count()} threads; PyTorch {torch.__version__}, {torch.get_num_threads()} "
        f"threads; Python {platform.python_version()}, {platform.machine()}"
    )


if __name__ == "__main__":
    if len(sys.argv) > 1:
        attend_once(int(sys.argv[1]))
    else:
        main()
