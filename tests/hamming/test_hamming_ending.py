"""However a command ends, by a full disk, no memory or a signal: one line, and nothing left."""

from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.hamming.command_line import assert_mistake, call, files, save_vectors

pytestmark = pytest.mark.usefixtures("inside_an_empty_folder")


def heed_signals() -> None:
    """Let a process heed what the one that runs the tests may have been told to ignore (`nohup`, `&`)."""
    for number in (signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)


def command(*arguments: str, program: Sequence[str] = ("-m", "hamming"), **settings: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, *program, *arguments],
        stderr=subprocess.PIPE,
        text=True,
        **{
            "stdout": subprocess.DEVNULL,
            "env": os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
            "preexec_fn": heed_signals,
        }
        | settings,
    )


def test_full_disk_is_one_line_and_leaves_nothing():
    save_vectors()

    def allow_few_bytes() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))

    arguments = ["run", "tiny", "--vectors", "vectors.npz", "--output", "new/out.npz"]
    with command(*arguments, preexec_fn=allow_few_bytes) as process:
        _, said = process.communicate()
    assert (process.returncode, said) == (1, "Error: cannot write 'new/out.npz': File too large\n")
    assert files() == {"vectors.npz"}


def test_disk_that_fills_up_leaves_neither_of_two_files(monkeypatch):
    def write(path: Path, text: str, **_: object) -> None:
        path.write_bytes(text[:10].encode())
        if text.startswith("{"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_text", write)
    result = call("generate", "tiny", "-o", "new")
    assert_mistake(result, "cannot write 'new/tiny.json': No space left on device")
    assert files() == set()


@pytest.mark.parametrize("arguments", [["presets"], ["presets", "tiny"], ["generate", "tiny", "-o", "out"]])
def test_full_standard_output_is_one_line(arguments):
    with Path("/dev/full").open("w") as full, command(*arguments, stdout=full) as process:
        _, said = process.communicate()
    assert (process.returncode, said) == (1, "Error: cannot write: No space left on device\n")


def test_no_memory_is_one_line(monkeypatch):
    save_vectors()

    def attend_much(*_: object, **__: object) -> None:
        np.zeros(2**62, np.uint8)

    monkeypatch.setattr("hamming.golden.attention.attend", attend_much)
    result = call("run", "tiny", "--vectors", "vectors.npz", "--output", "out.npz")
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: not enough memory: Unable to allocate 4.00 EiB")
    assert files() == {"vectors.npz"}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_signal_leaves_nothing(number):
    """The command is held up in its work, by a golden model that does not return."""
    save_vectors()
    program = (
        "import sys, time\n"
        "from hamming.golden import attention\n"
        "attention.attend = lambda *_, **__: (print('at work', file=sys.stderr, flush=True), time.sleep(60))\n"
        "from hamming.cli import main\n"
        "main(sys.argv[1:], prog_name='hamming')\n"
    )
    arguments = ["run", "tiny", "--vectors", "vectors.npz", "--output", "new/out.npz"]
    with command(*arguments, program=["-c", program]) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "at work\n"
        assert files() > {"vectors.npz", "new"}
        process.send_signal(number)
        _, said = process.communicate()
    assert "Traceback" not in said
    assert process.returncode == (1 if number == signal.SIGINT else 128 + number)
    assert files() == {"vectors.npz"}
