"""Surroundings of a proof: free inputs, assumptions about them, claims, and the clock and reset that all live in."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import ClockDomain, Fragment, Module, Shape, Signal, Value, ValueCastable
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Harness"]


class Harness:
    """A component, what drives it, and what is claimed of it.

    Every register starts with any value, whatever its reset value, and so does every memory. In the first cycle there
    is a reset; it may come again at any time with `resets`. A claim is about every cycle after the first in which, and
    before which, all assumptions hold.

    Parameters
    ----------
    component
        What is proved.
    has_state
        Whether there are registers: a claim about a circuit without any is about every cycle.
    resets
        Whether a reset may come at any time, or in the first cycle alone.

    Attributes
    ----------
    m : Module
        Where a proof adds its own counters; registers of `m.d.sync` are reset with the component, those of
        `m.d.always` never are.
    reset : Signal
        Whether there is a reset.
    """

    def __init__(self, component: wiring.Component | None = None, *, resets: bool = False, has_state: bool = True):
        self.m = m = Module()
        self.inputs: dict[str, Signal] = {}
        self.claims: dict[str, Signal] = {}
        self.reached: dict[str, Signal] = {}
        self.shown: dict[str, Signal] = {}
        self._assumptions: list[Value] = []
        m.domains.sync = sync = ClockDomain()
        m.domains.always = always = ClockDomain(reset_less=True)
        self.clk = Signal()
        self.has_state = has_state
        self.started = Signal(name="started", init=not has_state)
        self.reset = Signal()
        m.d.comb += [sync.clk.eq(self.clk), always.clk.eq(self.clk), Value.cast(sync.rst).eq(self.reset)]
        if has_state:
            m.d.always += self.started.eq(1)
        m.d.comb += self.reset.eq(~self.started | (self.free("reset_now") if resets else 0))
        self._signals: dict[str, Signal] = {}
        if component is not None:
            m.submodules.component = fragment = Fragment.get(component, None)
            for statements in fragment.statements.values():
                driven = (signal for signal in statements._lhs_signals() if isinstance(signal, Signal))
                self._signals |= {signal.name: signal for signal in driven}

    def within(self, name: str) -> Signal:
        """Return the component's own signal of that name, where a claim is about what does not show outside."""
        return self._signals[name]

    def free(self, name: str, shape: Any = 1) -> Any:
        """Return a signal that may have any value in any cycle."""
        size = Shape.cast(shape).width
        self.inputs[name] = signal = Signal(size, name=name)
        return shape(signal) if isinstance(Signal(shape), ValueCastable) else signal

    def constant(self, name: str, shape: Any = 1) -> Any:
        """Return a signal that may have any value, the same in all cycles after the first."""
        held = Signal(shape, name=f"{name}_held")
        with self.m.If(~self.started):
            self.m.d.always += Value.cast(held).eq(Value.cast(self.free(name, shape)))
        return held

    def assume(self, condition: Any) -> None:
        """Leave out all that follows a cycle in which `condition` is 0, and that cycle itself."""
        self._assumptions.append(Value.cast(condition).bool())

    def claim(self, name: str, condition: Any) -> None:
        """State that `condition` is 1."""
        self.claims[name] = signal = Signal(name=f"claim_{len(self.claims)}")
        self.m.d.comb += signal.eq(Value.cast(condition).bool())

    def reach(self, name: str, condition: Any) -> None:
        """State that `condition` can become 1: that what is claimed is about something, whatever is assumed."""
        self.reached[name] = signal = Signal(name=f"reach_{len(self.reached)}")
        self.m.d.comb += signal.eq(Value.cast(condition).bool())

    def show(self, name: str, value: Any) -> None:
        """Have `value` in traces."""
        self.shown[name] = signal = Signal(Value.cast(value).shape(), name=f"show_{len(self.shown)}")
        self.m.d.comb += signal.eq(Value.cast(value))

    def before(self, value: Any, name: str) -> Signal:
        """Return what `value` was a cycle before (0 after a reset)."""
        earlier = Signal(Value.cast(value).shape(), name=f"{name}_before")
        self.m.d.sync += earlier.eq(Value.cast(value))
        return earlier

    def before_always(self, value: Any, name: str) -> Signal:
        """Return what `value` was a cycle before, whatever was reset."""
        earlier = Signal(Value.cast(value).shape(), name=f"{name}_earlier")
        self.m.d.always += earlier.eq(Value.cast(value))
        return earlier

    def _holds(self, interface: Any, name: str) -> Value:
        """Return whether a stream's offer of the cycle before, if it was not taken, is still there."""
        waits = self.before(interface.valid & ~interface.ready, f"{name}_waits")
        payload = Value.cast(interface.payload)
        return ~waits | self.reset | (interface.valid & (payload == self.before(payload, f"{name}_payload")))

    def _show(self, interface: Any, name: str) -> None:
        for part in ("valid", "ready", "payload"):
            self.show(f"{name}.{part}", getattr(interface, part))

    def drive(self, interface: Any, name: str, *, holds: bool = True) -> Value:
        """Drive an input stream with any payloads at any time; return whether it transfers.

        With `holds` an offer holds until it is taken, as the protocol demands.
        """
        self.m.d.comb += interface.valid.eq(self.free(f"{name}_valid"))
        payload = Value.cast(interface.payload)
        self.m.d.comb += payload.eq(self.free(f"{name}_payload", len(payload)))
        if holds:
            self.assume(self._holds(interface, name))
        self._show(interface, name)
        return interface.valid & interface.ready

    def drain(self, interface: Any, name: str, *, claims: bool = True) -> Value:
        """Take an output stream's beats at any time, and claim its protocol; return whether it transfers."""
        self.m.d.comb += interface.ready.eq(self.free(f"{name}_ready"))
        self._show(interface, name)
        if claims:
            self.claim(f"{name} holds until it is taken", self._holds(interface, name))
        return interface.valid & interface.ready

    def finished(self) -> wiring.Component:
        """Return the whole as a component: free values in, a 1 out for each claim that is broken."""
        return _Finished(self)


class _Finished(wiring.Component):
    """A harness with its ports: a 1 in `bad_N` breaks claim `N`, one in `reached_N` is reached, `out_N` is shown."""

    def __init__(self, harness: Harness):
        self.harness = harness
        members = {"clk_in": In(1)}
        members |= {name: In(len(signal)) for name, signal in harness.inputs.items() if len(signal)}
        members |= {f"bad_{n}": Out(1) for n in range(len(harness.claims))}
        members |= {f"reached_{n}": Out(1) for n in range(len(harness.reached))}
        members |= {f"out_{n}": Out(len(signal)) for n, signal in enumerate(harness.shown.values()) if len(signal)}
        super().__init__(members)

    def elaborate(self, platform) -> Module:
        harness = self.harness
        m = harness.m
        m.d.comb += harness.clk.eq(self.clk_in)
        m.d.comb += [signal.eq(getattr(self, name)) for name, signal in harness.inputs.items() if len(signal)]
        broken, holds = Signal(name="assumption_broken"), Signal()
        m.d.comb += holds.eq(~broken & Value.cast(_all(harness._assumptions)))
        if harness.has_state:
            m.d.always += broken.eq(harness.started & ~holds)
        for n, claim in enumerate(harness.claims.values()):
            m.d.comb += getattr(self, f"bad_{n}").eq(harness.started & holds & ~claim)
        for n, reach in enumerate(harness.reached.values()):
            m.d.comb += getattr(self, f"reached_{n}").eq(harness.started & holds & reach)
        for n, signal in enumerate(harness.shown.values()):
            if len(signal):
                m.d.comb += getattr(self, f"out_{n}").eq(signal)
        return m


def _all(conditions: list[Value]) -> Value:
    result: Value = Value.cast(1)
    for condition in conditions:
        result = result & condition
    return result[0]
