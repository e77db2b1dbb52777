"""The text of a datasheet."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hamming.datasheet import blocks, wavedrom, waves
from hamming.rtl.design import load_design, preset_text
from hamming.rtl.manifest import manifest
from hamming.rtl.top import top
from hamming.synth.compare.design_figures import DesignFigures
from hamming.synth.compare.results import read as read_comparisons
from hamming.synth.studies.areas import AreaRow
from hamming.synth.studies.areas import read as read_areas

__all__ = ["Datasheet", "datasheet", "preset_datasheet"]

#: The library of the areas that a preset's datasheet has.
LIBRARY = "nangate45"


@dataclass(frozen=True)
class Datasheet:
    """Markdown, and the pictures that it shows, by their names."""

    text: str
    pictures: dict[str, str]


def preset_datasheet(name: str) -> Datasheet:
    """Return a preset's datasheet, with areas of `synth/studies/areas.csv` and energies of the kept comparisons."""
    design = load_design(name)
    facts = manifest(top(design.spec, design.config), "")
    areas = [row for row in read_areas() if (row.preset, row.library) == (name, LIBRARY)]
    kept = (one.hamming for one in read_comparisons().values())
    same = (one for one in kept if one.spec == facts["spec"] and one.engine.items() <= facts["engine"].items())
    purpose = preset_text(name).splitlines()[0].lstrip("# ")
    return datasheet(facts, purpose=purpose, areas=areas, energies=next(same, None))


def datasheet(
    facts: Mapping[str, Any],
    *,
    purpose: str = "",
    areas: Sequence[AreaRow] = (),
    energies: DesignFigures | None = None,
) -> Datasheet:
    """Return the datasheet of a design.

    Parameters
    ----------
    facts
        Its manifest.
    purpose
        A sentence for its beginning.
    areas
        Its blocks and their `total`, in µm² and ns; without, the datasheet has no areas.
    energies
        What a comparison measured of it; without, the datasheet has no energies.
    """
    name = facts["name"]
    shares = {row.block: row.area / areas[-1].area for row in areas}
    diagrams = {key: (draw(facts), f"Timing of {words} of {name}") for key, (draw, words, _) in _TIMING.items()}
    pictures = {f"{name}-blocks.svg": blocks.picture(facts, shares)}
    pictures |= {f"{name}-{key}.svg": wavedrom.render(*diagram) for key, diagram in diagrams.items()}
    lines = [f"# {name}", "", purpose, "", *_summary(facts, areas, energies), ""]
    lines += [f"![Blocks of {name}: sizes, widths of streams, shares of the area.]({name}-blocks.svg)", ""]
    lines += ["## Ports", "", *_ports(facts), "", "## Streams", "", *_streams(facts), ""]
    lines += ["## Errors", "", *_errors(facts), "", "## Memory map", "", *_memories(facts), ""]
    lines += ["## Cycles", "", *_cycles(facts), "", "## Timing", ""]
    for key, (_, _, caption) in _TIMING.items():
        lines += [caption, "", f"![{diagrams[key][1]}.]({name}-{key}.svg)", ""]
    lines += ["The same for [WaveDrom](https://wavedrom.com/editor.html), one a line:", "", "```json"]
    lines += [*(json.dumps(diagram, ensure_ascii=False) for diagram, _ in diagrams.values()), "```", ""]
    if areas:
        lines += ["## Area and clock", "", *_areas(areas), ""]
    if energies is not None:
        lines += ["## Energy", "", *_energy(energies, areas), ""]
    return Datasheet("\n".join(lines).rstrip() + "\n", pictures)


#: Each diagram, what it is of, and what is to be said of it.
_TIMING = {
    "queries": (
        waves.queries,
        "queries",
        "Queries of all keys, back to back: each is offered when the one before has been taken.",
    ),
    "output": (
        waves.output,
        "an output",
        "The end of a lone query's output where it comes latest: beats of the last slice of values, taken at once.",
    ),
    "loading": (
        waves.loading,
        "rows",
        "Rows that are loaded or appended: each is held until its transfer, in the cycle of its last write.",
    ),
}


def _table(heads: Sequence[str], rows: Iterable[Sequence[Any]], right: Sequence[str] = ()) -> Iterator[str]:
    yield f"| {' | '.join(heads)} |"
    yield f"|{'|'.join('---:' if head in right else '---' for head in heads)}|"
    for row in rows:
        yield f"| {' | '.join(str(cell) for cell in row)} |"


def _summary(facts: Mapping[str, Any], areas: Sequence[AreaRow], energies: DesignFigures | None) -> Iterator[str]:
    spec, sizes, cycles = facts["spec"], facts["dimensions"], facts["cycles"]
    bits = sum(memory["bits"] for memory in facts["memories"])
    rows = [
        ("query, key", f"{spec['d_head']} bits"),
        ("value", f"{spec['d_value']} elements of {spec['value_bits']} bits"),
        ("keys", f"{spec['n_keys']:,}, of which {spec['top_k']} are kept"),
        ("softmax table", f"{len(spec['weights'])} weights of {spec['weight_bits']} bits, {facts['engine']['table']}"),
        ("output", f"{sizes['out_bits']} bits an element, {spec['out_frac_bits']} of them fraction bits"),
        ("selector", facts["engine"]["selector"]),
        ("a cycle", f"{sizes['n_lanes']} keys scored, {sizes['n_macs']} value elements summed"),
        ("cycles a query", f"{cycles['a_query']}, back to back; the bound is {cycles['bound']}"),
        ("latency", f"{cycles['latency']['cycles']} cycles at most"),
        ("memories", f"{bits:,} bits"),
    ]
    if areas:
        total = areas[-1]
        rows.append(("logic", f"{total.area:,.0f} µm², {total.cells:,} cells"))
        rows.append(("clock", f"{1 / total.period_ns:.3f} GHz at most"))
    if energies is not None:
        rows.append(("energy", f"{energies.energy:,.0f} pJ a query; with memories {energies.total_energy:,.0f}"))
    return _table(("", facts["name"]), rows)


def _ports(facts: Mapping[str, Any]) -> Iterator[str]:
    rows = ((f"`{port['name']}`", port["direction"], f"{port['bits']:,}") for port in facts["ports"])
    return _table(("port", "direction", "bits"), rows, ("bits",))


def _streams(facts: Mapping[str, Any]) -> Iterator[str]:
    yield "Fields of the payloads, from bit 0 up. [How streams work](../guide/connect.md#ports)."
    yield ""
    rows = []
    for name, stream in facts["streams"].items():
        for field in stream["fields"]:
            last = field["offset"] + field["bits"] * (field["length"] or 1) - 1
            at = f"{field['offset']}" if last == field["offset"] else f"{last}:{field['offset']}"
            kind = "signed" if field["signed"] else "unsigned"
            elements = "" if field["length"] is None else field["length"]
            rows.append((f"`{name}`", stream["direction"], f"`{field['name']}`", at, elements, kind, field["bits"]))
    heads = ("stream", "direction", "field", "bits", "elements", "type", "bits each")
    yield from _table(heads, rows, ("elements", "bits each"))


def _errors(facts: Mapping[str, Any]) -> Iterator[str]:
    rows = ((f"`{one['port']}[{one['bit']}]`", one["name"], one["meaning"]) for one in facts["errors"])
    return _table(("bit", "name", "set since the last reset where"), rows)


def _memories(facts: Mapping[str, Any]) -> Iterator[str]:
    sizes, spec = facts["dimensions"], facts["spec"]
    lanes, fold, macs = sizes["n_lanes"], sizes["fold"], sizes["n_macs"]
    words = {
        "key_memory": f"the key at `index` in word `index / {lanes}`, "
        f"from bit `{spec['d_head']} * (index % {lanes})` up",
        "value_memory": f"elements `{macs} * s` to `{macs} * s + {macs - 1}` of the value at `index`, "
        f"sign bits flipped, in word `{fold} * index + s`",
        "selector": "levels of two queries, one written while the other is read",
    }
    rows = (
        (
            f"`{one['name']}`",
            f"{one['depth']:,}",
            f"{one['bits_a_word']:,}",
            f"{one['bits']:,}",
            one["location"],
            words[one["name"].partition(".")[0]] + _bank(facts, one["name"]),
        )
        for one in facts["memories"]
    )
    heads = ("memory", "words", "bits a word", "bits", "where", "what is in it")
    yield from _table(heads, rows, ("words", "bits a word", "bits"))
    yield ""
    yield "No bus leads there: `i_row` writes, and an address is a row's `index`."


def _bank(facts: Mapping[str, Any], name: str) -> str:
    """Say which words of the value memory are in this one of its banks."""
    first = 0
    for memory in facts["memories"]:
        if ".bank_" in memory["name"]:
            if memory["name"] == name:
                return f"; here words {first:,} to {first + memory['depth'] - 1:,}"
            first += memory["depth"]
    return ""


def _cycles(facts: Mapping[str, Any]) -> Iterator[str]:
    cycles = facts["cycles"]
    formula, rest = re.split(r"(?<=\))", cycles["formula"], maxsplit=1)
    yield f"`{formula}` cycles{rest}. Where a query sees all keys:"
    yield ""
    rows = [(key, f"`{term['formula']}`", term["cycles"]) for key, term in cycles["terms"].items()]
    rows.append(("**a query**", f"`{formula}`", f"**{cycles['a_query']}**"))
    rows.append(("latency", f"`{cycles['latency']['formula']}`", cycles["latency"]["cycles"]))
    yield from _table(("term", "formula", "cycles"), rows, ("cycles",))


def _areas(areas: Sequence[AreaRow]) -> Iterator[str]:
    total = areas[-1]
    rows = (
        (
            f"**{row.block}**" if row is total else f"`{row.block}`",
            f"{row.area:,.0f}",
            f"{row.area / total.area:.1%}",
            f"{row.cells:,}",
            f"{row.sequential_area:,.0f}",
            f"{row.period_ns:.3f}" if row.period_ns else "",
        )
        for row in areas
    )
    heads = ("block", "area, µm²", "share", "cells", "flip-flops, µm²", "shortest period, ns")
    yield from _table(heads, rows, heads[1:])
    yield ""
    yield (
        f"{total.library}, typical corner, mapped for 1 GHz, before layout, without memories "
        "([areas](../synthesis.md), [periods](../timing.md))."
    )


def _energy(energies: DesignFigures, areas: Sequence[AreaRow]) -> Iterator[str]:
    rows = [(f"`{one.name}`", f"{one.energy.total:,.0f}") for one in sorted(energies.blocks, key=_spent)]
    rows.append(("**logic**", f"**{energies.energy:,.0f}**"))
    rows += [(f"`{memory.name}`, by the model", f"{memory.energy:,.0f}") for memory in energies.memories]
    rows.append(("**with memories**", f"**{energies.total_energy:,.0f}**"))
    yield from _table(("block", "pJ a query"), rows, ("pJ a query",))
    yield ""
    yield "A transformer's queries at full rate, glitches included ([how](../energy.md), [memories](../memories.md))."
    if areas and round(areas[-1].area) != round(energies.area):
        yield f"Measured on {energies.area:,.0f} µm² of logic, of an earlier Verilog of the same design."


def _spent(block: Any) -> float:
    return -block.energy.total
