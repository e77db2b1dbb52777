"""The ways that set an engine's clock, and what lies on each: what the period is estimated from.

A *way* goes from a part of the engine to a block, as in `keys > selector`. It takes the sum of its parts, memories'
accesses in ns, full adders, multiplexers and loads in numbers, each times what it takes, and a constant. Gates on a way
that would be slower than the clock are sized up, so that many ways end just within it; the slowest sets the period.
"""

from __future__ import annotations

import math

from hamming.rtl.dimensions import Dimensions
from hamming.rtl.tree import tree_depth
from hamming.synth.estimate.scoring import first_and_last
from hamming.synth.estimate.terms import arrays
from hamming.synth.memory.sram import SramModel

__all__ = ["START_OF", "way_of", "ways"]

Parts = dict[str, float]

#: Which part of the engine a block is of, where a way begins.
START_OF = {
    **dict.fromkeys(("key_memory", "score", "fetch", "spare_row", "turns", "loader", "(ports)"), "keys"),
    "selector": "selector",
    **dict.fromkeys(
        ("replay", "softmax", "spare_key", "fork", "weighted_sum", "normalizer", "value_memory"), "kept keys"
    ),
}


#: Where ways from the scores through an insertion selector, and back to what waits for it, begin and end: one way.
_INSERTION = ("key_memory", "score", "spare_row"), ("selector", "fetch", "key_memory", "score", "spare_row", "(ports)")


def way_of(start: str, end: str, selector: str) -> str:
    """Return the name of the way between two blocks, of an engine with this selector."""
    starts, ends = _INSERTION
    if selector == "insertion" and start in starts and end in ends and (start, end) != ("key_memory", "score"):
        return "scores > selector"
    return f"{START_OF.get(start, 'keys')} > {end}"


def ways(dims: Dimensions) -> dict[str, Parts]:
    """Return what lies on each way."""
    model = SramModel()
    access = {name: model.access_time(array.depth, array.width) for name, array in arrays(dims).items()}
    values = max(time for name, time in access.items() if name.startswith("value_memory"))
    is_insertion = dims.config.selector == "insertion"
    found = {
        **_scores(dims, access["key_memory"]),
        **(_insertion(dims) if is_insertion else _histogram(dims, access["selector.scores"])),
        **_kept_keys(dims, values),
        **_stalls(dims),
    }
    return {name: {part: value for part, value in parts.items() if value} for name, parts in found.items()}


def _bits(number: float) -> float:
    return math.log2(max(1.0, number))


def _scores(dims: Dimensions, access: float) -> dict[str, Parts]:
    first, last = first_and_last(dims)
    lanes, spare = _bits(dims.n_lanes), float(dims.spare_places)
    found = {}
    if dims.config.score_stages:
        found["keys > score"] = {"access": access, "full adders": first, "lanes": lanes}
        onwards = {"full adders": last, "spare": spare}
    else:
        onwards = {"access": access, "full adders": first, "spare": spare}
    if dims.config.selector == "histogram":
        return found | {"keys > selector": onwards | {"lanes": lanes}}
    cells = {"cells": _bits(dims.spec.top_k), "insertion: lanes": lanes, "bits of a level": dims.level_bits}
    return found | {"scores > selector": onwards | cells}


def _histogram(dims: Dimensions, access: float) -> dict[str, Parts]:
    spec, scores = dims.spec, dims.scan_rows * dims.n_lanes
    counted = tree_depth(dims.n_lanes) / (dims.count_stages + 1) if dims.n_lanes > 1 else 0.0
    return {
        "selector > selector": {
            "access": access,
            "scores": _bits(scores),
            "bits of a level": dims.level_bits,
            "levels": _bits(spec.d_head + 1),
            "full adders": counted,
            "bits of room": spec.top_k.bit_length(),
        },
        "selector > replay": {"bits": spec.matches_bits, "list": _bits(spec.top_k)},
        "kept keys > selector": {"list": _bits(spec.top_k), "scores": _bits(scores), "spare": float(dims.spare_places)},
    }


def _insertion(dims: Dimensions) -> dict[str, Parts]:
    spec = dims.spec
    cells = {"cells": _bits(spec.top_k), "insertion: lanes": _bits(dims.n_lanes), "bits of a level": dims.level_bits}
    return {
        "selector > selector": cells,
        "kept keys > selector": cells | {"list": _bits(spec.top_k) if dims.fold > 1 else 0.0},
        "selector > replay": {"bits": spec.matches_bits, "list": _bits(spec.top_k)},
    }


def _kept_keys(dims: Dimensions, access: float) -> dict[str, Parts]:
    spec, config, macs = dims.spec, dims.config, dims.n_macs
    entries = _bits(spec.d_head + 1)
    listed = _bits(max(2, spec.top_k)) if dims.fold > 1 else 0.0
    is_power = dims.fold & (dims.fold - 1) == 0
    return {
        "kept keys > replay": {"list": listed, "passes": _bits(dims.fold)},
        "kept keys > softmax": {
            "list": listed,
            "rom": entries if config.table == "rom" else 0.0,
            "loadable": entries if config.table == "loadable" else 0.0,
            "bits of a weight": spec.weight_bits,
        },
        "kept keys > weighted_sum": {
            "access": access,
            "banks": _bits(len(dims.value_bank_depths)),
            "multiply: loads": _bits(macs) if config.product == "multiply" else 0.0,
            "shift: loads": _bits(macs) if config.product == "shift" else 0.0,
            "bits of a weight": spec.weight_bits,
        },
        "kept keys > value_memory": {
            "multiplied": 0.0 if is_power else _bits(spec.n_keys),
            "loads": _bits(macs * spec.acc_bits),
            "banks": _bits(len(dims.value_bank_depths)),
        },
        "kept keys > normalizer": {
            "selects": _bits(macs / dims.n_dividers),
            "bits of a divisor": _bits(spec.weight_sum_bits),
            "bits of a sum": _bits(spec.acc_bits),
            "loads": _bits(dims.n_dividers * spec.out_bits * spec.weight_sum_bits),
        },
    }


def _stalls(dims: Dimensions) -> dict[str, Parts]:
    """Return the ways by which a stall goes back to where rows are fetched."""
    lanes, rows = _bits(dims.n_lanes * dims.level_bits), dims.row_bits
    is_insertion = dims.config.selector == "insertion"
    spare = float(dims.spare_places)
    own = {"cells": _bits(dims.spec.top_k), "insertion: lanes": _bits(dims.n_lanes)} if is_insertion else {}
    return {
        "keys > fetch": {"bits of a row": rows, "lanes": _bits(dims.n_lanes), "mask": float(dims.config.mask)},
        "selector > fetch": {"loads": lanes, "bits of a row": rows, "no spare": 1 - spare, **own},
        "selector > key_memory": {"loads": lanes, "bits of a row": rows, **own},
        "selector > score": {"loads": lanes, **own},
    }
