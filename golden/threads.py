"""Work in parts, by as many threads as there are processors."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import TypeVar

__all__ = ["for_each"]

_Item = TypeVar("_Item")


def for_each(items: Iterable[_Item], do: Callable[[_Item], None]) -> None:
    """Call `do` for each item, from this thread and from one for each further processor.

    NumPy leaves the interpreter free meanwhile, so that threads help. Items are begun in their order. An exception ends
    the work once what was begun is done, and is raised.
    """
    items = list(items)
    lock, left = Lock(), iter(items)

    def work() -> None:
        nonlocal left
        while True:
            with lock:
                item = next(left, None)
            if item is None:
                return
            try:
                do(item)
            except BaseException:
                left = iter(())
                raise

    n_others = min((os.cpu_count() or 1) - 1, len(items) - 1)
    others = [_threads().submit(work) for _ in range(n_others)]
    try:
        work()
    finally:
        for other in others:
            other.result()


@functools.cache
def _threads() -> ThreadPoolExecutor:
    """Return the other threads, which stay: what a new one touches of memory is new to it, and costs as much again."""
    return ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="hamming")


if hasattr(os, "register_at_fork"):  # a child has none of its parent's threads
    os.register_at_fork(after_in_child=_threads.cache_clear)
