"""Independent jobs side by side: in processes of this machine, or on a Dask cluster.

Each attempt at a job runs in a process of its own (`hamming.alone`), here and on the cluster's workers alike, so that
nothing that one job does reaches another: a result is a function of the job's arguments, and not of how many workers
there are or of which job came before. A process that dies costs its job another attempt; a worker of the cluster that
dies, too (Dask's `distributed.scheduler.allowed-failures`). What ends the run ends all that its jobs started.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import pickle
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import CancelledError, Executor, Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from hamming import alone
from hamming.signals import signals_are_exceptions

__all__ = ["Failed", "NoCluster", "Pool", "add_options", "pool_of", "takes_pool"]

#: Jobs at a time on one machine, unless told: a large engine's synthesis takes gigabytes.
WORKERS = 2

#: How often a job is tried whose process dies.
ATTEMPTS = 3

_CONNECT_SECONDS = 10

_WORKERS_HELP = "Jobs at a time, on this machine."
_CLUSTER_HELP = "Address of a Dask scheduler, as tcp://HOST:8786: the jobs run on its workers."


class NoCluster(click.ClickException):
    """There is no such cluster; the message says what to do."""


class Failed(click.ClickException):
    """Some jobs failed; the message has a line for each, and the traceback of what is no error in words.

    Attributes
    ----------
    errors
        What ended each of them, by its name.
    """

    def __init__(self, errors: Mapping[str, Exception], n_jobs: int) -> None:
        self.errors = dict(errors)
        self.n_jobs = n_jobs
        lines = [f"{len(errors)} of {n_jobs} jobs failed"]
        for name, error in errors.items():
            lines.append(f"{name}: {in_words(error)}")
        super().__init__("\n".join(lines))


def in_words(error: Exception) -> str:
    """Return an error's message; of one of Python's own, which may be a bug, its traceback."""
    notes = getattr(error, "__notes__", [])
    return "\n".join(notes).rstrip() if type(error).__module__ == "builtins" and notes else str(error)


@dataclass(frozen=True)
class Pool:
    """Where jobs run.

    Parameters
    ----------
    workers
        Jobs at a time on this machine.
    cluster
        Address of a Dask scheduler, whose workers do them instead.

    Raises
    ------
    ValueError
        Fewer than one worker.
    """

    workers: int = WORKERS
    cluster: str | None = None

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise ValueError(f"workers must be 1 or more, not {self.workers}")

    @contextlib.contextmanager
    def results(
        self, function: Callable[..., Any], jobs: Mapping[str, tuple[Any, ...]], what: str = "jobs"
    ) -> Iterator[Iterator[tuple[str, Any]]]:
        """Do jobs, and give an iterator over names and results, as they come.

        Leaving the context ends what still runs. The iterator raises `Failed` at its end if jobs failed; the results
        of the others have been handed over by then.

        Parameters
        ----------
        function
            Does a job; found by its name in its module, which workers import.
        jobs
            Its arguments, by the job's name. Seeds are among them.
        what
            What the jobs are, for the progress on standard error: a bar, or a line for each where that is no terminal.

        Raises
        ------
        NoCluster
            No scheduler answers, or `distributed` is not installed.
        """
        works = {name: alone.packed(function, *arguments) for name, arguments in jobs.items()}
        executor = _local(self.workers) if self.cluster is None else _cluster(self.cluster)
        with signals_are_exceptions(), executor as submit, _progress(what, len(works)) as tell:
            futures = {submit(work): name for name, work in works.items()}
            yield _handed_over(futures, tell)


def _handed_over(futures: Mapping[Future[bytes], str], tell: Callable[[str], None]) -> Iterator[tuple[str, Any]]:
    errors: dict[str, Exception] = {}
    for future in as_completed(futures):
        name = futures[future]
        try:
            is_done, result = pickle.loads(future.result())
        except CancelledError:
            is_done, result = False, NoCluster("the cluster's scheduler is gone")
        except Exception as error:
            is_done, result = False, error
        tell(f"{name} is done" if is_done else f"{name} failed: {str(result).partition(chr(10))[0]}")
        if is_done:
            yield name, result
        else:
            errors[name] = result
    if errors:
        raise Failed({name: errors[name] for name in futures.values() if name in errors}, len(futures))


def _attempt(work: bytes, is_cancelled: Callable[[], bool]) -> bytes:
    """Do a job; try again if its process dies."""
    for _ in range(ATTEMPTS - 1):
        with contextlib.suppress(alone.Died):
            return alone.call(work, is_cancelled)
    try:
        return alone.call(work, is_cancelled)
    except alone.Died as error:
        raise alone.Died(f"{error}, {ATTEMPTS} times") from error


#: Starts a job; as a context, at whose end none is left.
_Submit = Callable[[bytes], "Future[bytes]"]


@contextlib.contextmanager
def _local(workers: int) -> Iterator[_Submit]:
    is_over = threading.Event()
    with ThreadPoolExecutor(workers) as threads:  # each waits for a process
        try:
            yield lambda work: threads.submit(_attempt, work, is_over.is_set)
        finally:
            is_over.set()
            threads.shutdown(cancel_futures=True)


@contextlib.contextmanager
def _cluster(address: str) -> Iterator[_Submit]:
    try:
        from distributed import Client
    except ModuleNotFoundError:
        raise NoCluster("Dask is not installed: pip install 'hamming-attention[cluster]'") from None
    try:
        client = Client(address, timeout=_CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        raise NoCluster(
            f"no Dask scheduler answers at {address!r}: {error}; `dask scheduler` starts one, and prints its address"
        ) from error
    with client:
        executor: Executor = client.get_executor(pure=False)
        try:
            yield lambda work: executor.submit(_attempt_on_cluster, work)
        finally:
            executor.shutdown(wait=False)  # gives up what still runs


def _attempt_on_cluster(work: bytes) -> bytes:
    """Do a job in a thread of a worker of the cluster, until nobody wants its result or the worker closes."""
    from distributed import Status, get_worker

    worker = get_worker()
    key = worker.get_current_task()

    def is_cancelled() -> bool:
        task = worker.state.tasks.get(key)
        is_closing = worker.status in (Status.closing, Status.closed, Status.failed)
        return is_closing or task is None or task.state == "cancelled"

    return _attempt(work, is_cancelled)


@contextlib.contextmanager
def _progress(what: str, n_jobs: int) -> Iterator[Callable[[str], None]]:
    """Show how many jobs are done; gives what is told of each."""
    console = Console(stderr=True)
    columns = TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn()
    with Progress(
        *columns,
        console=console,
        disable=not console.is_terminal,
        redirect_stdout=sys.stdout.isatty(),  # or what is printed would not go where it is redirected to
    ) as bar:
        task = bar.add_task(what, total=n_jobs)
        n_done = 0

        def tell(text: str) -> None:
            nonlocal n_done
            n_done += 1
            bar.update(task, completed=n_done)
            if not console.is_terminal:
                print(f"{what}: {n_done} of {n_jobs}: {text}", file=sys.stderr, flush=True)

        yield tell


def add_options(parser: argparse.ArgumentParser) -> None:
    """Give a parser the options `--workers` and `--cluster`."""
    parser.add_argument(
        "--workers", type=int, default=WORKERS, metavar="N", help=f"{_WORKERS_HELP[:-1].lower()} (default: %(default)s)"
    )
    parser.add_argument("--cluster", metavar="ADDRESS", help=_CLUSTER_HELP[0].lower() + _CLUSTER_HELP[1:-1])


def pool_of(parser: argparse.ArgumentParser, options: argparse.Namespace) -> Pool:
    """Return the pool that the options of `add_options` ask for; what is wrong with them ends the program."""
    try:
        return Pool(options.workers, options.cluster)
    except ValueError as error:
        parser.error(f"--{error}")


def takes_pool(command: Callable[..., None]) -> Callable[..., None]:
    """Give a click command the options `--workers` and `--cluster`, and their pool as its argument `pool`."""

    @click.option("--workers", type=click.IntRange(1), default=WORKERS, show_default=True, help=_WORKERS_HELP)
    @click.option("--cluster", metavar="ADDRESS", help=_CLUSTER_HELP)
    @functools.wraps(command)
    def with_pool(workers: int, cluster: str | None, **others: Any) -> None:
        command(pool=Pool(workers, cluster), **others)

    return with_pool
