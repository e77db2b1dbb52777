"""The driver in C: clean under strict warnings, offsets as described, and its answers those of golden."""

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from hamming.driver.core import OFFSETS, BusError, Core, NotFound
from hamming.golden.attention import attend
from hamming.rtl.axi.registers import causes, registers
from hamming.rtl.design import load_design
from hamming.rtl.manifest import manifest
from hamming.rtl.top import top
from hamming.rtl.verilog import emit
from hamming.sim.stimulus import random_vectors
from hamming.sim.testbench import Case, Testbench

DRIVER = Path(__file__).parents[2] / "driver"
DESIGNS = {
    "plain": [],
    "everything": ["engine.mask=true", "engine.table=loadable", "engine.n_lanes=4", "spec.n_keys=13", "spec.d_head=11"],
    "chain": ["engine.n_engines=2", "engine.table=loadable", "spec.n_keys=14", "engine.n_lanes=2"],
    "groups": ["engine.n_queries_a_row=5", "engine.mask=true", "engine.n_lanes=2", "spec.n_keys=13", "spec.d_head=11"],
    "wide": ["spec.value_bits=11", "engine.n_dividers=2", "engine.expose_index=false", "spec.n_keys=9"],
}


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    target = tmp_path_factory.mktemp("driver") / "hamming.so"
    strict = ["-std=c99", "-pedantic", "-Wall", "-Wextra", "-Wconversion", "-Werror", "-O2", "-fPIC", "-shared"]
    subprocess.run(["cc", *strict, DRIVER / "hamming.c", "-o", target], check=True)
    return target


def test_offsets_are_those_of_the_registers():
    dims = load_design("tiny", ["engine.bus=axi", "engine.memory=request", "engine.n_queries_a_row=2"]).dimensions
    described = {one.name: one.offset for one in registers(dims)}
    block = (DRIVER / "hamming.c").read_text().split("enum {")[1].split("}")[0]
    found = {name: int(offset, 16) for name, offset in re.findall(r"(\w+) = (0x\w+)", block)}
    assert found == {name: described[name] for name in found}
    assert len(found) > 20


def test_offsets_in_python_are_those_of_the_registers():
    dims = load_design("tiny", ["engine.bus=axi", "engine.memory=request", "engine.n_queries_a_row=2"]).dimensions
    described = {one.name: one.offset for one in registers(dims)}
    assert {name: described[name] for name in OFFSETS} == OFFSETS


def test_what_is_no_engine_is_not_found():
    class Nothing:
        def read(self, offset):
            return offset

    with pytest.raises(NotFound, match="no engine of version 1: ID 0x0, VERSION 0x4"):
        Core(Nothing())  # type: ignore[arg-type]


class Registers:
    """A bus of registers alone, which keeps what is written."""

    def __init__(self, *changes):
        described = registers(load_design("tiny", ["engine.bus=axi", *changes]).dimensions)
        self.words = {one.offset: sum(field.init << field.lsb for field in one.fields) for one in described}
        self.written, self.sent = {}, []

    def read(self, offset):
        return self.words[offset]

    def write(self, offset, value):
        self.written[offset] = value

    def send(self, stream, data):
        self.sent.append((stream, data))


def test_numbers_of_numpy_are_numbers():
    bus = Registers()
    core = Core(bus)  # type: ignore[arg-type]
    key, value = np.zeros(core.d_head, bool), np.zeros(core.d_value, int)
    core.write_row(np.uint8(3), key, value)
    core.write_row(3, key, value)
    assert bus.sent[0] == bus.sent[1]
    for wrong in (3.0, "3", None):
        with pytest.raises(TypeError, match=f"index must be an integer, not {wrong!r}"):
            core.write_row(wrong, key, value)  # type: ignore[arg-type]


def test_places_are_written_both_or_not_at_all():
    bus = Registers("engine.memory=request")
    core = Core(bus)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="VALUE_BASE must be a multiple of 4096 of 64 bits, not 0x7"):
        core.place(keys=4096, values=7)
    assert not bus.written
    core.place(keys=np.uint64(2**64 - 4096), values=0)  # type: ignore[arg-type]
    assert bus.written == {0xA0: 0xFFFFF000, 0xA4: 0xFFFFFFFF, 0xA8: 0, 0xAC: 0}


def test_an_answer_that_did_not_come_is_not_that_of_the_next_query():
    """Whatever ends a call, an interrupt too: its answer may come later."""
    bus = Registers("engine.expose_index=false")
    bus.words[0xEC] = 0
    core = Core(bus)  # type: ignore[arg-type]
    query, values = np.zeros(core.d_head, bool), np.zeros(core.d_value, int)
    answer = bytes(core.out_bytes * core.out_beats)

    def interrupted(*_):
        raise KeyboardInterrupt

    for receive in (interrupted, lambda *_: answer[:-1]):
        bus.receive = receive  # type: ignore[attr-defined]
        core = Core(bus)  # type: ignore[arg-type]
        with pytest.raises((KeyboardInterrupt, BusError)):
            core.attend(query, 1)
        bus.receive = lambda *_: answer  # type: ignore[attr-defined]
        n_sent = len(bus.sent)
        for call, arguments in ((core.attend, (query, 1)), (core.write_row, (0, query, values))):
            with pytest.raises(BusError, match="reset engine and DMAs, and make a Core anew"):
                call(*arguments)
        assert len(bus.sent) == n_sent
        core = Core(bus)  # type: ignore[arg-type]
        assert core.attend(query, 1).out.shape == core.attend(query, 1).out.shape == (core.d_value,)


def test_queries_in_flight_of_a_program_before_are_noticed():
    bus = Registers()
    bus.words[OFFSETS["STATUS"]] = 2 << 16 | 1
    with pytest.raises(BusError, match="queries of another program are in flight"):
        Core(bus)  # type: ignore[arg-type]
    bus.words[OFFSETS["STATUS"]] = 1  # a row
    Core(bus)  # type: ignore[arg-type]


def test_errors_of_memory_say_what_became_of_the_word():
    design = load_design("tiny", ["engine.bus=axi", "engine.memory=request"])
    meant = causes(design.dimensions)
    assert meant["key_response"] == "memory answered a read of keys with an error; the word was taken as 0"
    assert meant["value_response"] == "memory answered a read of values with an error; the word was taken as 0"


@pytest.mark.skipif(shutil.which("cppcheck") is None, reason="cppcheck is not installed (Debian: cppcheck)")
def test_cppcheck_has_no_objection(tmp_path):
    command = ["cppcheck", "--std=c99", "--enable=warning,style,performance,portability", "--inconclusive"]
    done = subprocess.run([*command, "--error-exitcode=1", DRIVER], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    wrong = "int f(void);\nint f(void) { int a[2]; a[2] = 1; return a[0]; }\n"
    (tmp_path / "wrong.c").write_text(wrong)
    assert subprocess.run([*command, "--error-exitcode=1", tmp_path], capture_output=True, check=False).returncode == 1


def test_sanitizers_have_no_objection(tmp_path):
    """Buffers as long as they must be, at many sizes; and one that is a byte too short is found."""
    source = (DRIVER / "hamming.c").read_text()
    sizes = "if (needed[n] > core->scratch_bytes) core->scratch_bytes = needed[n];"
    assert source.count(sizes) == 1
    for text, status in ((source, 0), (source.replace(sizes, f"{sizes} core->scratch_bytes--;"), 1)):
        (tmp_path / "hamming.c").write_text(text)
        flags = ["-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", f"-I{DRIVER}", "-std=c99"]
        sources = [tmp_path / "hamming.c", Path(__file__).with_name("sanitized.c")]
        subprocess.run(["cc", *flags, *sources, "-o", tmp_path / "sanitized"], check=True)
        done = subprocess.run([tmp_path / "sanitized"], capture_output=True, text=True, check=False)
        assert bool(done.returncode) == status, done.stdout + done.stderr


def test_a_late_answer_by_dma_is_nobodys(tmp_path):
    source = (DRIVER / "hamming_dma.c").read_text()
    given_up = "return give_up(dma, channel);\n}"
    assert source.count(given_up) == 1
    for text, status in ((source, 0), (source.replace(given_up, "return -1;\n}"), 1)):
        (tmp_path / "hamming_dma.c").write_text(text)
        flags = ["-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", f"-I{DRIVER}", "-std=c99"]
        sources = [DRIVER / "hamming.c", tmp_path / "hamming_dma.c", Path(__file__).with_name("late.c")]
        subprocess.run(["cc", *flags, *sources, "-o", tmp_path / "late"], check=True)
        done = subprocess.run([tmp_path / "late"], capture_output=True, text=True, check=False)
        assert bool(done.returncode) == status, done.stdout + done.stderr


@pytest.mark.parametrize("language", ["c", "python"])
@pytest.mark.parametrize("name", DESIGNS)
def test_answers_are_those_of_golden(name, language, library):
    design = load_design("tiny", ["engine.bus=axi", *DESIGNS[name]])
    spec = design.spec
    rng = np.random.default_rng(4)
    vectors = random_vectors(spec, rng, n_heads=2, n_queries=12, has_mask=design.config.mask)
    mask = np.zeros((2, 12, spec.n_keys), bool) if vectors.mask is None else vectors.mask
    component = top(spec, design.config)
    verilog = emit(component, design.config.name)
    facts = manifest(component, verilog)
    fields = {"language": language, "library": str(library), "spec": facts["spec"], "engine": facts["engine"]}
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(Path(__file__).parent)
        bench = Testbench(verilog, facts, "bench_driver")
        [result] = bench.run([Case(fields=fields, arrays=vectors.arrays() | {"mask": mask})])

    expected = attend(spec, vectors.q, vectors.k, vectors.v, n_valid=vectors.n_valid, mask=mask)
    assert np.array_equal(result.arrays["out"], expected.out.reshape(-1, spec.d_value))
    assert np.array_equal(result.arrays["is_empty"], expected.is_empty.ravel())
    query = np.repeat(vectors.q[0][:1], spec.n_keys, axis=0)
    steps = attend(spec, query, vectors.k[0], vectors.v[0], n_valid=np.arange(1, spec.n_keys + 1))
    assert np.array_equal(result.arrays["steps"], steps.out)
