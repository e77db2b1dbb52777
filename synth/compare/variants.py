"""Variants of an engine: options of its spec that cost accuracy, and the engine that is smallest for each."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hamming.golden.spec import AttentionSpec
from hamming.golden.standard import logit_scale_of
from hamming.rtl.config import EngineConfig
from hamming.rtl.design import Design
from hamming.rtl.dimensions import Dimensions
from hamming.rtl.sizes import MOST_AT_ONCE
from hamming.synth.compare.gates_at_work import DEFAULT_WINDOW, Window

__all__ = ["FEW", "LIST", "VARIANTS", "WAITING", "Variant", "variants", "with_options"]

#: Lanes, at most, among which a sorted list chooses at 1 GHz in 45 nm.
_MOST_LANES_OF_A_LIST = 4

#: Rows that wait for a list, at most; rows of keys for each kept one, so that the list has cycles enough; words of a
#: bank of values.
_WAITING_ROWS = 32
_ROWS_A_KEPT_KEY = 8
_BANK_WORDS = 2048

#: Queries of a list, whose cycles depend on their scores: so many in all that no stream that is faster than the first
#: runs out of them.
_LONG_WINDOW = Window(n_queries=7, warm_queries=24, n_all=40)


def with_options(spec: AttentionSpec, logit_scale: float, changes: Mapping[str, Any]) -> AttentionSpec:
    """Return a spec with options of `AttentionSpec.from_logit_scale` changed, and a table of this scale."""
    fields = {field.name: getattr(spec, field.name) for field in dataclasses.fields(spec) if field.name != "weights"}
    return AttentionSpec.from_logit_scale(**{**fields, "logit_scale": logit_scale, **changes})


def _as_it_is(spec: AttentionSpec, config: EngineConfig) -> EngineConfig:
    return config


def _with_fewest_multipliers(spec: AttentionSpec, config: EngineConfig) -> EngineConfig:
    """Return an engine that is as fast as its scores, and whose selector looks at few enough scores at once."""
    for n_macs in (n for n in range(1, spec.d_value) if spec.d_value % n == 0):
        tried = dataclasses.replace(config, n_macs=n_macs)
        dims = Dimensions(spec, tried)
        terms = dims.cycle_terms()
        if max(terms.values()) <= dims.n_rows and dims.scan_rows * dims.n_lanes <= MOST_AT_ONCE:
            return tried
    return dataclasses.replace(config, n_macs=spec.d_value)


def _by_list(spec: AttentionSpec, config: EngineConfig) -> EngineConfig | None:
    """Return an engine of twice the lanes with a sorted list, whose sums take the cycles of the rows there were.

    A list of more lanes misses the clock, and one of fewer the cycles.
    """
    n_lanes = 2 * config.n_lanes
    return dataclasses.replace(_listed(spec, config), n_lanes=n_lanes) if n_lanes == _MOST_LANES_OF_A_LIST else None


def _by_waiting_list(spec: AttentionSpec, config: EngineConfig) -> EngineConfig | None:
    """Return an engine of as many lanes with a sorted list that rows wait for, and banks of values of one size."""
    if Dimensions(spec, config).n_rows < _ROWS_A_KEPT_KEY * spec.top_k:
        return None
    listed = _listed(spec, config)
    n_banks = max(1, spec.n_keys * (spec.d_value // (listed.n_macs or spec.d_value)) // _BANK_WORDS)
    return dataclasses.replace(listed, waiting_rows=_WAITING_ROWS, value_banks=n_banks)


def _listed(spec: AttentionSpec, config: EngineConfig) -> EngineConfig:
    """Return an engine with a sorted list whose sums take the cycles of the rows, and a register for levels."""
    n_rows = Dimensions(spec, config).n_rows
    n_macs = next(
        n for n in range(1, spec.d_value + 1) if spec.d_value % n == 0 and spec.top_k * spec.d_value <= n * n_rows
    )
    return dataclasses.replace(config, selector="insertion", n_macs=n_macs, score_stages=config.score_stages + 1)


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One of `VARIANTS`.

    Attributes
    ----------
    key, title
        What it is called in files, and on a page.
    changes
        Options of the spec. The table is made anew, of its own scale.
    engine
        Called with the spec and the engine that there was; returns the engine for it. None: there is none such.
    window
        Queries whose energy is counted.
    """

    key: str
    title: str
    changes: Mapping[str, Any]
    engine: Callable[[AttentionSpec, EngineConfig], EngineConfig | None] = _as_it_is
    window: Window = DEFAULT_WINDOW

    @property
    def keeps_few(self) -> bool:
        """True if it keeps fewer keys."""
        return "top_k" in self.changes

    def of(self, design: Design) -> Design | None:
        """Return the variant of a design; None if there is none, or the design is one."""
        if self.keeps_few and self.changes["top_k"] >= design.spec.top_k:
            return None
        if all(getattr(design.spec, name, None) == value for name, value in self.changes.items()):
            return None
        spec = with_options(design.spec, logit_scale_of(design.spec.tables[0]), self.changes)
        product = "shift" if "weight_form" in self.changes else "multiply"
        config = self.engine(spec, dataclasses.replace(design.config, product=product))
        return None if config is None else Design(spec, config)


#: Key of the variant that has a sorted list, and twice the lanes.
LIST = "hamming-list"

#: Key of the variant whose rows wait for a sorted list.
WAITING = "hamming-waiting"

_THREE_BITS = {"top_k": 8, "weight_bits": 3, "value_bits": 3, "out_frac_bits": 1}

#: By key.
VARIANTS: Mapping[str, Variant] = {
    variant.key: variant
    for variant in (
        Variant(key="hamming-12", title="12-bit weights", changes={"weight_bits": 12}),
        Variant(key="hamming-10", title="10-bit weights", changes={"weight_bits": 10}),
        Variant(key="hamming-8", title="8-bit weights", changes={"weight_bits": 8}),
        Variant(
            key="hamming-6",
            title="6-bit weights and values",
            changes={"weight_bits": 6, "value_bits": 6, "out_frac_bits": 2},
        ),
        Variant(
            key="hamming-4",
            title="4-bit weights and values",
            changes={"weight_bits": 4, "value_bits": 4, "out_frac_bits": 2},
        ),
        Variant(
            key="hamming-shift",
            title="8-bit weights that are powers of two",
            changes={"weight_form": "power_of_two", "weight_bits": 8},
        ),
        Variant(
            key="hamming-shift4",
            title="4-bit weights that are powers of two",
            changes={"weight_form": "power_of_two", "weight_bits": 4},
        ),
        Variant(
            key="hamming-few",
            title="8 kept keys, 3-bit values, 3-bit weights that are powers of two",
            changes={"weight_form": "power_of_two", **_THREE_BITS},
            engine=_with_fewest_multipliers,
        ),
        Variant(
            key="hamming-few3",
            title="8 kept keys, 3-bit values and weights",
            changes=_THREE_BITS,
            engine=_with_fewest_multipliers,
        ),
        Variant(
            key=LIST,
            title="8 kept keys by a sorted list, 4 lanes, 3-bit values and weights",
            changes=_THREE_BITS,
            engine=_by_list,
            window=_LONG_WINDOW,
        ),
        Variant(
            key=WAITING,
            title="8 kept keys by a sorted list that rows wait for, 3-bit values and weights",
            changes=_THREE_BITS,
            engine=_by_waiting_list,
            window=_LONG_WINDOW,
        ),
    )
}

#: Keys of the variants that keep few keys.
FEW = frozenset(key for key, variant in VARIANTS.items() if variant.keeps_few)


def variants(design: Design) -> Iterator[tuple[Variant, Design]]:
    """Yield `VARIANTS` and their designs, as far as there are such.

    Powers of two do not tell the scale that they were rounded from, so an engine of shifts has no variants.
    """
    if design.config.product == "shift":
        return
    for variant in VARIANTS.values():
        changed = variant.of(design)
        if changed is not None:
            yield variant, changed
