"""The CACTI runs behind the memory model: `python -m hamming.synth.memory.cacti FOLDER` makes `sram45.csv` again.

FOLDER holds CACTI 7.0, built; docs/memories.md says where it comes from. Nothing else needs it.
"""

from __future__ import annotations

import csv
import itertools
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import click

__all__ = ["CONFIGURATION", "GRID", "PORTS", "configuration", "parse"]

#: Ports of a macro, and how many CACTI is told of: read-write, read-only, write-only.
PORTS = {"1r1w": (0, 1, 1), "1rw": (1, 0, 0)}

#: Words and bits a word of the macros that are run; CACTI takes none below 512 bits.
GRID = [(2**d, 2**w) for d, w in itertools.product(range(5, 15), range(3, 7)) if d + w >= 9]

#: What is the same for all runs; from -dram_type on it is about DRAM, and CACTI fails without. 300 K, cells of low
#: leakage under fast periphery, and among the organisations within half of the least delay the one where delay, read
#: energy and area, each against its least, add up to the least.
CONFIGURATION = """\
-technology (u) 0.045
-operating temperature (K) 300
-cache type "ram"
-Data array cell type - "itrs-lstp"
-Data array peripheral type - "itrs-hp"
-Tag array cell type - "itrs-lstp"
-Tag array peripheral type - "itrs-hp"
-design objective (weight delay, dynamic power, leakage power, cycle time, area) 100:100:0:0:100
-deviate (delay, dynamic power, leakage power, cycle time, area) 50:100000:100000:100000:100000
-Optimize ED or ED^2 (ED, ED^2, NONE): "NONE"
-Array Power Gating - "false"
-WL Power Gating - "false"
-CL Power Gating - "false"
-Bitline floating - "false"
-Interconnect Power Gating - "false"
-Power Gating Performance Loss 0.01
-single ended read ports 0
-UCA bank 1
-associativity 1
-tag size (b) 0
-page size (bits) 0
-burst length 8
-internal prefetch width 8
-access mode (normal, sequential, fast) - "fast"
-NUCAdesign objective (weight delay, dynamic power, leakage power, cycle time, area) 100:100:0:0:100
-NUCAdeviate (delay, dynamic power, leakage power, cycle time, area) 10:10000:10000:10000:10000
-Cache model (NUCA, UCA)  - "UCA"
-NUCA bank count 0
-Wire signaling (fullswing, lowswing, default) - "Global_30"
-Wire inside mat - "semi-global"
-Wire outside mat - "semi-global"
-Interconnect projection - "normal"
-Core count 1
-Add ECC - "false"
-Print level (DETAILED, CONCISE) - "DETAILED"
-Print input parameters - "true"
-Force cache config - "false"
-Ndwl 1
-Ndbl 1
-Nspd 0
-Ndcm 1
-Ndsam1 0
-Ndsam2 0
-dram_type "DDR3"
-io state "WRITE"
-num_clk  2
-mem_data_width 8
-rtt_value 10000
-ron_value 34
-tflight_value
-num_bobs 1
-capacity 80
-num_channels_per_bob 1
-first metric "Cost"
-second metric "Bandwidth"
-third metric "Energy"
-DIMM model "ALL"
-mirror_in_bob "F"
"""

#: Column of the file, CACTI's name for it, and what CACTI's unit is worth in the file's.
_COLUMNS = (
    ("area_um2", "Area (mm2)", 1e6),
    ("read_pj", "Dynamic read energy (nJ)", 1e3),
    ("write_pj", "Dynamic write energy (nJ)", 1e3),
    ("leakage_mw", "Standby leakage per bank(mW)", 1.0),
    ("access_ns", "Access time (ns)", 1.0),
)


def configuration(ports: str, depth: int, width: int) -> str:
    """Return CACTI's input for one macro."""
    both, read, write = PORTS[ports]
    return CONFIGURATION + (
        f"-size (bytes) {depth * width // 8}\n-block size (bytes) {width // 8}\n-output/input bus width {width}\n"
        f"-read-write port {both}\n-exclusive read port {read}\n-exclusive write port {write}\n"
    )


def parse(output: str) -> dict[str, float]:
    """Return the figures of one macro, from the text that CACTI leaves beside its input."""
    row = {name.strip(): value for name, value in list(csv.DictReader(output.splitlines()))[-1].items() if name}
    return {column: float(f"{float(row[name]) * factor:.6g}") for column, name, factor in _COLUMNS}


def _runs(folder: Path) -> Iterator[dict[str, str | int | float]]:
    for ports in PORTS:
        for depth, width in GRID:
            with tempfile.TemporaryDirectory() as name:
                given = Path(name, "macro.cfg")
                given.write_text(configuration(ports, depth, width), encoding="utf-8")
                # CACTI finds its technology files beside itself only when it is run there.
                subprocess.run(["./cacti", "-infile", given], cwd=folder, check=True, stdout=subprocess.DEVNULL)
                figures = parse(given.with_name("macro.cfg.out").read_text(encoding="utf-8"))
            yield {"ports": ports, "depth": depth, "width": width, **figures}


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--output", type=click.Path(path_type=Path), default=Path(__file__).with_name("sram45.csv"))
def main(folder: Path, output: Path) -> None:
    """Run the CACTI in FOLDER over the grid of macros, and write the figures as CSV."""
    rows = list(_runs(folder))
    with output.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    click.echo(f"{output}: {len(rows)} macros")


if __name__ == "__main__":
    main()
