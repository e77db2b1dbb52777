"""A module under test: emitted, put into its harness, compiled, and run on the cases of a bench."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from amaranth.lib import wiring
from numpy.typing import NDArray

from hamming.rtl.manifest import ports, streams
from hamming.rtl.memory_wrapper import memory_wrapper, wrapper_name, wrapper_ports
from hamming.rtl.verilog import emit
from hamming.sim import case, runner
from hamming.sim.harness import TOP, Port, harness, library
from hamming.sim.payloads import read_streams
from hamming.sim.worst_case import require_power_up, with_macros, without_initial_values

__all__ = ["Case", "Result", "Testbench"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Case:
    """What a bench plays from a reset on: fields of JSON's types, and arrays, as its docstring asks for."""

    fields: Mapping[str, Any]
    arrays: Mapping[str, NDArray] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, eq=False)
class Result:
    """What a bench found in one case.

    Attributes
    ----------
    arrays
        As its docstring says.
    mismatches, n_mismatches
        What differs from what was expected, in words (the first ones), and how often.
    violations
        Breaches of the streams' protocol.
    coverage
        Counts by situation (`sim.coverage`).
    cycles
        Cycles simulated.
    """

    arrays: Mapping[str, NDArray]
    mismatches: list[str]
    n_mismatches: int
    violations: list[str]
    coverage: dict[str, int]
    cycles: int

    @property
    def failures(self) -> list[str]:
        """Everything that was wrong, in words."""
        return self.violations + self.mismatches


class Testbench:
    """A module's Verilog, compiled, and the bench that plays cases on it.

    Parameters
    ----------
    verilog
        The module, as emitted.
    description
        Of a manifest: `name`, `ports`, `streams` and, for memories outside, `memory_ports` and `memory_streams`.
    bench
        Module of the bench, `sim.bench_engine` say.
    simulator, waves, coverage
        As of `sim.runner.build`.
    power_up
        One of `sim.worst_case.POWER_UPS`: what registers and memories hold before the first reset.

    Attributes
    ----------
    description
        As given.
    build
        The compiled harness.
    component
        What `of` was given.
    """

    component: Any = None

    #: Not a test, whatever pytest thinks of its name.
    __test__ = False

    def __init__(
        self,
        verilog: str,
        description: Mapping[str, Any],
        bench: str,
        *,
        simulator: str = "verilator",
        waves: bool = False,
        coverage: bool = False,
        power_up: str = "unknown",
    ) -> None:
        require_power_up(power_up)
        name, ports = description["name"], description["ports"]
        self.description = description
        self._bench = bench
        simulated = verilog  # whose points are counted, if any are
        if not coverage:
            simulated = with_macros(verilog)
            if power_up == "unknown":
                simulated = without_initial_values(simulated)
        sources = {f"{name}.v": simulated}
        if description.get("memory_ports"):
            # Connected as its users get it, to the memory of `library`.
            name, ports = wrapper_name(description), wrapper_ports(description)
            verilog = memory_wrapper(description)
            sources |= {f"{name}.v": verilog}
        # A module without registers has no clock, whatever its description says.
        header = re.search(rf"^module {name}\((.*?)\);", verilog, re.MULTILINE | re.DOTALL)
        declared = set(re.findall(r"\w+", header[1])) if header else set()
        declared_ports = [Port(**port) for port in ports if port["name"] in declared]
        channels = description.get("registers", {}).get("channels", {})
        watched = read_streams({**description["streams"], **channels})
        axi = dict.fromkeys(channel.rpartition("_")[0] for channel in channels)
        top = harness(name, declared_ports, watched, description.get("memory_streams"), list(axi))
        sources |= {f"{TOP}.v": top, **library()}
        self.build = runner.build(sources, TOP, simulator=simulator, waves=waves, coverage=coverage)

    @classmethod
    def of(cls, component: wiring.Component, name: str, bench: str, **options: Any) -> Testbench:
        """Return the testbench of a component by itself, of which it keeps the attribute `component`."""
        description = {"name": name, "ports": ports(component), "streams": streams(component)}
        testbench = cls(emit(component, name), description, bench, **options)
        testbench.component = component
        return testbench

    def run(
        self,
        cases: Sequence[Case],
        *,
        waves: Path | None = None,
        coverage: Path | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> list[Result]:
        """Play each case, from a reset on, in one run of the simulator.

        Parameters
        ----------
        cases
            One after the other; the streams are added to each one's fields.
        waves, coverage
            Files of the trace and of the points that were met (`sim.runner.run`).
        progress
            Called with what the bench has counted.

        Raises
        ------
        SimulationFailed
            The simulator ended early; its folder is kept.
        """
        folder = Path(tempfile.mkdtemp(prefix="hamming-"))
        try:
            for number, one in enumerate(cases):
                names = ("streams", "memory_streams", "registers", "masters")
                described = {name: self.description.get(name, {}) for name in names}
                fields = {**described, **one.fields}
                case.save(folder, f"case_{number}", fields, one.arrays)
            runner.run(self.build, self._bench, folder, waves=waves, coverage=coverage, progress=progress)
            results = []
            for number in range(len(cases)):
                report, arrays = case.load(folder, f"result_{number}")
                results.append(Result(arrays=arrays, **report))
        except runner.SimulationFailed:
            raise  # its log is there
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        shutil.rmtree(folder)
        return results
