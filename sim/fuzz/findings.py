"""What was found wrong in a run, and how much was looked at."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Findings"]


@dataclass
class Findings:
    """What was wrong, and how much was looked at."""

    messages: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)

    def wrong(self, message: str) -> None:
        """Note what is wrong; the first ones in words."""
        self.counts["wrong"] = self.counts.get("wrong", 0) + 1
        if len(self.messages) < 20:
            self.messages.append(message)

    def count(self, name: str, number: int = 1) -> None:
        """Count something that was looked at."""
        self.counts[name] = self.counts.get(name, 0) + int(number)
