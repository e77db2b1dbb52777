"""One testbench for every component: streams in, streams out, stalls at random, the protocol checked.

Amaranth's own simulator starts in a moment, so these tests are the quick ones; the benches under `sim/` run the emitted
Verilog.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.sim import Simulator

from hamming.rtl.dimensions import Dimensions

PATIENCE = 5000  # cycles without a transfer before a testbench gives up


class Beats(NamedTuple):
    """What was seen at the outputs: payloads by stream, and the cycle of each transfer by stream (inputs too)."""

    payloads: dict[str, list[Any]]
    cycles: dict[str, list[int]]


def run(
    component: wiring.Component,
    inputs: Mapping[str, Sequence[Any]],
    outputs: Mapping[str, int],
    *,
    pause: float = 0.0,
    stall: float = 0.0,
    seed: int = 0,
    beside: Mapping[str, Sequence[Mapping[str, int]]] | None = None,
    memories: Mapping[str, Callable[[int], int]] | None = None,
    after: Mapping[str, str] | None = None,
) -> Beats:
    """Send `inputs` (payloads by stream) until `outputs` (number of beats by stream) have come.

    `pause` and `stall` are the chances, each cycle, that a source waits and that a sink is not ready. `beside` gives
    for a stream's payloads the values of plain inputs that go with them. `memories` answers the component's read
    ports, as late as their latency. `after` names for a stream another one that must be through before it starts.
    """
    rng = random.Random(seed)
    beside, memories, after = beside or {}, memories or {}, after or {}
    seen: dict[str, list[Any]] = {name: [] for name in outputs}
    cycles: dict[str, list[int]] = {name: [] for name in [*inputs, *outputs]}
    position = dict.fromkeys(inputs, 0)
    offered = dict.fromkeys(inputs, False)

    streams = {name: getattr(component, name) for name in [*inputs, *outputs]}
    sampled = [signal for name in streams for signal in (streams[name].valid, streams[name].ready)]
    sampled += [streams[name].payload for name in outputs]
    ports = {name: getattr(component, name) for name in memories}
    sampled += [signal for port in ports.values() for signal in (port.en, port.addr)]

    async def testbench(ctx: Any) -> None:
        cycle = idle = 0
        held: dict[str, Any] = {}
        words = {name: [0] * port.signature.latency for name, port in ports.items()}
        while any(len(seen[name]) < n for name, n in outputs.items()):
            for name, payloads in inputs.items():
                waits_for = after.get(name)
                may_start = waits_for is None or position[waits_for] == len(inputs[waits_for])
                if not offered[name] and position[name] < len(payloads) and may_start and rng.random() >= pause:
                    offered[name] = True
                    ctx.set(streams[name].payload, payloads[position[name]])
                    for plain, value in (beside[name][position[name]] if name in beside else {}).items():
                        ctx.set(getattr(component, plain), value)
                ctx.set(streams[name].valid, offered[name])
            for name in outputs:
                ctx.set(streams[name].ready, rng.random() >= stall)

            values = iter((await ctx.tick().sample(*sampled))[2:])
            handshakes = {name: (next(values), next(values)) for name in streams}
            idle += 1
            for name, (valid, ready) in handshakes.items():
                payload = next(values) if name in outputs else None
                if name in held:
                    assert valid, f"{name}: valid fell before the transfer, in cycle {cycle}"
                    assert payload == held.pop(name), (
                        f"{name}: the payload changed before the transfer, in cycle {cycle}"
                    )
                if valid and not ready and name in outputs:
                    held[name] = payload
                if valid and ready:
                    idle = 0
                    cycles[name].append(cycle)
                    if name in outputs:
                        seen[name].append(payload)
                    else:
                        position[name] += 1
                        offered[name] = False
            for name, port in ports.items():
                enable, address = next(values), next(values)
                for stage in reversed(range(len(words[name]))):
                    if enable >> stage & 1:
                        words[name][stage] = words[name][stage - 1] if stage else memories[name](address)
                ctx.set(port.data, words[name][-1])
            cycle += 1
            assert idle < PATIENCE, (
                f"nothing moves: { ({name: len(beats) for name, beats in seen.items()}) } of {outputs}"
            )

    top = Module()
    top.submodules.component = component
    top.d.sync += Signal(name="clocked").eq(1)  # a clock also where the component has no register
    simulator = Simulator(top)
    simulator.add_clock(1e-6)
    simulator.add_testbench(testbench)
    simulator.run()
    return Beats(seen, cycles)


#: Chances of a pause and a stall that every component's test goes through.
RHYTHMS = ((0.0, 0.0), (0.5, 0.0), (0.0, 0.5), (0.3, 0.3))


def pack(bits: Iterable[Any]) -> int:
    """Bits, first one lowest, as an integer."""
    return sum(int(bit) << position for position, bit in enumerate(bits))


def whole_sums(dims: Dimensions, beat: Any) -> tuple[list[int], int]:
    """Put the parts of `payload.sum_parts` together: sums, and the sum of weights."""
    spec = dims.spec
    sums = []
    for n in range(dims.n_macs):
        total = beat.acc[n] - (2**spec.value_bits - 1) * beat.negated
        for i, column in enumerate(dims.kept_carries):
            total += (beat.carry[n] >> i & 1) << column
        sums.append(total % 2**spec.acc_bits)
    return sums, beat.low + 2 ** (spec.out_frac_bits + 1) * (beat.offset + beat.offset_carry - beat.negated)
