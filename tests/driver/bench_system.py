"""Bench of test_driver_system.py: RAM, DMA and the engine at addresses of one bus, and a program in C that uses them.

RAM is memory of this process, at its own addresses, so that the program's pointers are addresses of the bus.
"""

import ctypes
import mmap
import os
from pathlib import Path
from typing import Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.task import bridge, resume
from cocotb.triggers import ClockCycles
from cocotbext.axi import AddressSpace, AxiStreamFrame, MemoryRegion, PeripheralRegion

from hamming.sim import case
from hamming.sim.axi_ends import AxiPorts
from hamming.sim.payloads import read_streams

CORE, DMAS = 0x4000_0000, 0x5000_0000
RAM_BYTES = 1 << 21
PAGE = 4096
STREAMS = ["i_row", "i_query", "i_mask", "o_out", "o_selected"]
#: Whole cycles that the bus takes for an access to a DMA.
ACCESS_CYCLES = 2

Read = ctypes.CFUNCTYPE(ctypes.c_uint32, ctypes.c_void_p, ctypes.c_uint64)
Write = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_uint32)


class Io(ctypes.Structure):
    _fields_ = (("context", ctypes.c_void_p), ("read", Read), ("write", Write))


class DmaBus(ctypes.Structure):
    _fields_ = (("io", Io), ("core", ctypes.c_uint64), ("streams", ctypes.c_uint64 * 5), ("polls", ctypes.c_uint32))


class Channel:
    """A channel of AMD's AXI DMA in direct register mode (PG021), out of memory or into it."""

    DMASR, ADDRESS, ADDRESS_MSB, LENGTH = 0x04, 0x18, 0x1C, 0x28
    IDLE, INTERNAL_ERROR = 0x2, 0x10

    def __init__(self, dut, space, n_bytes, *, source: Any = None, sink: Any = None):
        self.dut, self.space, self.n_bytes, self.source, self.sink = dut, space, n_bytes, source, sink
        self.registers = {self.DMASR: self.IDLE}

    async def read(self, offset, length):
        await ClockCycles(self.dut.clk, ACCESS_CYCLES)
        return self.registers.get(offset, 0).to_bytes(length, "little")

    async def write(self, offset, data):
        await ClockCycles(self.dut.clk, ACCESS_CYCLES)
        self.registers[offset] = int.from_bytes(data, "little")
        if offset == self.LENGTH:
            self.registers[self.DMASR] = 0
            cocotb.start_soon(self.move())

    async def move(self):
        address = self.registers[self.ADDRESS_MSB] << 32 | self.registers[self.ADDRESS]
        length = self.registers[self.LENGTH]
        if self.source is not None:
            data = await self.space.read(address, length)
            assert length % self.n_bytes == 0
            for start in range(0, length, self.n_bytes):
                beat: Any = [int.from_bytes(data[start : start + self.n_bytes], "little")]
                await self.source.send(AxiStreamFrame(beat))
            await self.source.wait()
        else:
            frame = await self.sink.recv(compact=False)
            data = b"".join(beat.to_bytes(self.n_bytes, "little") for beat in frame.tdata)
            if len(data) > length:  # which PG021 forbids
                self.registers[self.DMASR] = self.INTERNAL_ERROR
                return
            await self.space.write(address, data)
            self.registers[self.LENGTH] = len(data)
        self.registers[self.DMASR] = self.IDLE


class Ram:
    """Memory at its own addresses, as the engine's masters see it."""

    def __init__(self, memory, base):
        self.memory, self.base = memory, base

    def __len__(self):
        return 1 << 62

    def __getitem__(self, place):
        return self.memory[place.start - self.base : place.stop - self.base]

    def __setitem__(self, place, data):
        self.memory[place.start - self.base : place.stop - self.base] = data


class System:
    """Everything but the program."""

    def __init__(self, dut, fields):
        streams = read_streams(fields["streams"])
        self.dut = dut
        self.memory = mmap.mmap(-1, RAM_BYTES)
        self.base = ctypes.addressof(ctypes.c_char.from_buffer(self.memory))
        self.free = 0
        self.ports = AxiPorts(dut, streams, fields["masters"], memory=Ram(self.memory, self.base))
        self.space = AddressSpace()
        self.space.register_region(MemoryRegion(RAM_BYTES, self.memory), self.base)
        self.space.register_region(self.ports.registers, CORE, 0x1000)
        self.dma = DmaBus(Io(None, Read(self.read), Write(self.write)), CORE, polls=100_000)
        for name, stream in streams.items():
            number, is_input = STREAMS.index(name), stream.direction == "input"
            ends = {"source": self.ports.sources[name]} if is_input else {"sink": self.ports.sinks[name]}
            channel = Channel(dut, self.space, stream.bits // 8, **ends)
            self.dma.streams[number] = DMAS + 0x1000 * number
            region = PeripheralRegion(channel, 0x30)
            self.space.register_region(region, self.dma.streams[number] + (0 if is_input else 0x30))

    def read(self, _, address):
        return resume(self.space.read_dword)(address)

    def write(self, _, address, value):
        resume(self.space.write_dword)(address, value)

    def place(self, values, kind):
        """Put an array into RAM and return it there."""
        values = np.ascontiguousarray(values, kind)
        array = np.frombuffer(self.memory, kind, values.size, self.free).reshape(values.shape)
        array[...] = values
        self.free += -(-values.nbytes // PAGE) * PAGE
        return array


def pointer(array):
    return ctypes.c_void_p(array.ctypes.data)


def packed(bits):
    return np.packbits(bits, axis=-1, bitorder="little")


def run(system, program, arrays):
    """Call the program for each head; return what it left in RAM."""
    scratch = system.place(np.zeros(4096), np.uint8)
    # Each head's at pages of their own.
    q, k = ([system.place(packed(head), np.uint8) for head in arrays[name]] for name in ("q", "k"))
    v = [system.place(head, head.dtype) for head in arrays["v"]]
    weights = [system.place(head, np.uint32) for head in arrays["weights"]]
    out = [system.place(np.zeros((head.shape[0], arrays["v"].shape[2])), np.int32) for head in q]
    for head in range(len(q)):
        status = program(
            ctypes.byref(system.dma),
            pointer(scratch),
            pointer(weights[head]),
            *(pointer(array[head]) for array in (q, k, v, out)),
            *(ctypes.c_uint32(len(array[head])) for array in (q, k)),
        )
        assert status == 0, f"head {head}: {status}"
    return {"out": np.stack(out)}


@cocotb.test()
async def system(dut) -> None:
    """Play the case of this run."""
    folder = Path(os.environ["HAMMING_CASE"])
    fields, arrays = case.load(folder, "case_0")
    dut.rst.value = 1
    whole = System(dut, fields)
    Clock(dut.clk, 2, unit="step").start()
    await ClockCycles(dut.clk, 3)
    dut.rst.value = 0
    program = getattr(ctypes.CDLL(fields["library"]), fields["program"])
    found = await bridge(run)(whole, program, arrays)
    report = {"mismatches": [], "n_mismatches": 0, "violations": [], "coverage": {}, "cycles": 0}
    case.save(folder, "result_0", report, found)
