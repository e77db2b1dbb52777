"""Components by themselves: each one's bench, fed with what the golden model's steps hand on for random vectors."""

from __future__ import annotations

from typing import Any

from amaranth.lib import wiring

from hamming.rtl.design import Design
from hamming.rtl.fetch import KeyFetch
from hamming.rtl.fork import Fork
from hamming.rtl.loader import RowLoader
from hamming.rtl.locate import Locate
from hamming.rtl.memory import address_bits
from hamming.rtl.normalizer import Normalizer
from hamming.rtl.replay import Replay
from hamming.rtl.row_range import RowRange
from hamming.rtl.score import ScoreArray
from hamming.rtl.selector import selector
from hamming.rtl.shared_rows import SharedRows
from hamming.rtl.softmax import SoftmaxTable
from hamming.rtl.table_queue import TableQueue
from hamming.rtl.turns import Turns
from hamming.rtl.weighted_sum import WeightedSum
from hamming.sim.stimulus import Vectors
from hamming.sim.testbench import Case, Testbench

__all__ = ["COMPONENTS", "case_of", "component_testbench", "module_name"]

#: Component of each bench, in the order of the data path.
COMPONENTS: dict[str, Any] = {
    "loader": RowLoader,
    "turns": lambda dims: Turns(addr_bits=address_bits(dims.n_rows)),
    "table_queue": TableQueue,
    "row_range": RowRange,
    "fetch": KeyFetch,
    "score": ScoreArray,
    "selector": selector,
    "shared_rows": SharedRows,
    "locate": Locate,
    "fork": lambda dims: Fork(),
    "replay": Replay,
    "softmax": SoftmaxTable,
    "weighted_sum": WeightedSum,
    "normalizer": Normalizer,
}


def module_name(bench: str) -> str:
    """Return the name that a component's module has by itself: `fork` is a word of SystemVerilog."""
    return f"{bench}_alone"


def component_testbench(bench: str, design: Design, **options: Any) -> Testbench:
    """Return the testbench of a component: one of `COMPONENTS`, in a design."""
    component: wiring.Component = COMPONENTS[bench](design.dimensions)
    return Testbench.of(component, module_name(bench), f"hamming.sim.bench_{bench}", **options)


def case_of(design: Design, vectors: Vectors, *, stall: float | dict[str, float] = 0.0, seed: int = 0) -> Case:
    """Return a case of any component's bench: what it gets and must give follows from vectors of one head.

    Parameters
    ----------
    design
        As of the testbench.
    vectors
        Queries, keys, values of one head, with a leading axis of 1.
    stall
        Share of cycles in which each stream pauses, for all or by name.
    seed
        Of pauses, orders and what may be anything.
    """
    fields = {
        "spec": design.spec.to_dict(),
        "engine": design.config.to_dict(),
        "stall": stall,
        "seed": seed,
        "watchdog": 1000 + 4 * design.spec.n_keys * design.dimensions.fold,
    }
    return Case(fields=fields, arrays=vectors.arrays())
