"""Bench of test_driver.py: the driver in C, called here, its registers and streams played by cocotbext-axi."""

import ctypes
import os
from pathlib import Path
from typing import Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.task import bridge, resume
from cocotb.triggers import ClockCycles
from cocotbext.axi import AxiStreamFrame

from hamming.sim import case
from hamming.sim.axi_bench import AxiPorts
from hamming.sim.payloads import read_streams

OUT_OF_RANGE, UNSUPPORTED, TOO_SMALL = -3, -4, -2
STREAMS = ["i_row", "i_query", "i_mask", "o_out", "o_selected"]
_WORDS = [
    *("d_head", "d_value", "n_keys", "top_k", "value_bits", "weight_bits", "out_frac_bits", "out_bits", "n_tables"),
    *("n_lanes", "features", "row_bytes", "row_key", "row_value", "query_bytes", "query_n_valid", "mask_bytes"),
    *("out_bytes", "out_beats", "selected_bytes", "table_offset", "table_words", "key_bytes", "value_bytes"),
]

Bytes = ctypes.POINTER(ctypes.c_uint8)
Read = ctypes.CFUNCTYPE(ctypes.c_uint32, ctypes.c_void_p, ctypes.c_uint32)
Write = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint32)
Move = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, Bytes, ctypes.c_size_t)


class Bus(ctypes.Structure):
    _fields_ = (("context", ctypes.c_void_p), ("read", Read), ("write", Write), ("send", Move), ("receive", Move))


class Core(ctypes.Structure):
    _fields_ = (
        ("bus", Bus),
        ("scratch", Bytes),
        ("scratch_bytes", ctypes.c_size_t),
        *((word, ctypes.c_uint32) for word in _WORDS),
    )


def bus_of(ports, n_bytes):
    """Return the bus that C calls: each access runs simulated time until it is done."""

    @resume
    async def read(offset):
        return await ports.registers.read_dword(offset)

    @resume
    async def write(offset, value):
        await ports.registers.write_dword(offset, value)

    @resume
    async def send(name, data):
        width = n_bytes[name]
        for start in range(0, len(data), width):
            beat: Any = [int.from_bytes(data[start : start + width], "little")]
            await ports.sources[name].send(AxiStreamFrame(beat))
        await ports.sources[name].wait()

    @resume
    async def receive(name):
        frame = await ports.sinks[name].recv(compact=False)
        return b"".join(beat.to_bytes(n_bytes[name], "little") for beat in frame.tdata)

    def sends(_, stream, data, length):
        send(STREAMS[stream], ctypes.string_at(data, length))
        return 0

    def receives(_, stream, data, length):
        packet = receive(STREAMS[stream])
        if len(packet) > length:
            return -1
        ctypes.memmove(data, packet, len(packet))
        return len(packet)

    return Bus(None, Read(lambda _, at: read(at)), Write(lambda _, at, to: write(at, to)), Move(sends), Move(receives))


def array(values, kind):
    return (kind * len(values))(*(int(value) for value in values))


def packed(bits):
    return array(np.packbits(bits, bitorder="little"), ctypes.c_uint8)


def drive(library, bus, fields, arrays):
    """Play the case as a program would; return what came."""
    core, scratch = Core(), (ctypes.c_uint8 * 4096)()
    at = ctypes.byref(core)
    assert library.hamming_open(at, ctypes.byref(bus), scratch, ctypes.c_size_t(1)) == TOO_SMALL
    assert core.scratch_bytes > 1
    assert library.hamming_open(at, ctypes.byref(bus), scratch, ctypes.c_size_t(core.scratch_bytes)) == 0
    assert core.d_head == fields["spec"]["d_head"]
    weights = array(fields["spec"]["weights"], ctypes.c_uint32)
    loads = library.hamming_load_table(at, 0, weights)
    assert loads == (0 if fields["engine"]["table"] == "loadable" else UNSUPPORTED)
    back = (ctypes.c_uint32 * len(weights))()
    assert library.hamming_read_table(at, 0, back) == loads
    assert list(back) == (list(weights) if loads == 0 else [0] * len(weights))
    assert library.hamming_read_table(at, core.n_tables, back) == (OUT_OF_RANGE if loads == 0 else UNSUPPORTED)
    assert library.hamming_place(at, ctypes.c_uint64(4096), ctypes.c_uint64(0)) == UNSUPPORTED
    assert library.hamming_enable(at, 1) == 0

    got, is_empty = [], []
    out, empty = (ctypes.c_int32 * core.d_value)(), ctypes.c_int()
    for head in range(len(arrays["q"])):
        for index, (key, value) in enumerate(zip(arrays["k"][head], arrays["v"][head], strict=True)):
            assert library.hamming_write_row(at, index, packed(key), array(value, ctypes.c_int32)) == 0
        for query, n_valid, mask in zip(arrays["q"][head], arrays["n_valid"][head], arrays["mask"][head], strict=True):
            bits = packed(mask) if fields["engine"]["mask"] else None
            assert library.hamming_attend(at, packed(query), int(n_valid), bits, out, ctypes.byref(empty)) == 0
            got.append(list(out))
            is_empty.append(empty.value)
    assert library.hamming_reset(at, 1) == 0
    assert library.hamming_errors(at) == 0

    # Decoding: rows again, one by one.
    steps = []
    for index, (key, value) in enumerate(zip(arrays["k"][0], arrays["v"][0], strict=True)):
        query = packed(arrays["q"][0][0])
        assert library.hamming_decode_step(at, index, packed(key), array(value, ctypes.c_int32), query, out) == 0
        steps.append(list(out))

    key, value = packed(arrays["k"][0][0]), array(arrays["v"][0][0], ctypes.c_int32)
    assert library.hamming_write_row(at, core.n_keys, key, value) == OUT_OF_RANGE
    assert library.hamming_attend(at, key, core.n_keys + 1, None, out, None) == OUT_OF_RANGE
    value[0] = 1 << core.value_bits - 1
    assert library.hamming_write_row(at, 0, key, value) == OUT_OF_RANGE
    return {"out": np.asarray(got), "is_empty": np.asarray(is_empty), "steps": np.asarray(steps)}


@cocotb.test()
async def driver(dut) -> None:
    """Play the case of this run."""
    folder = Path(os.environ["HAMMING_CASE"])
    fields, arrays = case.load(folder, "case_0")
    streams = read_streams(fields["streams"])
    dut.rst.value = 1
    ports = AxiPorts(dut, streams)
    Clock(dut.clk, 2, unit="step").start()
    await ClockCycles(dut.clk, 3)
    dut.rst.value = 0
    bus = bus_of(ports, {name: stream.bits // 8 for name, stream in streams.items()})
    found = await bridge(drive)(ctypes.CDLL(fields["library"]), bus, fields, arrays)
    report = {"mismatches": [], "n_mismatches": 0, "violations": [], "coverage": {}, "cycles": 0}
    case.save(folder, "result_0", report, found)
