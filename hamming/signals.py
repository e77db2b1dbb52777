"""Signals that tell a command to end, as exceptions: what is half done is undone."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

__all__ = ["signals_are_exceptions"]

#: What tells a command to end. Ctrl-C, SIGINT, is Python's own KeyboardInterrupt.
_SIGNALS = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]


@contextlib.contextmanager
def signals_are_exceptions() -> Iterator[None]:
    """Let signals raise `SystemExit`, so that what is half done is undone; one that is ignored (nohup) still is."""

    def end(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    changed = [number for number in _SIGNALS if signal.getsignal(number) == signal.SIG_DFL]
    for number in changed:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number in changed:
            signal.signal(number, signal.SIG_DFL)
