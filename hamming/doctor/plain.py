"""The findings where not even the command line can be loaded."""

from __future__ import annotations

import sys

from hamming.doctor.examination import AREAS, examine

__all__ = ["complain"]


def complain(error: BaseException) -> int:
    """Say on standard error why the command line does not start, and what mends it; return the exit status, 1."""
    area = next(iter(AREAS))
    broken = [finding for finding in examine()[area] if not finding.is_ok]
    print(f"Error: the command line cannot be loaded: {type(error).__name__}: {error}", file=sys.stderr)
    for finding in broken:
        print(f"  {finding.name}: {finding.found}\n    {finding.mend}", file=sys.stderr)
    return 1
