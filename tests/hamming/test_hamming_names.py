"""What a user imports, what a command loads, and what help teaches."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import hamming
from hamming.cli import main
from tests.hamming.command_line import call, save_vectors

pytestmark = pytest.mark.usefixtures("inside_an_empty_folder")


def test_every_command_teaches_by_example():
    for command in main.homes:
        help_text = call(command, "--help").stdout
        assert f"  hamming {command} " in help_text, command


def test_names_that_users_import():
    for name in hamming.__all__:
        assert getattr(hamming, name).__name__ == name
        assert name in dir(hamming)
    with pytest.raises(AttributeError, match="module 'hamming' has no attribute 'Motor'"):
        _ = hamming.Motor  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize(
    ("arguments", "unwanted"),
    [
        (["--help"], {"amaranth", "cocotb", "pyosys", "torch"}),
        (["presets"], {"amaranth", "cocotb", "pyosys", "torch"}),
        (["run", "tiny", "--vectors", "vectors.npz", "--output", "out.npz"], {"amaranth", "cocotb", "pyosys", "torch"}),
        (["generate", "tiny", "-o", "out"], {"cocotb", "pyosys", "torch"}),
    ],
)
def test_commands_load_only_what_they_need(arguments, unwanted):
    save_vectors()
    program = (
        "import sys\n"
        "from hamming.cli import main\n"
        "main(sys.argv[1:], standalone_mode=False)\n"
        f"print(sorted({unwanted!r} & sys.modules.keys()), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "[]\n")


def test_project_and_command_are_named_in_one_place():
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    assert project["scripts"] == {"hamming": "hamming.__main__:main"}
    assert call("--version").stdout == f"hamming, version {project['version']}\n"
