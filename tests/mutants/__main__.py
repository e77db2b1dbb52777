"""`python -m tests.mutants`: break the hardware in ways that engineers break hardware; a test must notice each.

Each mutant is a change of one line of `rtl/`, made in a copy of the repository, and the test that must fail for it.
The same test must pass without the change. A mutant that survives is a hole in the tests: the exit status says so.
"""

from tests.mutants.run import main

main()
