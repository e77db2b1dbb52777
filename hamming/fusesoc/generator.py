"""What FuseSoC runs: a file with parameters in; in the current folder, an engine as a core out."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hamming.fusesoc.core import core_files
from hamming.fusesoc.library import fingerprint
from hamming.rtl.design import load_design
from hamming.rtl.manifest import manifest
from hamming.rtl.memory_wrapper import RAM, memory_wrapper, ram_verilog, wrapper_name
from hamming.rtl.top import top
from hamming.rtl.verilog import emit

__all__ = ["generate", "main"]

_KNOWN = ("preset", "file", "set")


def main(input_file: str, written_for: str) -> None:
    """Generate what a file of FuseSoC's asks for; a mistake in it is one line and status 1.

    Parameters
    ----------
    input_file
        YAML: `files_root`, `vlnv`, `parameters` (`hamming.fusesoc.library`).
    written_for
        The `fingerprint` of the package that wrote the generator.
    """
    if written_for != fingerprint():
        sys.exit(
            f"hamming: this generator was written by version {written_for}, and {fingerprint()} is installed: "
            "run `hamming fusesoc` again, so that nothing old is taken from FuseSoC's cache"
        )
    try:
        import yaml
    except ImportError:
        sys.exit("hamming: PyYAML is not installed: pip install 'hamming-attention[fusesoc]'")
    given = yaml.safe_load(Path(input_file).read_text(encoding="utf-8"))
    try:
        texts = generate(given)
    except (TypeError, ValueError) as error:
        sys.exit(f"hamming: {error}")
    for name, text in texts.items():
        Path(name).write_text(text, encoding="utf-8")


def generate(given: Mapping[str, Any]) -> dict[str, str]:
    """Return the files of the core that FuseSoC asks for, by their names.

    Raises
    ------
    TypeError, ValueError
        A parameter is unknown or missing, or the design that it names is wrong.
    """
    parameters = given.get("parameters") or {}
    if unknown := sorted(set(parameters) - set(_KNOWN)):
        raise ValueError(f"unknown parameter {unknown[0]!r}; known: {', '.join(_KNOWN)}")
    if ("preset" in parameters) == ("file" in parameters):
        raise ValueError("parameters must have one of preset, as minilm, and file, the path of a TOML file")
    settings = parameters.get("set") or {}
    if not isinstance(settings, Mapping):
        raise TypeError(f"set must have keys and values, as spec.top_k: 16, not {settings!r}")
    source = parameters.get("preset") or str(Path(given["files_root"]) / parameters["file"])
    design = load_design(source, [f"{key}={_toml(value)}" for key, value in settings.items()])
    name = design.config.name
    engine = top(design.spec, design.config)
    verilog = emit(engine, name)
    facts = manifest(engine, verilog)
    texts = {f"{name}.v": verilog}
    if "external" in design.config.memories:
        texts |= {f"{wrapper_name(facts)}.v": memory_wrapper(facts), f"{RAM}.v": ram_verilog()}
    return texts | core_files(design, facts, core_name=given["vlnv"])


def _toml(value: object) -> str:
    """Return a value of YAML as TOML writes it."""
    return str(value).lower() if isinstance(value, bool) else str(value)
