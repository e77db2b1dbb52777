"""Seconds and peak memory of a piece of work in this process."""

from __future__ import annotations

import contextlib
import resource
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Cost", "measured"]

#: Linux: what resets the peak, and where it is then read.
_RESET, _STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")


@dataclass(kw_only=True)
class Cost:
    """What `measured` found, once its block is done.

    Attributes
    ----------
    seconds
        Wall time.
    cpu_seconds
        Processors' time, of all threads: what hardly depends on what else the machine does.
    peak_mib
        Most memory that the process held meanwhile, in MiB, everything that was there before included. Where the
        system cannot reset its peak (it can on Linux), the most it ever held.
    """

    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_mib: float = 0.0


@contextlib.contextmanager
def measured() -> Iterator[Cost]:
    """Measure what the block does."""
    found = Cost()
    with contextlib.suppress(OSError):
        _RESET.write_text("5")
    start, cpu_start = time.perf_counter(), time.process_time()
    yield found
    found.seconds, found.cpu_seconds = time.perf_counter() - start, time.process_time() - cpu_start
    found.peak_mib = _peak_kib() / 1024


def _peak_kib() -> float:
    with contextlib.suppress(OSError):
        for line in _STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return float(line.split()[1])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform == "darwin" else 1)
