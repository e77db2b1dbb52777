"""An engine behind AXI as a driver sees it: what the benches of these tests share."""

from typing import Any

import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles
from cocotbext.axi import AxiStreamFrame

from hamming.sim.axi_ends import AxiPorts
from hamming.sim.payloads import read_streams

ENABLE, RESET, DRAIN, CLEAR = 1, 2, 4, 8
DONE, ERROR, RESET_DONE = 1, 2, 4


class Core:
    """The engine as a driver sees it."""

    def __init__(self, dut, fields, arrays):
        self.dut, self.arrays = dut, arrays
        self.streams = read_streams(fields["streams"])
        self.map = {one["name"]: one["offset"] for one in fields["registers"]["registers"]}
        dut.rst.value = 1
        self.ports = AxiPorts(dut, self.streams, fields["masters"])

    async def begin(self):
        Clock(self.dut.clk, 2, unit="step").start()
        await self.wait(3)
        self.dut.rst.value = 0
        await self.wait(3)

    async def wait(self, n_cycles):
        await ClockCycles(self.dut.clk, n_cycles)

    async def read(self, name):
        return await self.ports.registers.read_dword(self.map[name])

    async def write(self, name, value):
        await self.ports.registers.write_dword(self.map[name], value)

    def send(self, name, **values):
        for beat in self.streams[name].encode(**values):
            data: Any = [beat]
            self.ports.sources[name].send_nowait(AxiStreamFrame(data))

    def send_queries(self, n_valid):
        self.send("i_query", query=self.arrays["q"][: len(n_valid)], n_valid=n_valid)

    async def answers(self, n_queries):
        """Return the next outputs, once they are here."""
        stream, sink = self.streams["o_out"], self.ports.sinks["o_out"]
        frames = []
        for _ in range(20_000):
            while not sink.empty():
                frames.append(sink.recv_nowait(compact=False))
            if len(frames) >= n_queries:
                break
            await self.wait(1)
        return np.stack([stream.decode(list(frame.tdata))["value"].ravel() for frame in frames])

    def transfers(self, name):
        return int(getattr(self.dut, f"{name}_monitor").n_transfers.value)
