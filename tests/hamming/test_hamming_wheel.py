"""What is installed: the wheel's files, and the commands from folders and with paths that hold the same names."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

#: The folders that `hamming/` links to.
PARTS = ("audit", "distill", "driver", "formal", "golden", "rtl", "sim", "synth")

BACKEND = "import sys; from setuptools import build_meta; getattr(build_meta, sys.argv[1])(sys.argv[2])"

#: What a user may have in the current folder: names of ours, of what we use, and of Python's own library.
HOSTILE = (
    *("golden.py", "synth.py", "distill.py", "rtl/__init__.py", "tests/__init__.py", "formal/__init__.py"),
    *(
        "numpy.py",
        "cocotb.py",
        "click.py",
        "rich/__init__.py",
        "pyosys.py",
        "amaranth.py",
        "lark.py",
        "find_libpython.py",
    ),
)
HOSTILE_LIBRARY = ("random.py", "queue.py", "logging.py", "json.py", "sitecustomize.py")


def run(*command: str | Path, folder: Path, **variables: str) -> str:
    """Run a program, without the variables by which these tests may have been started."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")} | variables
    done = subprocess.run(
        [str(word) for word in command], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


def build(kind: str, source: Path, target: Path) -> Path:
    """Build a wheel or an sdist of `source` as pip would, without a network."""
    target.mkdir()
    run(sys.executable, "-c", BACKEND, f"build_{kind}", target, folder=source)
    [product] = target.iterdir()
    return product


def contents(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory) -> Path:
    """A clean copy of the repository, with a blank in its path."""
    copy = tmp_path_factory.mktemp("a clone") / "the repository"
    left_out = shutil.ignore_patterns(
        ".*", "build", "runs", "dist", "shared", "__pycache__", "*.egg-info", "docs", "tests"
    )
    shutil.copytree(ROOT, copy, symlinks=True, ignore=left_out)
    return copy


@pytest.fixture(scope="module")
def sdist(checkout, tmp_path_factory) -> Path:
    return build("sdist", checkout, tmp_path_factory.mktemp("sdist") / "dist")


@pytest.fixture(scope="module")
def wheel(sdist, tmp_path_factory) -> Path:
    """The wheel of the sdist, which is what goes to an index."""
    folder = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    [source] = folder.iterdir()
    return build("wheel", source, folder / "dist")


def fresh_environment(folder: Path, *package: str | Path) -> Path:
    """Make a virtual environment with one package, and what these tests run with below it; return its programs."""
    run(sys.executable, "-m", "venv", "--without-pip", folder, folder=folder.parent)
    packages = folder / "lib" / f"python3.{sys.version_info.minor}" / "site-packages"
    # The .pth files in there, such as that of an editable install, are not heeded.
    (packages / "others.pth").write_text(sysconfig.get_path("purelib") + "\n")
    pip = (sys.executable, "-m", "pip", "--python", folder / "bin" / "python", "--disable-pip-version-check", "install")
    run(*pip, "--no-index", "--no-deps", "--no-build-isolation", "--quiet", *package, folder=folder.parent)
    return folder / "bin"


@pytest.fixture(scope="module")
def programs(wheel, tmp_path_factory) -> Path:
    return fresh_environment(tmp_path_factory.mktemp("fresh") / "an environment", wheel)


@pytest.fixture
def hostile(tmp_path) -> Path:
    """A hardware engineer's folder; whatever of it is executed says so and fails."""
    for name in HOSTILE:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"raise SystemExit('{name} was imported')\n")
    (tmp_path / "sim").mkdir()
    (tmp_path / "sim" / "top.v").write_text("module top; endmodule\n")
    return tmp_path


# --- files


def test_wheel_holds_every_file_and_nothing_else(wheel, checkout):
    expected = {
        f"hamming/{path.relative_to(folder.parent if folder.name != 'hamming' else folder).as_posix()}"
        for folder in (checkout / "hamming", *(checkout / part for part in PARTS))
        for path in folder.rglob("*")
        if path.is_file()
        and not any(parent.is_symlink() for parent in path.parents)
        and "__pycache__" not in path.parts
    }
    found = contents(wheel)
    assert {name for name in found if ".dist-info/" not in name} == expected
    assert {"toml", "npz", "json", "csv", "v", "cpp", "html", "pt", "py"} <= {
        name.rpartition(".")[2] for name in expected
    }
    assert "hamming/py.typed" in expected
    for name in (name for name in expected if name.split("/")[1] in PARTS):
        assert found[name] == (checkout / name.removeprefix("hamming/")).read_bytes()


def test_checkout_and_sdist_give_the_same_wheel(wheel, checkout, tmp_path):
    assert contents(build("wheel", checkout, tmp_path / "dist")) == contents(wheel)


# --- commands


@pytest.mark.parametrize("command", [("hamming",), ("python", "-m", "hamming")], ids=" ".join)
def test_commands_work_in_a_folder_of_the_same_names(programs, hostile, command):
    first, *others = command
    hamming = (programs / first, *others)
    if others:  # with `python -m`, the folder is on Python's path
        for name in HOSTILE_LIBRARY[:-1]:
            (hostile / name).write_text(f"raise SystemExit('{name} was imported')\n")
    assert "minilm" in run(*hamming, "presets", folder=hostile)
    run(*hamming, "generate", "tiny", "-o", "out", folder=hostile)
    assert "passed" in run(*hamming, "simulate", "tiny", "--queries", "20", folder=hostile)
    run(*hamming, "sample-vectors", "-o", "vectors.npz", folder=hostile)
    run(*hamming, "run", "minilm", "--vectors", "vectors.npz", "--output", "outputs.npz", folder=hostile)


def test_commands_work_with_a_path_of_the_same_names(programs, hostile):
    """With the folder as `PYTHONPATH`: the command, and what it starts, which is Amaranth's Yosys and cocotb."""
    path = {"PYTHONPATH": f"{hostile}{os.pathsep}"}
    hamming = programs / "hamming"
    run(hamming, "generate", "tiny", "-o", "out", folder=hostile, **path)
    assert "passed" in run(hamming, "simulate", "tiny", "--queries", "20", folder=hostile, **path)
    assert "selector" in run(hamming, "synthesize", "tiny", folder=hostile, **path)


def test_yosys_is_the_installed_one(programs, hostile):
    """In its own process, whose results no cache keeps here; started by a program that does not order its path."""
    program = "from pathlib import Path; from hamming.synth.yosys.process import run; run(['stat'], Path('work'))"
    (hostile / "work").mkdir()
    run(programs / "python", "-c", program, folder=hostile, PYTHONPATH=str(hostile))


def test_current_folder_does_not_reach_programs_that_are_driven(programs, hostile):
    program = "import sys; from hamming.rtl.environment import module_path; print(*module_path(), sep='\\n')"
    found = run(programs / "python", "-c", program, folder=hostile).splitlines()
    assert str(hostile) not in found
    assert found.index(str(Path(os.__file__).parent)) == 0
    assert Path(found[2]) == programs.parent / "lib" / f"python3.{sys.version_info.minor}" / "site-packages"
    after = run(programs / "python", "-c", program, folder=hostile, PYTHONPATH=str(hostile)).splitlines()
    assert after == [*found, str(hostile)]


def test_editable_install_is_the_checkout(checkout, hostile, tmp_path_factory):
    programs = fresh_environment(tmp_path_factory.mktemp("editable") / "an environment", "-e", checkout)
    where = run(programs / "python", "-c", "import hamming.rtl.design as d; print(d.__file__)", folder=hostile.parent)
    assert Path(where.strip()).samefile(checkout / "rtl" / "design.py")
    assert "passed" in run(programs / "hamming", "simulate", "tiny", "--queries", "20", folder=hostile)


# --- modules


def test_checkout_can_be_imported_by_the_names_of_its_folders():
    program = (
        "import golden, hamming.golden; from golden import attend, AttentionSpec; "
        "assert attend is hamming.golden.attend and AttentionSpec is hamming.golden.AttentionSpec; "
        "assert hamming.attend is attend"
    )
    run(sys.executable, "-c", program, folder=ROOT)
