"""The monitors of AXI ports: what the standard allows passes, and each thing that it forbids is found."""

import pytest

from hamming.rtl.design import load_design
from hamming.sim import case, runner
from hamming.sim.harness import AXI_WAYS, TOP, instance, library
from hamming.sim.protocol import watch

#: Signals, their bits, and their values where a row does not say.
BITS = {"addr": 16, "len": 8, "size": 3, "burst": 2, "resp": 2}
QUIET = {"arsize": 3, "awsize": 3, "arburst": 1, "awburst": 1}

AR, R = {"arvalid": 1, "arready": 1}, {"rvalid": 1, "rready": 1}
LAST = R | {"rlast": 1}
AW, W, B = {"awvalid": 1, "awready": 1}, {"wvalid": 1, "wready": 1}, {"bvalid": 1, "bready": 1}
FINAL = W | {"wlast": 1}

#: Rows of a table, the code that is found, the answers that are still to come, and transfers.
READS = {
    "a burst of two": ([AR | {"arlen": 1}, R, LAST], 0, 0, 3),
    "two at a time": ([AR, AR | {"arlen": 1}, LAST, R, LAST], 0, 0, 5),
    "up to a page's end": ([AR | {"araddr": 0x1FF0, "arlen": 1}, R, LAST], 0, 0, 3),
    "a wrapping burst": ([AR | {"arlen": 3, "arburst": 2, "araddr": 0xFF8}, R, R, R, LAST], 0, 0, 5),
    "no answer": ([AR], 0, 1, 1),
    "a reserved kind": ([AR | {"arburst": 3}, LAST], 1, 0, 2),
    "wider than the bus": ([AR | {"arsize": 4}, LAST], 1, 0, 2),
    "a wrapping burst of three": ([AR | {"arlen": 2, "arburst": 2}, R, R, LAST], 1, 0, 4),
    "a fixed burst of 17": ([AR | {"arlen": 16, "arburst": 0}, *[R] * 16, LAST], 1, 0, 18),
    "over a page's end": ([AR | {"araddr": 0x1FF8, "arlen": 1}, R, LAST], 2, 0, 3),
    "over it in small beats": ([AR | {"araddr": 0xFFE, "arlen": 2, "arsize": 0}, R, R, LAST], 2, 0, 4),
    "even if not taken": ([AR | {"araddr": 0x1FF8, "arlen": 1, "arready": 0}], 2, 0, 0),
    "an answer without a request": ([LAST], 3, None, 1),
    "two answers": ([AR, LAST, LAST], 3, None, 3),
    "an answer with its request": ([AR | LAST], 3, 0, 2),
    "last too early": ([AR | {"arlen": 1}, LAST, LAST], 4, 0, 3),
    "last too late": ([AR, R], 4, 0, 2),
    "exclusive": ([AR, LAST | {"rresp": 1}], 5, 0, 2),
}
WRITES = {
    "a burst of two": ([AW | {"awlen": 1}, W, FINAL, B], 0, 0, 4),
    "data first": ([W, FINAL, AW | {"awlen": 1}, B], 0, 0, 4),
    "at once": ([AW | FINAL, B], 0, 0, 3),
    "no answer": ([AW | FINAL], 0, 1, 2),
    "a reserved kind": ([AW | FINAL | {"awburst": 3}, B], 1, 0, 3),
    "over a page's end": ([AW | {"awlen": 1, "awaddr": 0xFF8}, W, FINAL, B], 2, 0, 4),
    "an answer before its address": ([FINAL, B, AW], 3, 0, 3),
    "an answer before its data": ([AW, B, FINAL], 3, 0, 3),
    "two answers": ([AW | FINAL, B, B], 3, None, 4),
    "last too early": ([AW | {"awlen": 1}, FINAL, W], 4, 1, 3),
    "last never": ([AW, W, W], 4, 1, 3),
    "exclusive": ([AW | FINAL, B | {"bresp": 1}], 5, 0, 3),
}
IN_RESET = {"read": ["arvalid", "rvalid"], "write": ["awvalid", "wvalid", "bvalid"]}


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What the monitors say, by way and name of the table."""
    names = [name for way in AXI_WAYS.values() for name in way]
    bits = {name: next((b for end, b in BITS.items() if name.endswith(end)), 1) for name in names}
    lines = [f"module {TOP} (input clk, input rst"]
    lines += [f"  , input [{n - 1}:0] {name}" if n > 1 else f"  , input {name}" for name, n in bits.items()]
    lines += [");"]
    for way, signals in AXI_WAYS.items():
        wires = {name: name for name in ("clk", "rst", *signals)}
        lines += [instance(f"hamming_axi_{way}_monitor", f"{way}_monitor", wires, {"ADDR_BITS": 16, "BYTES": 8})]
    sources = {f"{TOP}.v": "\n".join([*lines, "endmodule", ""]), **library()}
    tables = {("read", name): ([], rows) for name, (rows, *_) in READS.items()}
    tables |= {("write", name): ([], rows) for name, (rows, *_) in WRITES.items()}
    tables |= {(way, name): ([{name: 1}], []) for way, signals in IN_RESET.items() for name in signals}
    folder = tmp_path_factory.mktemp("monitors")
    fields = {
        "quiet": {name: QUIET.get(name, 0) for name in names},
        "tables": [{"way": way, "in_reset": a, "rows": b} for (way, _), (a, b) in tables.items()],
    }
    case.save(folder, "case_0", fields, {})
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(__file__).rpartition("/")[0])
        runner.run(runner.build(sources, TOP), "bench_axi_monitors", folder)
    report, _ = case.load(folder, "result_0")
    return dict(zip(tables, report["found"], strict=True))


@pytest.mark.parametrize(("way", "name"), [*(("read", name) for name in READS), *(("write", name) for name in WRITES)])
def test_monitor(way, name, found):
    _, code, n_due, n_transfers = (READS if way == "read" else WRITES)[name]
    got = found[way, name]
    assert (got[0], got[2]) == (code, n_transfers)
    assert n_due is None or got[1] == n_due


@pytest.mark.parametrize(("way", "name"), [(way, name) for way, names in IN_RESET.items() for name in names])
def test_what_is_valid_in_reset_is_found(way, name, found):
    assert found[way, name][0] == 6


def test_transfers_on_all_ports_are_counted():
    """Of 90 queries that end: each its own beat, its output's, and one of each beside at least."""
    found = watch(load_design("tiny", ["engine.bus=axi", "engine.memory=request"]), 2000, n_queries=90)
    assert found.messages == []
    assert found.transfers >= 2000
    assert found.queries >= 90
