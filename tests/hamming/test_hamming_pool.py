"""One pool: results as they come, whatever becomes of the others; and nothing left, whatever ends it."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hamming import alone
from hamming.pool import Failed, NoCluster, Pool, in_words
from tests.hamming import pool_jobs

ROOT = Path(__file__).parents[2]
SECONDS = 20


def until(condition: Callable[[], object]) -> None:
    ends_at = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < ends_at, "it did not come about"
        time.sleep(0.05)


def is_running(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def processes(folder: Path, *names: str) -> list[int]:
    """Wait for jobs that wait, and return their processes, guards and programs, and what these started: 4 each."""
    until(lambda: all((folder / name).exists() for name in names))
    found = [int(process) for name in names for process in (folder / name).read_text().split()]
    until(lambda: all(children(int((folder / name).read_text().split()[-1])) for name in names))
    return sorted({*found, *(child for process in found for child in children(process))})


def children(process: int) -> list[int]:
    done = subprocess.run(["ps", "-o", "pid=", "--ppid", str(process)], capture_output=True, text=True, check=False)
    return [int(pid) for pid in done.stdout.split()]


def spawn(*command: str, stderr: Any = subprocess.DEVNULL, cwd: Path = ROOT) -> subprocess.Popen[bytes]:
    """Start a program that heeds the signals which the one that runs the tests may have been told to ignore."""

    def heed() -> None:
        for number in (signal.SIGHUP, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)

    return subprocess.Popen(
        [sys.executable, *command],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, sys.path)])},
        stdout=subprocess.DEVNULL,
        preexec_fn=heed,
        stderr=stderr,
        cwd=cwd,
    )


def test_results_are_those_of_any_number_of_workers(capfd):
    jobs = {f"job {seed}": (seed,) for seed in range(6)}
    found = []
    for workers in (1, 4):
        with Pool(workers).results(pool_jobs.draws, jobs) as results:
            found.append(dict(results))
    assert found[0] == found[1]
    assert found[0].keys() == jobs.keys()
    assert {state for state, _ in found[0].values()} == {0.0}  # no job saw another
    assert "jobs: 6 of 6: job" in capfd.readouterr().err


def test_results_come_as_they_are_done(tmp_path):
    jobs = {"long": (tmp_path, "long", 1000), "short": (tmp_path, "short", 0)}
    with Pool(2).results(pool_jobs.wait, jobs) as results:
        assert next(results) == ("short", "short")
        left = processes(tmp_path, "long")
        assert all(map(is_running, left))
    assert not any(map(is_running, left))


def test_jobs_that_fail_lose_no_other_and_are_all_told():
    found = {}
    with (
        pytest.raises(Failed) as caught,
        Pool(2).results(pool_jobs.stumble, {f"job {number}": (number,) for number in range(5)}) as results,
    ):
        found.update(results)
    assert found == {"job 0": 0, "job 4": 4}
    assert list(caught.value.errors) == ["job 1", "job 2", "job 3"]
    said = str(caught.value)
    assert said.startswith("3 of 5 jobs failed\njob 1: ")
    assert "NeedsTwo: this and that" in said
    assert 'raise KeyError("a bug")' in said  # where a bug is
    assert "job 3: its process ended without a result, with status 0, 3 times" in said


def test_an_error_in_words_needs_no_traceback():
    error = alone.Died("it died")
    error.add_note("Traceback")
    assert in_words(error) == "it died"


@pytest.mark.parametrize("n_deaths", [2, 3])
def test_a_process_that_dies_is_tried_again(tmp_path, n_deaths):
    attempts = tmp_path / "attempts"
    attempts.mkdir()
    found = {}
    jobs = {f"job {number}": (number, attempts, n_deaths) for number in range(4)}
    ends = (
        contextlib.nullcontext() if n_deaths < 3 else pytest.raises(Failed, match=r"1 of 4 jobs failed\njob 1: .*KILL")
    )
    with ends, Pool(2).results(pool_jobs.die, jobs) as results:
        found.update(results)
    assert found == {f"job {number}": number for number in range(4) if number != 1 or n_deaths < 3}
    left = [int(file.read_text()) for file in tmp_path.glob("left-*")]
    assert len(left) == n_deaths
    assert not any(map(is_running, left))


def test_an_exception_in_the_midst_leaves_no_process(tmp_path):
    with (
        contextlib.suppress(ZeroDivisionError),
        Pool(1).results(pool_jobs.wait, {name: (tmp_path, name) for name in ("one", "two")}),
    ):
        left = processes(tmp_path, "one")
        assert len(left) == 4
        assert all(map(is_running, left))
        raise ZeroDivisionError
    assert not any(map(is_running, left))
    assert not (tmp_path / "two").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_a_signal_leaves_no_process_and_no_temporary_file(tmp_path, monkeypatch, number):
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    with spawn("-m", "tests.hamming.pool_jobs", str(tmp_path)) as process:
        left = processes(tmp_path, "one", "two")
        assert len(left) == 8
        assert all(map(is_running, left))
        process.send_signal(number)
        status = process.wait(SECONDS)
    assert status == (128 + number if number in (signal.SIGTERM, signal.SIGHUP) else -number)
    if number == signal.SIGKILL:  # nobody has waited for the guards
        until(lambda: not any(map(is_running, left)))
    assert not any(map(is_running, left))
    assert not list((tmp_path / "temporary").iterdir())


@pytest.mark.parametrize("place", [0, 1], ids=["worker", "guard"])
def test_killing_a_part_leaves_no_other(tmp_path, monkeypatch, place):
    """The worker or its guard, by SIGKILL: the job is begun again, and no process of the first time is left."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))  # where a guard that is killed leaves an empty folder
    with Pool(1).results(pool_jobs.wait, {"one": (tmp_path, "one")}):
        first = processes(tmp_path, "one")
        killed = int((tmp_path / "one").read_text().split()[place])
        (tmp_path / "one").unlink()
        os.kill(killed, signal.SIGKILL)
        second = processes(tmp_path, "one")
        assert not set(first) & set(second)
        until(lambda: not any(map(is_running, first)))
        assert all(map(is_running, second))
    assert not any(map(is_running, second))


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match="workers must be 1 or more, not 0"):
        Pool(0)

    def of_main() -> None: ...

    of_main.__module__ = "__main__"
    with pytest.raises(ValueError, match=r"of_main is of __main__; another process needs it in a module"):
        alone.packed(of_main)


def test_without_dask_a_cluster_is_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with (
        pytest.raises(NoCluster, match=r"Dask is not installed: pip install 'hamming-attention\[cluster\]'"),
        Pool(cluster="tcp://127.0.0.1:1").results(pool_jobs.square, {"one": (1,)}),
    ):
        pass


def test_no_scheduler_is_one_line(monkeypatch):
    pytest.importorskip("distributed", reason="pip install distributed runs jobs on a cluster")
    monkeypatch.setattr("hamming.pool._CONNECT_SECONDS", 1)
    with (
        pytest.raises(
            NoCluster, match=r"no Dask scheduler answers at 'tcp://127.0.0.1:1': .*; `dask scheduler` starts"
        ),
        Pool(cluster="tcp://127.0.0.1:1").results(pool_jobs.square, {"one": (1,)}),
    ):
        pass


@pytest.fixture
def cluster(tmp_path) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """A scheduler and two workers, by their command lines and over TCP; gives its address and the workers."""
    pytest.importorskip("distributed", reason="pip install distributed runs jobs on a cluster")
    with contextlib.ExitStack() as stack:

        def start(*arguments: str) -> tuple[subprocess.Popen[bytes], Path]:
            log = tmp_path / f"{arguments[0]}-{time.monotonic_ns()}.log"
            with log.open("w") as file:
                process = spawn("-m", "dask", *arguments, stderr=file, cwd=tmp_path)
            stack.callback(process.wait)
            stack.callback(process.kill)
            return process, log

        _, log = start("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard")
        until(lambda: re.search(r"Scheduler at: +tcp://\S+", log.read_text()))
        address = re.findall(r"Scheduler at: +(tcp://\S+)", log.read_text())[0]
        started = [
            start("worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard", "--host", "127.0.0.1")
            for _ in range(2)
        ]
        for _, log in started:
            until(lambda log=log: "Registered to:" in log.read_text())
        yield address, [process for process, _ in started]


def test_a_cluster_one_of_whose_workers_is_killed_in_mid_job(cluster, tmp_path):
    address, workers = cluster
    names = ["one", "two", "three", "four"]
    jobs = {name: (tmp_path, name, 2) for name in names}
    with Pool(cluster=address).results(pool_jobs.wait, jobs) as results:
        until(lambda: len([name for name in names if (tmp_path / name).exists()]) == 2)
        begun = [name for name in names if (tmp_path / name).exists()]
        of_each = {name: processes(tmp_path, name) for name in begun}
        killed = workers[0].pid
        lost = next(name for name, found in of_each.items() if set(found) & set(children(killed)))
        os.kill(killed, signal.SIGKILL)
        until(lambda: not any(map(is_running, of_each[lost])))  # what it had started is gone, too
        assert sorted(results) == sorted((name, name) for name in names)
    assert workers[0].wait(SECONDS) == -signal.SIGKILL
    assert workers[1].poll() is None


def test_a_cluster_gives_errors_and_the_others_results(cluster):
    found = {}
    with (
        pytest.raises(Failed, match=r"3 of 5 jobs failed\njob 1: (.|\n)*KeyError(.|\n)*job 3: .*status 0, 3 times"),
        Pool(cluster=cluster[0]).results(
            pool_jobs.stumble, {f"job {number}": (number,) for number in range(5)}
        ) as results,
    ):
        found.update(results)
    assert found == {"job 0": 0, "job 4": 4}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_ending_a_command_ends_its_jobs_on_the_cluster(cluster, tmp_path, number):
    address, workers = cluster
    with spawn("-m", "tests.hamming.pool_jobs", str(tmp_path), address) as process:
        left = processes(tmp_path, "one", "two")
        assert all(map(is_running, left))
        process.send_signal(number)
        process.wait(SECONDS)
    until(lambda: not any(map(is_running, left)))
    assert [worker.poll() for worker in workers] == [None, None]
