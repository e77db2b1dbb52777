"""What a fuzzed engine owes, held against what its harness wrote down."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from hamming.rtl.design import Design
from hamming.sim.fuzz.epoch import epochs_of
from hamming.sim.fuzz.errors import Errors
from hamming.sim.fuzz.findings import Findings
from hamming.sim.fuzz.log import CHANGED, Log
from hamming.sim.fuzz.model import Answers, Contents, Table
from hamming.sim.fuzz.queries import Queries
from hamming.sim.fuzz.waits import hold_waits

__all__ = ["check"]


def check(design: Design, manifest: Mapping[str, Any], log: Log) -> Findings:
    """Hold a run against the contract.

    Whatever was done to the inputs: nothing moves in reset; outputs keep the protocol; queries are answered one by one,
    in order, with as many beats as they must have, and none waits for ever; rows and entries are taken in the cycles
    that are stated. A query of which all visible rows, and the table, are known and were left alone while it was on its
    way has golden's answer. A lone query takes the stated latency at most. `error` is what was out of range.
    """
    found = Findings()
    for cycle in log.moves_in_reset[:5]:
        found.wrong(f"cycle {cycle}: a stream moves in reset")
    for cycle in log.broken[:5]:
        found.wrong(f"cycle {cycle}: a stream of a memory breaks the protocol")
    found.count("resets", len(log.resets))
    for name, stream in log.streams.items():
        for at in np.flatnonzero(log.offers[name].kind == CHANGED) if stream.direction == "output" else ():
            found.wrong(f"{name}: the beat of cycle {log.offers[name].start[at]} did not hold until it was taken")
    contents, tables = Contents(design, log), [Table(design, log, n) for n in range(design.spec.n_tables)]
    answers = Answers(design, log, contents, tables)
    errors = Errors(design, manifest, log, tables)
    latency = manifest["cycles"]["latency"]["cycles"]
    for epoch in epochs_of(log):
        queries = Queries(design, log, epoch, found)
        hold_waits(design, log, epoch, queries, latency, found)
        for number in range(queries.n_complete):
            answers.add(queries, number)
        errors.hold(epoch, queries, found)
    answers.finish(found)
    return found
