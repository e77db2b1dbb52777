"""`python -m hamming.sim.fuzz`."""

import sys

from hamming.sim.fuzz.command import main

sys.exit(main())
