"""Which flip-flop of a mapped module holds what register of the Verilog.

What is found here is a guess that the proof needs and checks; a wrong one makes a proof fail, never pass.
"""

from __future__ import annotations

import random

from hamming.synth.equivalence.circuits import ONE, ZERO, Circuit

__all__ = ["correspondence"]

#: Cases that are tried at once, as the bits of an integer, and rounds without news after which guessing ends.
_CASES, _QUIET_ROUNDS, _MOST_ROUNDS = 512, 8, 400


def correspondence(source: Circuit, mapped: Circuit) -> dict[int, int]:
    """Return, for registers of the Verilog, the flip-flop that holds the same bit, or `ZERO` or `ONE`.

    Flip-flops are found by name, be it that of a net which has the register's value whatever the rest. A register that
    none is named after is one that synthesis merged with another, found constant or removed. If something depends on
    it, it is held against the other registers and the constants: it starts with the same value, and from states in
    which all that are taken for equal are equal, it goes on with the same value in every random case (van Eijk's
    method, with cases in place of a proof). A register without an entry may hold anything.
    """
    by_name = {name: held for held, register in mapped.registers.items() for name in register.names}
    found: dict[int, int] = {}
    for held, register in source.registers.items():
        matches = sorted({by_name[name] for name in register.names if name in by_name})
        if matches:
            found[held] = matches[0]
    found |= _by_value(source, mapped, found)
    missing = _needed(source, found)
    if not missing:
        return found
    group = _groups(source)
    leaders = {ZERO: ZERO, ONE: ONE} | found
    by_group: dict[int, int] = {}
    for held, match in leaders.items():
        by_group.setdefault(group[held], match)
    for held in missing:
        if group[held] in by_group:
            found[held] = by_group[group[held]]
    return found


def _by_value(source: Circuit, mapped: Circuit, found: dict[int, int]) -> dict[int, int]:
    """Return flip-flops for further registers: those named after a net that gates give the register's value."""
    rng = random.Random(1)
    taken = set(found.values())
    named = {held: register.names for held, register in mapped.registers.items() if held not in taken}
    if not named or len(found) == len(source.registers):
        return {}
    free = (*source.inputs.values(), *source.undefined, *source.registers)
    values = source.values({net: rng.getrandbits(_CASES) for net in free}, (1 << _CASES) - 1)
    holds = {values[held]: held for held in source.registers if held not in found}
    more = {}
    for flip_flop, names in named.items():
        for name in sorted(names):
            value = values.get(source.names.get(name, -1))
            if value in holds:
                more.setdefault(holds[value], flip_flop)
    return more


def _needed(source: Circuit, found: dict[int, int]) -> set[int]:
    """Return registers without a flip-flop that outputs, flip-flops, or such registers in turn depend on."""
    driver = {gate.output: gate.inputs for gate in source.gates}
    stack = [*source.outputs.values(), *(source.registers[held].next for held in found)]
    seen: set[int] = set()
    needed: set[int] = set()
    while stack:
        net = stack.pop()
        if net in seen:
            continue
        seen.add(net)
        stack += driver.get(net, ())
        if net in source.registers and net not in found:
            needed.add(net)
            stack.append(source.registers[net].next)
    return needed


def _groups(source: Circuit) -> dict[int, int]:
    """Return a number for each register and constant, the same for what random cases do not tell apart."""
    # Seeded, so that what is proved, and how, does not change from run to run.
    rng = random.Random(1)
    mask = (1 << _CASES) - 1
    group = {ZERO: 0, ONE: 1}
    group |= {held: 0 if register.initial == 0 else 1 for held, register in source.registers.items()}
    unknown = [held for held, register in source.registers.items() if register.initial is None]
    group |= {held: 2 + number for number, held in enumerate(unknown)}
    quiet = 0
    for _ in range(_MOST_ROUNDS):
        held_by: dict[int, int] = {group[ZERO]: 0, group[ONE]: mask}
        nets = {net: rng.getrandbits(_CASES) for net in (*source.inputs.values(), *source.undefined)}
        for held in source.registers:
            nets[held] = held_by.setdefault(group[held], rng.getrandbits(_CASES))
        values = source.values(nets, mask)
        numbers: dict[tuple[int, int], int] = {}
        following = {ZERO: 0, ONE: mask} | {held: values[r.next] for held, r in source.registers.items()}
        new = {held: numbers.setdefault((group[held], value), len(numbers)) for held, value in following.items()}
        quiet = quiet + 1 if len(numbers) == len(set(group.values())) else 0
        group = new
        if quiet == _QUIET_ROUNDS:
            break
    return group
