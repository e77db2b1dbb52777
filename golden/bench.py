"""How fast the integer model is, beside PyTorch's attention in the same process, and how much memory it takes.

    python -m golden.bench

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

from golden.attention import attend
from golden.spec import AttentionSpec

__all__ = ["median_seconds", "peak_memory"]

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


def median_seconds(functions: dict[str, Callable[[], object]], n_rounds: int = 5, n_runs: int = 20) -> dict[str, float]:
    """Median time of each function, over `n_rounds` in which each has `n_runs` in a row.

    In a row, since PyTorch's idle threads keep a processor busy for a moment; in rounds, so that whatever else the
    machine does disturbs all alike.
    """
    seconds: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(n_rounds):
        for name, function in functions.items():
            for run in range(-2, n_runs):
                start = time.perf_counter()
                function()
                if run >= 0:  # the first ones warm up
                    seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(times) for name, times in seconds.items()}


def peak_memory(n_keys: int) -> tuple[float, float]:
    """Seconds that attending takes, and the most memory that its process ever held, in bytes.

    It runs in a process of its own. Call this before PyTorch is loaded: a process starts with its parent's peak.
    """
    answer = subprocess.run(
        [sys.executable, "-m", "golden.bench", str(n_keys)], check=True, capture_output=True, text=True
    )
    seconds, peak = map(float, answer.stdout.split())
    return seconds, peak


def measure_here(n_keys: int) -> None:
    """Print what `peak_memory` returns, of this process."""
    arguments = example(n_keys)
    start = time.perf_counter()
    attend(*arguments)
    seconds = time.perf_counter() - start
    unit = 1 if sys.platform == "darwin" else 1024
    print(seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit)


def in_pytorch(q: NDArray, k: NDArray, v: NDArray) -> tuple[dict[str, Callable[[], object]], str]:
    """Attention in float32, and PyTorch's version and threads.

    The last function keeps the top keys as golden does, by `torch.topk` (which leaves the order of ties open).
    """
    import torch  # here, and not above: see peak_memory

    qf, kf, vf = (torch.tensor(x, dtype=torch.float32) for x in (2.0 * q - 1, 2.0 * k - 1, v))
    q4, k4, v4 = (x[None, None] for x in (qf, kf, vf))
    attention = torch.nn.functional.scaled_dot_product_attention

    def had() -> torch.Tensor:
        best = torch.topk(qf @ kf.T * D_HEAD**-0.5, TOP_K)
        return torch.softmax(best.values, dim=-1)[:, None] @ vf[best.indices]

    return {
        "PyTorch, all keys, (1, 1, 1024, 64): fused": lambda: attention(q4, k4, v4),
        "PyTorch, all keys, (1024, 64)": lambda: attention(qf, kf, vf),
        "PyTorch, the top 32 keys, (1024, 64)": had,
    }, f"PyTorch {torch.__version__}, {torch.get_num_threads()} threads"


def main() -> None:
    """Print the table."""
    console = Console(width=100)
    with console.status(f"{N_KEYS_LONG} queries on {N_KEYS_LONG} keys"):
        seconds, peak = peak_memory(N_KEYS_LONG)

    spec, q, k, v = example(N_KEYS)
    others, version = in_pytorch(q, k, v)
    with console.status(f"{N_KEYS} queries on {N_KEYS} keys"):
        medians = median_seconds({"golden: packed bits, integers": lambda: attend(spec, q, k, v)} | others)

    table = Table(title=f"{N_KEYS} queries on {N_KEYS} keys, d = {D_HEAD}, k = {TOP_K}")
    table.add_column("attention")
    table.add_column("median, ms", justify="right")
    table.add_column("time / golden's", justify="right")
    golden, *_ = medians.values()
    for name, median in medians.items():
        table.add_row(name, f"{1000 * median:.2f}", f"{median / golden:.2f}")
    console.print(table)
    console.print(
        f"{N_KEYS_LONG} queries on {N_KEYS_LONG} keys: {seconds:.2f} s, peak memory {peak / 2**20:.0f} MiB\n"
        f"NumPy {np.__version__}, {os.cpu_count()} threads; {version}; Python {platform.python_version()}, "
        f"{platform.machine()}"
    )


if __name__ == "__main__":
    if len(sys.argv) > 1:
        measure_here(int(sys.argv[1]))
    else:
        main()
