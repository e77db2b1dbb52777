"""The recipes of docs/guide/cluster.md: each gives workers; the batch system is a program that runs what it gets."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from hamming.pool import Pool
from tests.hamming import pool_jobs

ROOT = Path(__file__).parents[2]

#: What submits a job, and what it says; all get the script as their last argument or on standard input.
SUBMITTED = {
    "SLURM": ("sbatch", "Submitted batch job 7"),
    "LSF": ("bsub", "Job <7> is submitted"),
    "SGE": ("qsub", "7"),
}

SUBMIT = """#!/bin/bash
# Only one of them all: two cores have enough to do.
mkdir {folder}/submitted 2> /dev/null && {{
  if [ $# -gt 0 ]; then cat "${{@: -1}}"; else cat; fi > {folder}/script
  setsid bash {folder}/script > {folder}/worker.log 2>&1 < /dev/null &
}}
echo "{said}"
"""


def recipe(name: str) -> str:
    page = (ROOT / "docs" / "guide" / "cluster.md").read_text(encoding="utf-8")
    return next(code for code in re.findall(r"^```text\n((?:.*\n)*?)```$", page, re.M) if f"{name}Cluster(" in code)


@pytest.mark.parametrize("name", SUBMITTED)
def test_recipe_gives_workers(name, tmp_path):
    pytest.importorskip("dask_jobqueue", reason="pip install dask-jobqueue submits workers")
    command, said = SUBMITTED[name]
    for program, text in (
        (command, SUBMIT.format(folder=tmp_path, said=said)),
        *((cancel, "#!/bin/sh\n") for cancel in ("scancel", "bkill", "qdel")),
    ):
        (tmp_path / program).write_text(text)
        (tmp_path / program).chmod(0o755)
    environment = os.environ | {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, sys.path)]),
    }
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", recipe(name)],
        env=environment,
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            address = process.stdout.readline().strip()
            assert address.startswith("tcp://")
            with Pool(cluster=address).results(pool_jobs.square, {f"job {n}": (n,) for n in range(3)}) as results:
                assert dict(results) == {"job 0": 0, "job 1": 1, "job 2": 4}
            script = (tmp_path / "script").read_text()
            assert re.search(r"compute|normal|all\.q", script)
            process.communicate("\n", timeout=60)
        finally:
            process.kill()
    assert process.returncode == 0
