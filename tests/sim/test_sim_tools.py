"""What surrounds the simulator: blanks in paths, variables meant for others, and an end that leaves nothing running."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hamming.rtl.cache import cache_folder
from hamming.rtl.design import load_design
from hamming.rtl.environment import environment
from hamming.sim import tools
from hamming.sim.runner import SimulationFailed, build
from hamming.sim.simulate import simulate

ROOT = Path(__file__).parents[2]
TINY = load_design("tiny")

#: Variables of make, Verilator, cocotb, Python and Perl, each of which breaks a build or a run that heeds it.
HOSTILE = {
    "VERILATOR_ROOT": "/nowhere",
    "VERILATOR_BIN": "nothing",
    "CXX": "/nowhere/c++",
    "LINK": "/nowhere/c++",
    "AR": "/nowhere/ar",
    "CXXFLAGS": "--nonsense",
    "CPPFLAGS": "--nonsense",
    "LDFLAGS": "--nonsense",
    "LDLIBS": "--nonsense",
    "OPT_FAST": "--nonsense",
    "OBJCACHE": "/nowhere/ccache",
    "PYTHON3": "/nowhere/python",
    "MAKEFLAGS": "-n",
    "MFLAGS": "-n",
    "GNUMAKEFLAGS": "-n",
    "MAKEFILES": "/nowhere.mk",
    "MAKELEVEL": "7",
    "VM_PREFIX": "other",
    "VM_TRACE": "1",
    "PERL5OPT": "-Mnothing",
    "PYTHONPATH": "/nowhere",
    "PYTHONSTARTUP": "/nowhere",
    "COCOTB_TEST_FILTER": "nothing",
    "COCOTB_TESTCASE": "nothing",
    "COCOTB_TEST_MODULES": "nothing",
    "COCOTB_TOPLEVEL": "nothing",
    "COCOTB_RESULTS_FILE": "/nowhere/results.xml",
    "COCOTB_RANDOM_SEED": "x",
    "TESTCASE": "nothing",
    "MODULE": "nothing",
    "TOPLEVEL": "nothing",
    "TOPLEVEL_LANG": "vhdl",
    "RANDOM_SEED": "x",
    "GPI_EXTRA": "nothing:nothing",
    "GPI_USERS": "nothing",
    "PYGPI_PYTHON_BIN": "/nowhere/python",
    "PYGPI_USERS": "nothing",
    "LIBPYTHON_LOC": "/nowhere/libpython.so",
    "SIM_CMD_PREFIX": "false",
    "SIM_CMD_SUFFIX": "nonsense",
    "WAVES": "1",
    "GUI": "1",
    "PYTEST_CURRENT_TEST": "nothing",
}


@pytest.fixture
def empty_cache(monkeypatch, tmp_path):
    """A cache with nothing but Verilator's run-time library, or that would be compiled for this test again."""
    folder = tmp_path / "a cache's $folder"
    folder.mkdir()
    build({"one.v": "module one(input a, output b); assign b = a; endmodule\n"}, "one")
    for runtime in cache_folder().glob("runtime-*"):
        if runtime.is_dir():
            shutil.copytree(runtime, folder / runtime.name)
    monkeypatch.setenv("HAMMING_CACHE", str(folder))
    return folder


def vectors() -> dict[str, Any]:
    rng = np.random.default_rng(6)
    return {
        "q": rng.integers(0, 2, (3, 8)),
        "k": rng.integers(0, 2, (16, 8)),
        "v": rng.integers(-128, 128, (16, 8)),
    }


def test_variables_meant_for_others_reach_neither_build_nor_run(monkeypatch, empty_cache):
    for name, value in HOSTILE.items():
        monkeypatch.setenv(name, value)
    result = simulate(TINY.spec, TINY.config, **vectors())
    assert result.report.passed
    assert len(list(empty_cache.glob("[0-9a-f]*/hamming_harness"))) == 1


def test_environment_keeps_what_programs_need(monkeypatch):
    for name in ("PATH", "HOME", "TMPDIR", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "CPATH"):
        monkeypatch.setenv(name, f"of the user: {name}")
    found = environment(OWN="1", LANG="C")
    assert found["PATH"] == "of the user: PATH"
    assert Path(found["TMPDIR"]).is_absolute()
    assert found["LC_ALL"] == "of the user: LC_ALL"
    assert (found["OWN"], found["LANG"]) == ("1", "C")


def test_blanks_in_the_paths_of_everything(monkeypatch, tmp_path, empty_cache):
    """Python and its packages, home, cache, temporary and current folder: each with a blank, and worse."""
    folder = tmp_path / "a user's folder, $HOME #1"
    home = folder / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", "--symlinks", str(home)], check=True)
    packages = home / "lib" / f"python3.{sys.version_info.minor}" / "site-packages"
    shutil.rmtree(packages)
    packages.symlink_to(sysconfig.get_path("purelib"))
    (folder / "temporary").mkdir()
    np.savez(folder / "my vectors.npz", **vectors())
    surroundings = os.environ | {
        "HOME": str(folder),
        "TMPDIR": str(folder / "temporary"),
        "HAMMING_CACHE": str(empty_cache),
        "PYTHONPATH": str(ROOT),
    }
    done = subprocess.run(
        [str(home / "bin" / "python"), "-m", "hamming", "simulate", "tiny", "--vectors", "my vectors.npz"],
        cwd=folder,
        env=surroundings,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "passed" in done.stdout
    assert len(list(empty_cache.glob("[0-9a-f]*/hamming_harness"))) == 1
    assert not list((folder / "temporary").iterdir())


@pytest.mark.parametrize("name", ["a blank", "a$dollar", "a'quote", "a\N{LATIN SMALL LETTER U WITH DIAERESIS}"])
def test_temporary_folder_that_no_tool_can_name_is_left(monkeypatch, tmp_path, name):
    (tmp_path / name).mkdir()
    monkeypatch.setattr(tools.tempfile, "tempdir", str(tmp_path / name))
    with tools.nameable_folder() as folder:
        assert folder.parent == Path("/tmp")
    assert environment()["TMPDIR"] == "/tmp"


def test_no_temporary_folder_without_blanks_is_one_line(monkeypatch, empty_cache):
    monkeypatch.setattr(tools, "nameable_temporary", lambda: None)
    with pytest.raises(SimulationFailed, match=r"cannot build two: no temporary folder has a path without blanks; set"):
        build({"two.v": "module two(input a, output b); assign b = a; endmodule\n"}, "two")


def running(folder: Path) -> list[int]:
    """Return the processes that run a program of this folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes()
        except OSError:
            continue
        if command.startswith(os.fsencode(folder)):
            found.append(int(process.name))
    return found


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_the_simulator_too(tmp_path, empty_cache, number):
    simulate(TINY.spec, TINY.config, **vectors())  # compiles it
    (tmp_path / "temporary").mkdir()
    with subprocess.Popen(
        [sys.executable, "-m", "hamming", "simulate", "tiny", "--queries", "100000", "--json", "report.json"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path / "temporary")},
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # ignored where tests run in the background
    ) as process:
        while not running(empty_cache):
            assert process.poll() is None, process.communicate()
            time.sleep(0.05)
        process.send_signal(number)
        _, said = process.communicate()
    assert process.returncode == (1 if number == signal.SIGINT else 128 + number)
    assert "Traceback" not in said
    assert not running(empty_cache)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([empty_cache.name, "temporary"])
    assert not list((tmp_path / "temporary").iterdir())
