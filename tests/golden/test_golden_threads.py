"""Parts of the work go through all threads: each once, with any exception, and in a forked process, too."""

import multiprocessing
import os
import threading
import time
from typing import Any

import numpy as np
import pytest

from hamming.golden import threads
from hamming.golden.threads import for_each


@pytest.fixture(autouse=True)
def three_processors(monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 3)
    threads._threads.cache_clear()
    yield
    threads._threads.cache_clear()


@pytest.mark.parametrize("n_items", [0, 1, 2, 50])
def test_each_item_is_done_once(n_items):
    done = []
    for_each(range(n_items), done.append)
    assert sorted(done) == list(range(n_items))


def meet_three() -> None:
    """Do three items that wait for each other."""
    meet = threading.Barrier(3, timeout=20)

    def wait(_: int) -> None:
        meet.wait()

    for_each(range(3), wait)


def test_all_processors_work_at_once():
    meet_three()


def test_an_exception_ends_the_work_and_is_raised():
    done = []

    def do(item):
        done.append(item)
        if item == 4:
            raise IndexError("the fifth")

    with pytest.raises(IndexError, match="the fifth"):
        for_each(range(10_000), do)
    assert len(done) < 10_000


def test_an_exception_of_another_thread_is_raised():
    meet = threading.Barrier(3, timeout=20)
    own = threading.get_ident()

    def do(_):
        meet.wait()
        if threading.get_ident() != own:
            raise KeyError("not here")

    with pytest.raises(KeyError, match="not here"):
        for_each(range(3), do)


def squares(total: Any) -> None:
    out = np.zeros(40)

    def square(n: int) -> None:
        out[n] = n * n

    for_each(range(40), square)
    total.value = out.sum()


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")  # of threads that are idle here
def test_a_forked_process_has_threads_of_its_own():
    context = multiprocessing.get_context("fork")
    total = context.Value("d", 0)
    meet_three()
    time.sleep(0.2)  # all threads are there, and idle
    child = context.Process(target=squares, args=(total,))
    child.start()
    child.join(timeout=30)
    alive = child.is_alive()
    child.kill()
    assert not alive
    assert total.value == sum(n * n for n in range(40))
