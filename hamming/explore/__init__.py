"""The design space: candidates by estimate, the best of them measured, and the front that is left."""

from hamming.explore.candidates import Candidates, find
from hamming.explore.exploration import Exploration, explore
from hamming.explore.kept import Kept
from hamming.explore.study import Study, read_study

__all__ = ["Candidates", "Exploration", "Kept", "Study", "explore", "find", "read_study"]
