"""What an engine is made of from the keys to those that it keeps: fetch, scores, selectors, spare places."""

from __future__ import annotations

import functools
from typing import NamedTuple

from hamming.rtl import payload
from hamming.rtl.dimensions import Dimensions
from hamming.rtl.tree import compress, tree_depth
from hamming.synth.estimate.activity import insertions
from hamming.synth.estimate.terms import Term, Terms, arrays, kept_keys
from hamming.synth.memory.sram import SramModel

__all__ = ["fetch", "first_and_last", "key_memory", "score", "selector", "spare_key", "spare_row"]


class _Tree(NamedTuple):
    """The tree of `rtl.popcount.count_ones` at a position: registers on the way, and how deep adders lie.

    `depths` is the sum, over all full adders, of the adders before each since the last register: with it grows how
    often one changes before it settles.
    """

    registers: int
    depths: int


@functools.cache
def _tree(n_words: int, n_stages: int) -> _Tree:
    depth_limit = max(1, tree_depth(n_words))
    n_registers = depths = 0

    class Tracked:
        def __init__(self, depth: int, stage: int, since: int) -> None:
            self.depth, self.stage, self.last, self.since = depth, stage, stage, since

        def reach(self, stage: int) -> None:
            nonlocal n_registers
            n_registers += max(0, stage - self.last)
            self.last = max(self.last, stage)

    def add(operands: list, column: int, depth: int) -> tuple:
        nonlocal depths
        stage = max([(depth - 1) * (n_stages + 1) // depth_limit, *(word.stage for word in operands)])
        since = 1 + max((word.since for word in operands if word.stage == stage), default=0)
        for word in operands:
            word.reach(stage)
        depths += since
        return Tracked(depth, stage, since), Tracked(depth, stage, since)

    for word in compress([Tracked(0, 0, 0) for _ in range(n_words)], add):  # pyright: ignore[reportArgumentType]
        word.reach(n_stages)  # pyright: ignore[reportAttributeAccessIssue]
    return _Tree(n_registers, depths)


def _adders(n_words: int) -> int:
    """Return the full adders that count `n_words`."""
    return n_words - n_words.bit_count()


#: From a key memory's clock to the end of the scores' first stage, ns, beyond which they are not made of full-adder
#: cells, which are small, but of gates that are sized up: so much for a cell.
_HURRIED_NS, _CELL_NS = 0.63, 0.06


def first_and_last(dims: Dimensions) -> tuple[int, int]:
    """Return the full adders on the longest way through the scores' first stage, and behind their last register."""
    depth, n_stages = tree_depth(dims.spec.d_head + 1), dims.tree_stages + 1
    stages = [level * n_stages // depth for level in range(depth)]
    return stages.count(0), 0 if dims.registers_levels else stages.count(n_stages - 1)


def _is_hurried(dims: Dimensions) -> bool:
    keys = arrays(dims)["key_memory"]
    time = SramModel().access_time(keys.depth, keys.width) + _CELL_NS * first_and_last(dims)[0]
    chooses = dims.config.selector == "insertion" and dims.n_lanes > 1
    return time > _HURRIED_NS or (chooses and not dims.registers_levels)


def score(dims: Dimensions) -> Terms:
    """Return what the scores are made of."""
    d, lanes, stages, rows = dims.spec.d_head, dims.n_lanes, dims.config.score_stages, dims.n_rows
    tree, how = _tree(d + 1, dims.tree_stages), "hurried: " if _is_hurried(dims) else ""
    held = dims.level_bits if dims.registers_levels else 0
    return {
        "bits compared": Term(lanes * d, rows),
        f"{how}full adders": Term(lanes * _adders(d + 1), rows),
        f"{how}depths": Term(lanes * tree.depths, rows, takes_area=False),
        "flip-flops": Term(lanes * (tree.registers + held + stages), rows),
        "bits of a query": Term(d, 1),
        "all": Term(1, rows),
    }


def selector(dims: Dimensions) -> Terms:
    """Return what a selector is made of."""
    return _histogram(dims) if dims.config.selector == "histogram" else _insertion(dims)


def _histogram(dims: Dimensions) -> Terms:
    spec, lanes, rows = dims.spec, dims.n_lanes, dims.n_rows
    levels, groups, kept = spec.d_head + 1, dims.scan_groups(spec.n_keys), kept_keys(dims)
    room_bits = (spec.top_k - 1).bit_length()
    counted = levels * (lanes.bit_length() + _tree(lanes, dims.count_stages).registers)
    stored = (dims.count_stages + 1) * lanes * dims.level_bits
    scores = dims.scan_rows * lanes
    return {
        "histogram: flip-flops": Term(levels * (room_bits + 1) + counted + stored, rows),
        "histogram: lanes by levels": Term(lanes * levels, rows),
        "histogram: full adders": Term(levels * _adders(lanes), rows),
        "histogram: depths": Term(levels * _tree(lanes, dims.count_stages).depths, rows, takes_area=False),
        "histogram: room": Term(levels * (room_bits + 1), rows),
        "histogram: cut": Term(levels * (dims.level_bits + room_bits), 1),
        "histogram: all": Term(1, rows),
        "scan: bits compared": Term(scores * dims.level_bits, groups),
        "scan: scores": Term(scores, kept),
        "scan: counters": Term(dims.row_bits + spec.top_k.bit_length(), groups + kept),
    }


def _insertion(dims: Dimensions) -> Terms:
    spec, kept = dims.spec, kept_keys(dims)
    moves = kept + insertions(spec, dims.n_lanes).keys  # each leaves once
    chosen = dims.n_rows if dims.n_lanes == 1 else moves  # among lanes, where a key moves in
    return {
        "insertion: bits of keys": Term(spec.top_k * (dims.level_bits + spec.index_bits), moves),
        "insertion: bits compared": Term(spec.top_k * dims.level_bits, moves),
        "insertion: lanes": Term(dims.n_lanes * dims.level_bits, chosen),
        "insertion: all": Term(1, dims.n_rows),
    }


def fetch(dims: Dimensions) -> Terms:
    """Return what the fetch is made of."""
    spec, rows = dims.spec, dims.n_rows
    return {
        "bits of a query": Term(spec.d_head, 1),
        "lanes": Term(dims.n_lanes, rows),
        "counters": Term(dims.row_bits + spec.n_valid_bits, rows),
        "masks": Term(dims.n_lanes if dims.config.mask else 0, rows),
        "all": Term(1, rows),
    }


def key_memory(dims: Dimensions) -> Terms:
    """Return what the key memory drives."""
    return {"bits read": Term(dims.n_lanes * dims.spec.d_head, dims.n_rows, takes_area=False)}


def spare_row(dims: Dimensions) -> Terms:
    """Return what the spare place of a row of levels is made of, if there is one."""
    return {"bits": Term(payload.levels(dims).size if dims.spare_places else 0, dims.n_rows)}


def spare_key(dims: Dimensions) -> Terms:
    """Return what the spare place of a kept key is made of, if there is one."""
    return {"bits": Term(payload.kept_key(dims).size if dims.spare_places else 0, kept_keys(dims))}
