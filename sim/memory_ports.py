"""What stands at a component's memory ports in a bench: words to read, leave to use a port, a log of writes.

`exchange` steps each at every rising edge.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Permission", "ReadMemory", "WriteLog"]


class ReadMemory:
    """A memory behind a read port `NAME__addr/en/data` of a component (`rtl.memory.ReadPort`), of any latency.

    Parameters
    ----------
    dut
        Handle of the harness.
    port
        Name of the port.
    words
        Contents.
    """

    def __init__(self, dut: Any, port: str, words: Sequence[int]) -> None:
        self._words = words
        self._addr, self._en, self._data = (getattr(dut, f"{port}__{part}") for part in ("addr", "en", "data"))
        self._data.value = 0
        self._stages: list[int | None] = [None] * len(self._en)  # address of the word in each

    @property
    def word_at(self) -> int | None:
        """Address of the word that `data` shows."""
        return self._stages[-1]

    def step(self, cycle: int) -> bool:
        """Take a read of the cycle that ends."""
        enable = int(self._en.value)
        for stage in reversed(range(len(self._stages))):
            if enable >> stage & 1:
                self._stages[stage] = self._stages[stage - 1] if stage else self._read()
        if self.word_at is not None:
            self._data.value = self._words[self.word_at]
        return False

    def _read(self) -> int:
        address = int(self._addr.value)
        if address >= len(self._words):
            raise ValueError(f"a read of address {address} from {len(self._words)} words")
        return address


class Permission:
    """Gives a component leave through a plain input, and now and then not; what it then enables is wrong.

    Parameters
    ----------
    dut
        Handle of the harness.
    name
        The input.
    port
        The memory port of the component that needs the leave.
    bits
        The bits of its `en` that do.
    pause
        For each cycle, whether to give none.
    complain
        Called with what was done without leave.
    """

    def __init__(
        self,
        dut: Any,
        name: str,
        port: str,
        *,
        bits: int = -1,
        pause: Iterator[bool],
        complain: Callable[[str], None],
    ) -> None:
        self._input, self._en = getattr(dut, name), getattr(dut, f"{port}__en")
        self._bits = bits
        self._pause = pause
        self._complain = complain
        self._port = port
        self._is_given = True
        self._input.value = 1

    def step(self, cycle: int) -> bool:
        """Look at the cycle that ends, and decide about the next."""
        if not self._is_given and int(self._en.value) & self._bits:
            self._complain(f"{self._port} is used without leave in cycle {cycle}")
        self._is_given = not next(self._pause)
        self._input.value = int(self._is_given)
        return False


@dataclass
class WriteLog:
    """Writes through a port `NAME__addr/en/data` of a component, as `(cycle, addr, en, data)`."""

    dut: Any
    port: str
    writes: list[tuple[int, int, int, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._addr, self._en, self._data = (
            getattr(self.dut, f"{self.port}__{part}") for part in ("addr", "en", "data")
        )

    def step(self, cycle: int) -> bool:
        """Note a write of the cycle that ends."""
        enable = int(self._en.value)
        if enable:
            self.writes.append((cycle, int(self._addr.value), enable, int(self._data.value)))
        return False
