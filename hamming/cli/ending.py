"""How a command ends when it is told to, or when the machine has no room: everything as before, and one line."""

from __future__ import annotations

import contextlib
import errno
import os
import sys

import click

from hamming.signals import signals_are_exceptions

__all__ = ["Commands", "Mistake"]

#: Errors that are the machine's and not a bug's: no room, a limit, a damaged or read-only disk.
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO, errno.EMFILE, errno.ENFILE}


class Mistake(click.ClickException):
    """A user's mistake: one line on standard error, exit status 1, no traceback."""

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split("\n")))


class Commands(click.Group):
    """A group of commands that clean up after themselves, whatever ends them."""

    def invoke(self, ctx: click.Context) -> object:
        """Run a command; a signal ends it as an exception would, and a full machine is one line."""
        with signals_are_exceptions():
            try:
                return super().invoke(ctx)
            except MemoryError as error:
                raise Mistake(f"not enough memory{f': {error}' if str(error) else ''}") from error
            except OSError as error:
                if error.errno not in _NO_ROOM:
                    raise
                _drop_output()
                where = f" {str(error.filename)!r}" if error.filename is not None else ""
                raise Mistake(f"cannot write{where}: {error.strerror}") from error


def _drop_output() -> None:
    """Let what standard output cannot take go, or Python would complain of it again at the end."""
    try:
        sys.stdout.flush()
    except OSError:
        with contextlib.suppress(OSError, ValueError), open(os.devnull, "w") as nowhere:  # noqa: PTH123
            os.dup2(nowhere.fileno(), sys.stdout.fileno())
