"""What is installed, what is missing, and which command mends it.

Of others only the standard library is imported here, as all else may be what is missing.
"""

from hamming.doctor.examination import AREAS, examine, works
from hamming.doctor.finding import Finding

__all__ = ["AREAS", "Finding", "examine", "works"]
