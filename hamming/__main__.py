"""The command `hamming`; `python -m hamming` where it is not on the path."""

from __future__ import annotations

import gc
import os
import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line, with the modules that are installed, whatever the user's folder and `PYTHONPATH` hold.

    Where what it is made of is missing or broken, say what, and which command mends it; the exit status is then 1.
    """
    from hamming.rtl.environment import module_path

    gc.set_threshold(50_000, 20, 20)  # designs and netlists are many objects, and stay: little of them is garbage
    sys.path[:] = module_path()
    os.environ |= {"PYTHONPATH": os.pathsep.join(sys.path), "PYTHONSAFEPATH": "1"}  # for Amaranth's Yosys, in Python
    try:
        import hamming.cli.common  # noqa: F401  (all that every command needs)
        from hamming.cli import main as commands
    except Exception as error:  # click or rich, broken in whatever way
        from hamming.doctor.plain import complain

        sys.exit(complain(error))
    commands(prog_name="hamming")


if __name__ == "__main__":
    if not sys.flags.safe_path:
        del sys.path[0]  # the current folder, which `python -m` puts there; this package is already found
    main()
