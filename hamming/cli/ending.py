"""How a command ends when it is told to, or when the machine has no room: everything as before, and one line."""

from __future__ import annotations

import contextlib
import errno
import importlib
import os
import sys
from collections.abc import Iterator, Mapping
from typing import Any

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
    """A group of commands that are loaded when they are used, and clean up after themselves, whatever ends them.

    Parameters
    ----------
    homes
        Module of each command, by the command's name.
    """

    def __init__(self, *arguments: Any, homes: Mapping[str, str], **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.homes = dict(homes)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands' names."""
        return sorted(self.homes)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load a command."""
        if cmd_name not in self.homes:
            return None
        with _missing_package_is_a_mistake():
            return getattr(importlib.import_module(self.homes[cmd_name]), cmd_name.replace("-", "_"))

    def invoke(self, ctx: click.Context) -> object:
        """Run a command; a signal ends it as an exception would, and a full machine is one line."""
        with signals_are_exceptions(), _missing_package_is_a_mistake():
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


@contextlib.contextmanager
def _missing_package_is_a_mistake() -> Iterator[None]:
    """Say in one line that a package of others is missing or broken; one of ours is a bug."""
    try:
        yield
    except ImportError as error:
        if error.name is not None and error.name.partition(".")[0] == "hamming":
            raise
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        what = error.name or "a package"
        raise Mistake(f"{what} cannot be imported: {reason}; `hamming doctor` says what mends it") from error


def _drop_output() -> None:
    """Let what standard output cannot take go, or Python would complain of it again at the end."""
    try:
        sys.stdout.flush()
    except OSError:
        with contextlib.suppress(OSError, ValueError), open(os.devnull, "w") as nowhere:  # noqa: PTH123
            os.dup2(nowhere.fileno(), sys.stdout.fileno())
