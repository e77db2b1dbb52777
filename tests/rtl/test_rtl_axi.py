"""The engine behind AXI: bytes of beats, buffers, registers; no output depends on an input of the same cycle."""
# amaranth: UnusedElaboratable=no

from __future__ import annotations

import ctypes
import re
from typing import Any

import pytest
from amaranth.hdl import unsigned
from amaranth.sim import Simulator

from hamming.golden.spec import AttentionSpec
from hamming.rtl import payload
from hamming.rtl.axi.buffer import Buffer
from hamming.rtl.axi.engine import AxiEngine
from hamming.rtl.axi.gather import Gather, query_beat
from hamming.rtl.axi.layout import bytes_of, n_bytes
from hamming.rtl.axi.read_master import ReadMaster
from hamming.rtl.axi.register_file import OKAY, SLVERR, RegisterFile
from hamming.rtl.axi.registers import registers, table
from hamming.rtl.bus_word import BusWord
from hamming.rtl.config import EngineConfig
from hamming.rtl.dimensions import Dimensions
from hamming.rtl.engine import Engine
from hamming.rtl.manifest import manifest
from hamming.rtl.verilog import emit
from hamming.synth.yosys import process
from tests.rtl.harness import run

SPEC = AttentionSpec.from_logit_scale(d_head=20, d_value=4, n_keys=300, top_k=4, logit_scale=0.2, value_bits=9)


def dims_of(**engine):
    return Dimensions(SPEC, EngineConfig(bus="axi", **engine))


def test_bytes_of_beats() -> None:
    """By hand: 300 keys need 9 bits, so 2 bytes; 20 bits of a key 3 bytes; 9 bits of a value 2; 17 of an output 4."""
    dims = dims_of(n_dividers=2)
    places = {
        name: [(f.name, f.offset, f.width, f.length) for f in bytes_of(shape)]
        for name, shape in {
            "row": payload.key_row(dims),
            "query": payload.query(dims),
            "out": payload.out_beat(dims),
            "selected": payload.kept_key(dims),
            "mask": 12,
        }.items()
    }
    assert places == {
        "row": [("index", 0, 2, None), ("key", 2, 3, None), ("value", 5, 2, 4)],
        "query": [("query", 0, 3, None), ("n_valid", 3, 2, None)],
        "out": [("value", 0, 4, 2), ("is_empty", 8, 1, None)],
        "selected": [("index", 0, 2, None), ("deficit", 2, 1, None), ("is_empty", 3, 1, None)],
        "mask": [("mask", 0, 2, None)],
    }
    assert n_bytes(payload.key_row(dims)) == 13


def test_bytes_are_those_of_a_packed_c_struct() -> None:
    facts = manifest(AxiEngine(SPEC, EngineConfig(bus="axi", mask=True, n_lanes=16)), "")
    for stream in facts["streams"].values():
        members = []
        for kind, name, length in re.findall(r"(\w+)_t (\w+)(?:\[(\d+)\])?;", stream["c_struct"]):
            ctype = getattr(ctypes, f"c_{kind}")
            members.append((name, ctype * int(length) if length else ctype))
        struct = type("Beat", (ctypes.LittleEndianStructure,), {"_pack_": 1, "_fields_": members})
        assert 8 * ctypes.sizeof(struct) == stream["bits"]
        assert [8 * getattr(struct, f["name"]).offset for f in stream["fields"]] == [
            f["offset"] for f in stream["fields"]
        ]


@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize(("pause", "stall"), [(0.0, 0.0), (0.5, 0.5), (0.0, 0.7), (0.7, 0.0)])
def test_buffer_keeps_order(depth: int, pause: float, stall: float) -> None:
    sent = list(range(200))
    beats = run(Buffer(unsigned(8), depth=depth), {"i": sent}, {"o": 200}, pause=pause, stall=stall, seed=depth)
    assert beats.payloads["o"] == sent
    if pause == stall == 0:
        assert beats.cycles["o"][-1] - beats.cycles["o"][0] == 199 * (2 if depth == 1 else 1)


@pytest.mark.parametrize(("pause", "stall"), [(0.0, 0.0), (0.5, 0.5), (0.0, 0.7), (0.7, 0.0)])
def test_queries_are_gathered_in_order(pause: float, stall: float) -> None:
    sent = [{"query": n % 2**20, "n_valid": n} for n in range(30, 90)]
    beats = run(Gather(dims_of(n_queries_a_row=3)), {"i": sent}, {"o": 20}, pause=pause, stall=stall, seed=2)
    found = [{name: group[name][n] for name in sent[0]} for group in beats.payloads["o"] for n in range(3)]
    assert found == sent
    assert beats.cycles["o"] == beats.cycles["i"][2::3]  # each with its last query
    if pause == stall == 0:
        assert beats.cycles["o"] == list(range(beats.cycles["o"][0], beats.cycles["o"][0] + 60, 3))


def test_a_beat_of_a_group_is_that_of_a_query() -> None:
    one, three = (bytes_of(query_beat(dims_of(n_queries_a_row=n, range=True))) for n in (1, 3))
    assert one == three
    assert [field.name for field in three] == ["query", "n_valid", "first"]


def test_buffer_refuses_other_depths() -> None:
    with pytest.raises(ValueError, match="depth must be 1 or 2, not 3"):
        Buffer(unsigned(8), depth=3)


@pytest.mark.parametrize(
    "engine",
    [
        {},
        {"table": "loadable", "mask": True, "n_lanes": 4, "n_macs": 2},
        {"memory": "request", "bus_bits": 32, "n_lanes": 4},
        {"n_engines": 2, "table": "loadable"},
        {"n_queries_a_row": 3, "mask": True},
    ],
    ids=["plain", "everything", "masters", "chain", "groups"],
)
def test_no_output_depends_on_an_input_of_the_same_cycle(engine: dict[str, Any], tmp_path) -> None:
    name = "wrapped"
    (tmp_path / "a.v").write_text(emit(AxiEngine(SPEC, EngineConfig(name=name, bus="axi", **engine)), name))
    script = ["read_verilog a.v", f"hierarchy -top {name}", "proc", "flatten", "opt_clean"]
    stops = "%ci*:-$dff,$dffe,$sdff,$sdffe,$adff"
    process.run([*script, f"select -assert-none o:* {stops} i:* %i o:* %d i:aclk %d"], tmp_path)
    # The check can fail: without a stop, outputs do depend on inputs.
    with pytest.raises(process.SynthesisError):
        process.run([*script, "select -assert-none o:* %ci* i:* %i i:aclk %d"], tmp_path)


def test_registers_are_in_order_and_apart() -> None:
    for engine in ({}, {"table": "loadable", "mask": True}, {"memory": "request", "n_queries_a_row": 2}):
        found = registers(dims_of(**engine))
        offsets = [one.offset for one in found]
        assert offsets == sorted(set(offsets))
        assert all(offset % 4 == 0 for offset in offsets)
        assert len({one.name for one in found}) == len(found)
        for one in found:
            taken = 0
            for field in one.fields:
                mask = ((1 << field.bits) - 1) << field.lsb
                assert not taken & mask
                assert field.init < 1 << field.bits
                taken |= mask
            assert taken < 1 << 32


def test_offsets_are_the_same_for_every_engine() -> None:
    plain, other = ({r.name: r.offset for r in registers(dims_of(**e))} for e in ({}, {"table": "loadable"}))
    assert plain == other
    assert plain["CONTROL"] == 8
    assert plain["ERROR"] == 0x10


def test_table_is_behind_the_registers_at_a_multiple_of_its_length() -> None:
    assert table(dims_of()) is None
    window = table(dims_of(table="loadable"))
    assert window is not None
    assert (window.offset, window.n_words, window.weight_bits) == (0x400, 32, 12)
    wide = AttentionSpec.from_logit_scale(d_head=600, d_value=4, n_keys=8, top_k=4, logit_scale=0.01)
    window = table(Dimensions(wide, EngineConfig(bus="axi", table="loadable")))
    assert window is not None
    assert (window.offset, window.n_words) == (0x1000, 1024)


def access(file: Any, steps: list[tuple[str, int, int, int]], sets: dict[int, str] | None = None) -> list[tuple]:
    """Play `(kind, address, data, strobes)` and return `(response, data)` of each; before step `n`, set `sets[n]`."""
    found: list[tuple[int, int | None]] = []

    async def testbench(ctx: Any) -> None:
        async def until(ready: Any) -> None:
            for _ in range(20):
                if (await ctx.tick().sample(ready))[2]:
                    return
            raise AssertionError("no answer")

        if file.table is not None:
            ctx.set(file.table_weight, 0x123)
        for number, (kind, address, data, strobes) in enumerate(steps):
            if sets and number in sets:
                ctx.set(getattr(file, f"{sets[number]}_set"), 1)
                await ctx.tick()
                ctx.set(getattr(file, f"{sets[number]}_set"), 0)
            if kind == "read":
                ctx.set(file.araddr, address)
                ctx.set(file.arvalid, 1)
                await until(file.arready)
                ctx.set(file.arvalid, 0)
                if file.table is not None:  # which lets a read of it wait, and no other one
                    await ctx.tick().repeat(3)
                    assert ctx.get(file.rvalid) == (address != file.table.offset)
                    ctx.set(file.table_is_free, 1)
                ctx.set(file.rready, 1)
                for _ in range(20):
                    _, _, valid, value, response = await ctx.tick().sample(file.rvalid, file.rdata, file.rresp)
                    if valid:
                        break
                ctx.set(file.rready, 0)
                if file.table is not None:
                    ctx.set(file.table_is_free, 0)
                found.append((response, value))
            else:
                ctx.set(file.awaddr, address)
                ctx.set(file.wdata, data)
                ctx.set(file.wstrb, strobes)
                # Data first on odd steps, address first on even ones.
                for valid, ready in [("awvalid", "awready"), ("wvalid", "wready")][:: 1 - 2 * (number % 2)]:
                    ctx.set(getattr(file, valid), 1)
                    await until(getattr(file, ready))
                    ctx.set(getattr(file, valid), 0)
                ctx.set(file.bready, 1)
                for _ in range(20):
                    _, _, valid, response = await ctx.tick().sample(file.bvalid, file.bresp)
                    if valid:
                        break
                ctx.set(file.bready, 0)
                found.append((response, None))

    simulator = Simulator(file)
    simulator.add_clock(1e-9)
    simulator.add_testbench(testbench)
    simulator.run()
    return found


def test_registers_read_write_and_refuse() -> None:
    dims = dims_of(table="loadable")
    file = RegisterFile(registers(dims), table(dims))
    steps = [
        ("read", 0x00, 0, 0),  # ID
        ("read", 0x40, 0, 0),  # D_HEAD
        ("write", 0x08, 0b0101, 0b1111),  # CONTROL: enable, drain
        ("read", 0x08, 0, 0),
        ("write", 0x08, 0, 0b0011),  # not all bytes
        ("read", 0x08, 0, 0),
        ("write", 0x40, 1, 0b1111),  # read only
        ("write", 0x3FC, 1, 0b1111),  # nothing there
        ("read", 0x3FC, 0, 0),
        ("read", 0x400, 0, 0),  # the table, once it is free
        ("read", 0x18, 0, 0),  # INTERRUPT_STATUS, once error was set
        ("write", 0x18, 0b101, 0b1111),  # clears others
        ("read", 0x18, 0, 0),
        ("write", 0x18, 0b010, 0b1111),
        ("read", 0x18, 0, 0),
    ]
    assert access(file, steps, {10: "interrupt_status_error"}) == [
        (OKAY, 0x48414D4D),
        (OKAY, 20),
        (OKAY, None),
        (OKAY, 0b0101),
        (SLVERR, None),
        (OKAY, 0b0101),
        (SLVERR, None),
        (SLVERR, None),
        (SLVERR, 0),
        (OKAY, 0x123),
        (OKAY, 0b010),
        (OKAY, None),
        (OKAY, 0b010),
        (OKAY, None),
        (OKAY, 0),
    ]


def test_manifest_lists_the_ports_of_the_verilog() -> None:
    engine = AxiEngine(
        SPEC, EngineConfig(name="wrapped", bus="axi", mask=True, key_memory="external", value_memory="request")
    )
    text = emit(engine, "wrapped")
    top = re.search(r"^module wrapped\((.*?)^endmodule", text, flags=re.MULTILINE | re.DOTALL)
    assert top
    declared = {
        name: (direction, int(high or 0) + 1)
        for direction, high, name in re.findall(r"^  (input|output) (?:\[(\d+):0\] )?(\w+);", top[1], re.MULTILINE)
    }
    assert {port["name"]: (port["direction"], port["bits"]) for port in manifest(engine, text)["ports"]} == declared


def test_plain_streams_are_left_out_of_a_manifest() -> None:
    assert "bus" not in EngineConfig().to_dict()
    assert EngineConfig.from_dict(EngineConfig(bus="axi").to_dict()).bus == "axi"
    facts = manifest(Engine(SPEC, EngineConfig()), "")
    assert "registers" not in facts
    assert facts["errors"][0]["port"] == "error"


@pytest.mark.parametrize(
    ("addresses", "bursts"),
    [
        ([3, 4, 5], [(0x5_00C, 3)]),
        ([3, 5, 6, 7, 2], [(0x5_00C, 1), (0x5_014, 3), (0x5_008, 1)]),
        ([*range(1021, 1027)], [(0x5_FF4, 3), (0x6_000, 3)]),  # over a page
        ([*range(8, 28)], [(0x5_020, 16), (0x5_060, 4)]),  # more than a burst
        ([7, None, 8], [(0x5_01C, 1), (0x5_020, 1)]),  # a cycle without a request
    ],
)
def test_bursts_of_words_that_follow_each_other(addresses: list[int | None], bursts: list[tuple[int, int]]) -> None:
    """Words of 4 bytes, from page 5 on."""
    word = BusWord.of("value", n_elements=4, element_bits=8, is_array=False)
    master: Any = ReadMaster(word, address_bits=11, outstanding=32)
    found = []

    async def testbench(ctx: Any) -> None:
        ctx.set(master.page, 5)
        ctx.set(master.arready, 1)
        for address in [*addresses, *[None] * 6]:
            ctx.set(master.request.valid, address is not None)
            ctx.set(master.request.payload, address or 0)
            *_, valid, at, length = await ctx.tick().sample(master.arvalid, master.araddr, master.arlen)
            if valid:
                found.append((at, length + 1))

    simulator = Simulator(master)
    simulator.add_clock(1e-9)
    simulator.add_testbench(testbench)
    simulator.run()
    assert found == bursts


def test_bad_bus() -> None:
    with pytest.raises(ValueError, match="bus must be one of stream, axi, not 'wishbone'"):
        EngineConfig(bus="wishbone")
