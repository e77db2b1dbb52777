"""Bench of test_sim_axi_masters.py: keys and values in RAM, by the layout that the manifest states."""

import os
import random
from pathlib import Path

import cocotb
import numpy as np
from axi_core import ENABLE, RESET, Core

from hamming.sim import case
from hamming.sim.streams import pauses

#: Cycles in which a query comes to its values.
LONG = 2500

BASES = {"key": 0x7_0000_3000, "value": 0x2A_FFFF_F000}
STATUS_RESETTING = 2


class Memory(Core):
    """The engine and its RAMs."""

    def __init__(self, dut, fields, arrays):
        super().__init__(dut, fields, arrays)
        self.masters, self.rams = fields["masters"], self.ports.rams
        self.bits = {one["name"]: 1 << one["bit"] for one in fields["errors"]}
        self.bursts = {kind: self.watch(kind) for kind in self.masters}
        self.wrong = {kind: set() for kind in self.masters}
        for kind, ram in self.rams.items():
            ram.read_if._read = self.reader(kind, ram)
            ram.write_if._write = self.writer(kind, ram)
            ram.read_if.r_channel.send = self.sender(kind, ram)

    def reader(self, kind, ram):
        async def read(address, length):
            if any(address <= place < address + length for place in self.wrong[kind]):
                raise ValueError("planted")
            return ram.read(address, length)

        return read

    def sender(self, kind, ram):
        """Return what sends beats; one that is wrong has anything for data."""
        send = ram.read_if.r_channel.send

        async def send_anything(beat):
            if beat.rresp:
                beat.rdata = (1 << self.masters[kind]["data_bits"]) - 1
            await send(beat)

        return send_anything

    def writer(self, kind, ram):
        async def write(address, data):
            if address in self.wrong[kind]:
                raise ValueError("planted")
            ram.write(address, data)

        return write

    def watch(self, kind):
        """Note the bursts that are asked for, as address and beats."""
        found = []
        prefix = self.masters[kind]["prefix"]
        valid, ready, address, length = (
            getattr(self.dut, f"{prefix}_ar{name}") for name in ("valid", "ready", "addr", "len")
        )

        async def look():
            while True:
                await self.dut.clk.rising_edge
                if int(valid.value) and int(ready.value):
                    found.append((int(address.value), int(length.value) + 1))

        cocotb.start_soon(look())
        return found

    def bytes_of(self, kind):
        """Return what lies from the base on, by hand."""
        master, k, v = self.masters[kind], self.arrays["k"], self.arrays["v"]
        if kind == "key":
            keys = np.zeros((len(k), master["element_bytes"]), np.uint8)
            packed = np.packbits(k, axis=1, bitorder="little")
            keys[:, : packed.shape[1]] = packed
            return keys.tobytes()
        words = v.reshape(-1, master["n_elements"]).astype(f"<i{master['element_bytes']}")
        padded = np.zeros((len(words), master["word_bytes"]), np.uint8)
        padded[:, : words.view(np.uint8).shape[1]] = words.view(np.uint8).reshape(len(words), -1)
        return padded.tobytes()

    async def begin(self):
        await super().begin()
        for kind, base in BASES.items():
            if kind in self.masters:
                await self.ports.registers.write_qword(self.map[f"{kind.upper()}_BASE"], base)
        await self.write("CONTROL", ENABLE)

    async def ask(self, n_queries):
        self.send_queries([len(self.arrays["k"])] * n_queries)
        return await self.answers(n_queries)


@cocotb.test()
async def masters(dut):
    """Reads, writes, errors, and resets with words on their way."""
    folder = Path(os.environ["HAMMING_CASE"])
    fields, arrays = case.load(folder, "case_0")
    core = Memory(dut, fields, arrays)
    out, n_keys = arrays["out"], len(arrays["k"])
    await core.begin()

    # Others have written keys and values.
    for kind in core.masters:
        core.rams[kind].write(BASES[kind], core.bytes_of(kind))
    if len(core.masters) == 1:
        core.send("i_row", index=np.arange(n_keys), key=arrays["k"], value=arrays["v"])
        await core.ports.sources["i_row"].wait()
    assert np.array_equal(await core.ask(3), out[:3])
    for kind, bursts in core.bursts.items():
        master = core.masters[kind]
        beat_bytes = master["data_bits"] // 8
        assert all(address % 4096 + n * beat_bytes <= 4096 for address, n in bursts), kind
        if kind == "key":  # all of which are read
            assert {address // 4096 for address, _ in bursts} == {
                place // 4096 for place in range(BASES[kind], BASES[kind] + len(core.bytes_of(kind)))
            }
            assert max(n for _, n in bursts) * beat_bytes == min(
                16 * beat_bytes, fields["outstanding"] * master["word_bytes"]
            )
    # Many under way: with responses held up, requests go on.
    for kind, ram in core.rams.items():
        before = len(core.bursts[kind])
        ram.read_if.r_channel.pause = True
        core.send_queries([n_keys] * 2)
        await core.wait(LONG)
        beats = sum(n for _, n in core.bursts[kind][before:])
        assert beats * core.masters[kind]["data_bits"] >= 16 * core.masters[kind]["word_bytes"], kind
        ram.read_if.r_channel.pause = False
        assert np.array_equal(await core.answers(2), out[:2])

    # Words that memory answers with an error read as 0, and are told; nothing hangs, and what comes after is right.
    for kind in core.masters:
        core.wrong[kind] = {BASES[kind] + fields["wrong"][kind] * core.masters[kind]["word_bytes"]}
        assert np.array_equal(await core.ask(2), arrays[f"out_wrong_{kind}"][:2])
        assert await core.read("ERROR") == core.bits[f"{kind}_response"]
        core.wrong[kind] = set()
        await core.write("ERROR", core.bits[f"{kind}_response"])
        assert np.array_equal(await core.ask(2), out[:2])
        assert await core.read("ERROR") == 0

    # A reset that drops waits for the words that were asked for, and forgets them.
    for kind, ram in core.rams.items():
        ram.read_if.r_channel.pause = True
        core.send_queries([n_keys])
        await core.wait(LONG)
        await core.write("CONTROL", ENABLE | RESET)
        await core.wait(50)
        assert await core.read("STATUS") & STATUS_RESETTING, kind
        ram.read_if.r_channel.pause = False
        await core.wait(LONG)
        assert await core.read("STATUS") == 0
        while not core.ports.sinks["o_out"].empty():
            core.ports.sinks["o_out"].recv_nowait()
        core.ports.sinks["o_selected"].clear()
        assert np.array_equal(await core.ask(2), out[:2])
        assert await core.read("ERROR") == 0

    # Rows that come by the stream lie as those of others; a write that fails is told.
    for kind, ram in core.rams.items():
        ram.write(BASES[kind], bytes(len(core.bytes_of(kind))))
        for name in ("aw_channel", "w_channel", "b_channel"):
            getattr(ram.write_if, name).set_pause_generator(pauses(0.5, random.Random(3)))
    core.send("i_row", index=np.arange(n_keys), key=arrays["k"], value=arrays["v"])
    await core.ports.sources["i_row"].wait()
    await core.wait(2)
    assert np.array_equal(await core.ask(2), out[:2])
    for kind, ram in core.rams.items():
        assert ram.read(BASES[kind], len(core.bytes_of(kind))) == core.bytes_of(kind)
        core.wrong[kind] = {BASES[kind]}
        core.send("i_row", index=[0], key=arrays["k"][:1], value=arrays["v"][:1])
        await core.ports.sources["i_row"].wait()
        await core.wait(100)
        core.wrong[kind] = set()
        assert await core.read("ERROR") == core.bits[f"{kind}_write"]
        await core.write("ERROR", core.bits[f"{kind}_write"])
    assert np.array_equal(await core.ask(2), out[:2])

    report = {"mismatches": [], "n_mismatches": 0, "violations": [], "coverage": {}, "cycles": 0}
    for name in (*core.streams, *fields["registers"]["channels"]):
        assert int(getattr(dut, f"{name}_monitor").violation.value) == 0, name
    case.save(folder, "result_0", report, {})
