"""Jobs for the tests of the pool: functions that its processes find by their names."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from hamming.pool import Pool


class NeedsTwo(Exception):
    """An exception that its message alone does not make again."""

    def __init__(self, one: str, two: str) -> None:
        super().__init__(f"{one} and {two}")


def square(number: int) -> int:
    return number * number


def draws(seed: int) -> list[float]:
    """Numbers of a seed; and of whatever an earlier job in the same process would have left."""
    state = random.random() if "left" in globals() else 0.0
    globals()["left"] = True
    random.seed(seed)
    return [state, random.random()]


def stumble(number: int) -> int:
    if number == 1:
        raise NeedsTwo("this", "that")
    if number == 2:
        raise KeyError("a bug")
    if number == 3:
        sys.exit(0)
    return number


def die(number: int, attempts: Path, n_deaths: int) -> int:
    """Be killed in mid-job, the first times."""
    n_before = len(list(attempts.iterdir()))
    if number == 1 and n_before < n_deaths:
        (attempts / str(n_before)).touch()
        child = subprocess.Popen(["sleep", "1000"], start_new_session=True)
        (attempts.parent / f"left-{n_before}").write_text(str(child.pid))
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def wait(folder: Path, name: str, seconds: float = 1000) -> str:
    """Start a program in a session of its own, which starts another, and wait for long; end both as tools are ended."""
    program = f"import subprocess; print(flush=True); subprocess.run(['sleep', '{2 * seconds}'])"
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, start_new_session=True)
    try:
        assert process.stdout is not None
        process.stdout.readline()
        (folder / f".{name}").write_text(f"{os.getpid()} {os.getppid()} {process.pid}")
        (folder / f".{name}").rename(folder / name)
        time.sleep(seconds)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
    return name


def main(arguments: Sequence[str]) -> None:
    """Run jobs that wait: the folder, and the cluster's address if there is one."""
    folder, *cluster = arguments
    pool = Pool(2, *cluster)
    with pool.results(wait, {name: (Path(folder), name) for name in ("one", "two")}) as results:
        print(list(results))


if __name__ == "__main__":
    from tests.hamming import pool_jobs

    pool_jobs.main(sys.argv[1:])
