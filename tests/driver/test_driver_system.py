"""A whole system: RAM, DMA, engine and the program that the guide shows; a transformer's 12 heads, memory to memory."""

import re
import subprocess
from pathlib import Path

import numpy as np
import pytest

from hamming.golden.attention import attend
from hamming.golden.fixture import load_minilm
from hamming.golden.spec import AttentionSpec
from hamming.golden.values import quantize
from hamming.rtl.design import load_design
from hamming.rtl.manifest import manifest
from hamming.rtl.top import top
from hamming.rtl.verilog import emit
from hamming.sim.testbench import Case, Testbench

ROOT = Path(__file__).parents[2]
STRICT = ["-std=c99", "-pedantic", "-Wall", "-Wextra", "-Wconversion", "-Werror", "-O2", "-fPIC", "-shared"]
#: How the program of the guide is called, what values are for it, queries a head, and the engine.
PROGRAMS = {
    "attend_head": (np.int32, 128, []),
    "attend_placed": (np.int8, 16, ["engine.memory=request", "engine.bus_bits=64"]),
}


@pytest.fixture(scope="module")
def programs():
    """What the guide shows, by name."""
    blocks = re.findall(r"^```c\n((?:.*\n)*?)```$", (ROOT / "docs/guide/driver.md").read_text(), re.MULTILINE)
    found = {re.findall(r"^int (\w+)", block, re.MULTILINE)[0]: block for block in blocks}
    assert set(found) == set(PROGRAMS)
    return found


@pytest.fixture(scope="module")
def library(programs, tmp_path_factory):
    folder = tmp_path_factory.mktemp("system")
    sources = [*(ROOT / "driver").glob("*.c")]
    for name, program in programs.items():
        # As a declaration before it, that a stricter user has in a header of his own.
        declaration = re.search(r"^int \w+\([^{]*", program, re.MULTILINE)
        assert declaration
        sources.append(folder / f"{name}.c")
        sources[-1].write_text(program.replace(declaration[0], f"{declaration[0]};\n{declaration[0]}", 1))
    subprocess.run(["cc", *STRICT, f"-I{ROOT / 'driver'}", *sources, "-o", folder / "system.so"], check=True)
    return folder / "system.so"


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_user_writes_few_lines(name, programs):
    lines = [line for line in programs[name].splitlines() if line.strip() and not line.startswith("/*")]
    assert len(lines) <= 20


@pytest.mark.parametrize("name", PROGRAMS)
def test_twelve_heads_of_a_transformer(name, library):
    kind, n_queries, changes = PROGRAMS[name]
    design = load_design("minilm", ["engine.bus=axi", "engine.table=loadable", *changes])
    spec, inputs = design.spec, load_minilm()
    fields = {name: value for name, value in spec.to_dict().items() if name != "weights"}
    q, v = inputs.q[:, :n_queries], quantize(inputs.v, spec.value_bits).integers
    specs = [AttentionSpec.from_logit_scale(**fields, logit_scale=float(scale)) for scale in inputs.logit_scale]
    weights = np.array([one.weights for one in specs])
    component = top(spec, design.config)
    verilog = emit(component, design.config.name)
    arrays = {"q": q, "k": inputs.k, "v": v.astype(kind), "weights": weights}
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(Path(__file__).parent)
        bench = Testbench(verilog, manifest(component, verilog), "bench_system")
        [result] = bench.run([Case(fields={"library": str(library), "program": name}, arrays=arrays)])
    for head, one in enumerate(specs):
        expected = attend(one, q[head], inputs.k[head], v[head]).out
        assert np.array_equal(result.arrays["out"][head], expected), head
