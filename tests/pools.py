"""A pool for tests: the jobs in this process, one after the other, so that what does them may be replaced."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from hamming.pool import Failed, Pool


@contextlib.contextmanager
def in_this_process(
    pool: Pool, function: Callable[..., Any], jobs: Mapping[str, tuple[Any, ...]], what: str = "jobs"
) -> Iterator[Iterator[tuple[str, Any]]]:
    """Stand for `Pool.results`."""

    def results() -> Iterator[tuple[str, Any]]:
        errors: dict[str, Exception] = {}
        for name, arguments in jobs.items():
            try:
                yield name, function(*arguments)
            except RuntimeError as error:
                errors[name] = error
        if errors:
            raise Failed(errors, len(jobs))

    yield results()
