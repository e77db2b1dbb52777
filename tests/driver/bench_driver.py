"""Bench of test_driver.py: the drivers in C and in Python, their registers and streams played by cocotbext-axi."""

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

from hamming.driver import core as in_python
from hamming.driver.core import Unsupported
from hamming.driver.pynq_bus import PynqBus
from hamming.sim import case
from hamming.sim.axi_ends import AxiPorts
from hamming.sim.payloads import read_streams

OUT_OF_RANGE, UNSUPPORTED, TOO_SMALL = -3, -4, -2
STREAMS = ["i_row", "i_query", "i_mask", "o_out", "o_selected"]
_WORDS = [
    *("d_head", "d_value", "n_keys", "top_k", "value_bits", "weight_bits", "out_frac_bits", "out_bits", "n_tables"),
    *("n_lanes", "features", "row_bytes", "row_key", "row_value", "query_bytes", "query_n_valid", "mask_bytes"),
    *("out_bytes", "out_beats", "selected_bytes", "table_offset", "table_words", "key_bytes", "value_bytes"),
    "n_queries_a_row",
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
        ("is_lost", ctypes.c_int),
    )


def accesses(ports, n_bytes):
    """Return what a driver's bus does, each by name: it runs simulated time until it is done."""

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

    return {"read": read, "write": write, "send": send, "receive": receive}


def c_bus(read, write, send, receive):
    """Return the bus that C calls."""

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
    """Pack bits, or rows of bits, each row in whole bytes."""
    return array(np.packbits(bits, axis=-1, bitorder="little").ravel(), ctypes.c_uint8)


class Buffer(np.ndarray):
    """What `pynq.allocate` gives: an array, and methods for caches."""

    @classmethod
    def allocate(cls, *, shape, dtype):
        return np.zeros(shape, dtype).view(cls)

    def flush(self):
        pass

    def invalidate(self):
        pass


class Channel:
    """A channel of `pynq.lib.DMA`, in either direction."""

    def __init__(self, move):
        self.move, self.buffer, self.transferred = move, None, 0

    def transfer(self, buffer):
        assert self.buffer is None
        self.buffer = buffer

    def wait(self):
        buffer, self.buffer = self.buffer, None
        self.transferred = self.move(buffer)


class Dma:
    """A `pynq.lib.DMA` at one of the engine's streams."""

    def __init__(self, name, send, receive):
        def gives(buffer):
            send(name, bytes(buffer))
            return len(buffer)

        def takes(buffer):
            packet = receive(name)
            buffer[: len(packet)] = np.frombuffer(packet, np.uint8)
            return len(packet)

        self.sendchannel, self.recvchannel = Channel(gives), Channel(takes)


def python_bus(read, write, send, receive):
    """Return PYNQ's bus."""
    ip = type("Ip", (), {"read": staticmethod(read), "write": staticmethod(write)})
    dmas = {name.partition("_")[2]: Dma(name, send, receive) for name in STREAMS}
    return PynqBus(ip, dmas, Buffer.allocate)


def drive_python(bus, fields, arrays):
    """Play the case by the driver in Python; return what came."""
    core = in_python.Core(bus)
    assert (core.d_head, core.n_keys) == (fields["spec"]["d_head"], fields["spec"]["n_keys"])
    weights = fields["spec"]["weights"]
    if fields["engine"]["table"] == "loadable":
        core.load_table(weights)
        assert core.read_table().tolist() == list(weights)
        refuses(ValueError, core.load_table, weights, table=core.n_tables)
    else:
        refuses(Unsupported, core.load_table, weights)
    refuses(Unsupported, core.place, keys=4096)
    core.enable()
    answers = []
    for q, k, v, n_valid, mask in zip(*(arrays[name] for name in ("q", "k", "v", "n_valid", "mask")), strict=True):
        for index, (key, value) in enumerate(zip(k, v, strict=True)):
            core.write_row(index, key, value)
        for start in range(0, len(q), core.n_queries_a_row):
            some = slice(start, start + core.n_queries_a_row)
            hidden = mask[some] if fields["engine"]["mask"] else None
            if core.n_queries_a_row == 1:
                answers.append(core.attend(q[start], n_valid[start], None if hidden is None else hidden[0]))
            else:
                answers += core.attend_group(q[some], n_valid[some], hidden)
    core.reset(drain=True)
    assert core.errors() == 0
    query = arrays["q"][0][0]
    rows = enumerate(zip(arrays["k"][0], arrays["v"][0], strict=True))
    steps = [core.decode_step(index, key, value, query) for index, (key, value) in rows]

    key, value = arrays["k"][0][0], arrays["v"][0][0]
    refuses(ValueError, core.write_row, core.n_keys, key, value)
    refuses(ValueError, core.write_row, 0, key, value * 0 + (1 << core.value_bits - 1))
    refuses(ValueError, core.write_row, 0, key[1:], value)
    refuses(TypeError, core.write_row, 0, key, value * 0.5)
    refuses(TypeError, core.write_row, 1.0, key, value)
    refuses(TypeError, core.attend, key, "1")
    refuses(ValueError, core.attend, key, core.n_keys + 1)
    n_group = core.n_queries_a_row
    refuses(ValueError, core.attend_group, [], [])
    refuses(ValueError, core.attend_group, [key] * (n_group + 1), [1] * (n_group + 1))
    refuses(ValueError, core.attend_group, [key], [1, 1])
    if not fields["engine"]["mask"]:
        refuses(Unsupported, core.attend, key, 1, np.zeros(core.n_keys, bool))
    return {
        "out": np.stack([one.out for one in answers]),
        "is_empty": np.array([one.is_empty for one in answers]),
        "steps": np.stack([one.out for one in steps]),
    }


def refuses(kind, call, *arguments, **named):
    try:
        call(*arguments, **named)
    except kind:
        return
    raise AssertionError(f"{call} took {arguments} {named}")


def drive(library, bus, fields, arrays):
    """Play the case as a program in C would; return what came."""
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
        q, n_valid, masks = (arrays[name][head] for name in ("q", "n_valid", "mask"))
        for start in range(0, len(q), core.n_queries_a_row):
            some = slice(start, start + core.n_queries_a_row)
            queries, bits = packed(q[some]), packed(masks[some]) if fields["engine"]["mask"] else None
            if core.n_queries_a_row == 1:
                assert library.hamming_attend(at, queries, int(n_valid[start]), bits, out, ctypes.byref(empty)) == 0
                got.append(list(out))
                is_empty.append(empty.value)
                continue
            n = len(q[some])
            outs, empties = (ctypes.c_int32 * (n * core.d_value))(), (ctypes.c_int * n)()
            ends = array(n_valid[some], ctypes.c_uint32)
            assert library.hamming_attend_group(at, n, queries, ends, bits, outs, empties) == 0
            got += np.reshape(outs, (n, -1)).tolist()
            is_empty += list(empties)
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
    ends = array([1, core.n_keys + 1] * 9, ctypes.c_uint32)
    for n in (0, core.n_queries_a_row + 1, *([2] if core.n_queries_a_row > 1 else [])):
        assert library.hamming_attend_group(at, n, key, ends, None, out, None) == OUT_OF_RANGE
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
    does = accesses(ports, {name: stream.bits // 8 for name, stream in streams.items()})
    if fields["language"] == "c":
        found = await bridge(drive)(ctypes.CDLL(fields["library"]), c_bus(**does), fields, arrays)
    else:
        found = await bridge(drive_python)(python_bus(**does), fields, arrays)
    report = {"mismatches": [], "n_mismatches": 0, "violations": [], "coverage": {}, "cycles": 0}
    case.save(folder, "result_0", report, found)
