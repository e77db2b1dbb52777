"""Whose a cell of a flat netlist is: names of the source, as far as they are left, and neighbours for the others."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["TOP_BLOCK", "Source", "cell_blocks", "source_names"]

#: What a design's top holds itself, beside its children.
TOP_BLOCK = "(top)"


#: Instance of an engine in what is around it (AXI, memories), whose children are blocks too.
ENGINE = "engine"


@dataclass(frozen=True, order=True)
class Source:
    """A bit of the source: the path of the instance that drives it (names, from the top), and a name of it."""

    owner: tuple[str, ...]
    name: str

    def within(self, instance: str) -> str:
        """Return it as `block.signal` in words of an instance; as `block, signal` if only another's name is left."""
        block = ".".join(self.owner).removeprefix(instance).removeprefix(".").removeprefix(ENGINE).removeprefix(".")
        name = self.name.removeprefix(f"{instance}.").removeprefix(f"{ENGINE}.")
        return name if name.startswith(block) else f"{block}, {name}"


def source_names(netlist: Mapping[str, Any], modules: Mapping[str, Any], top: str) -> dict[int, Source]:
    """Return for each net that still has a name of the source what drives it there.

    A net of several instances has a name in each, of which optimization leaves any: each leads to the same driver, by
    the connections of the modules before they were flattened. As its name serves, if there is one, that in the driver.

    Parameters
    ----------
    netlist
        The flat module, as Yosys' JSON.
    modules
        The modules before they were flattened.
    top
        The top one.
    """
    drivers = {name: (path, owners) for name, path, owners in _names(modules, top, (), {})}
    best: dict[int, tuple[bool, int, Source]] = {}
    for name, net in netlist["netnames"].items():
        path, owners = drivers.get(name, ((), ()))
        for place, (bit, owner) in enumerate(zip(net["bits"], owners, strict=False)):
            if isinstance(bit, int):
                indexed = f"{name}[{place}]" if len(owners) > 1 else name
                entry = (path != owner, len(name), Source(owner, indexed))
                best[bit] = min(best.get(bit, entry), entry)
    return {bit: source for bit, (*_, source) in best.items()}


def _names(
    modules: Mapping[str, Any], module: str, path: tuple[str, ...], inputs: Mapping[int, tuple[str, ...]]
) -> Iterator[tuple[str, tuple[str, ...], list[tuple[str, ...]]]]:
    """Yield the nets of an instance and of those in it: hierarchical name, path, and the driver of each bit.

    `inputs` has the drivers of its inputs.
    """
    own = modules[module]
    drivers = dict(inputs)
    children = {name: cell for name, cell in own["cells"].items() if cell["type"] in modules}
    for name, cell in children.items():
        for port, bits in cell["connections"].items():
            if modules[cell["type"]]["ports"][port]["direction"] == "output":
                drivers |= dict.fromkeys((bit for bit in bits if isinstance(bit, int)), (*path, name))
    for name, net in own["netnames"].items():
        if not net["hide_name"]:
            yield ".".join((*path, name)), path, [drivers.get(bit, path) for bit in net["bits"]]
    for name, cell in children.items():
        ports = modules[cell["type"]]["ports"]
        inner = {
            bit: drivers.get(outside, path)
            for port, bits in cell["connections"].items()
            if ports[port]["direction"] == "input"
            for bit, outside in zip(ports[port]["bits"], bits, strict=True)
        }
        yield from _names(modules, cell["type"], (*path, name), inner)


def cell_blocks(netlist: Mapping[str, Any], names: Mapping[int, Source], instance: str) -> dict[str, str]:
    """Return the block of each cell of an instance in the flat netlist: a child of it or of `ENGINE`, or `TOP_BLOCK`.

    A cell whose output has a name of the source is of the block that drives it there. Another is of the block that most
    of the cells that it drives are of.

    Parameters
    ----------
    netlist, names
        As of `source_names`.
    instance
        Instance in the top whose cells are asked for; those of others are left out.
    """
    found: dict[str, str] = {}
    sinks: dict[int, list[str]] = defaultdict(list)
    outputs: dict[str, list[int]] = {}
    for name, cell in netlist["cells"].items():
        outputs[name] = []
        for port, bits in cell["connections"].items():
            nets = [bit for bit in bits if isinstance(bit, int)]
            if cell["port_directions"][port] == "output":
                outputs[name] += nets
            else:
                for net in nets:
                    sinks[net].append(name)
        owners = [names[net].owner for net in outputs[name] if net in names]
        if owners:
            found[name] = _block(min(owners, key=lambda owner: (-len(owner), owner)), instance)
    rest = [name for name in netlist["cells"] if name not in found]
    while rest:
        later = []
        for name in rest:
            votes = Counter(found[sink] for net in outputs[name] for sink in sinks[net] if sink in found)
            if votes:
                found[name] = min(votes, key=lambda block: (-votes[block], block))
            else:
                later.append(name)
        if len(later) == len(rest):  # they drive nothing
            break
        rest = later
    return {name: block for name, block in found.items() if block}


def _block(owner: tuple[str, ...], instance: str) -> str:
    """Return the block of an owner, "" outside the instance."""
    if owner[:1] != (instance,):
        return ""
    inside = [part for part in owner[1:2] if part != ENGINE] + list(owner[2:])
    return inside[0] if inside else TOP_BLOCK
