"""Runs the rounds of a storm one after another and prints the table as it grows."""

import sys
from collections.abc import Sequence
from time import monotonic

from tests.chaos import table
from tests.chaos.faults import Fault
from tests.chaos.server import StormServer
from tests.chaos.settings import Size
from tests.chaos.storm import Storm


def run(server: StormServer, size: Size, seed: str, faults: Sequence[Fault], sabotage: str = "") -> bool:
    """Whether everything was right after every storm."""
    began = monotonic()
    storm = Storm(server, size, seed)
    lines: list[table.Line] = []
    left_out = 0
    with storm.prepared():
        if sabotage:
            storm.sql(sabotage)
        say(f"ready after {monotonic() - began:.0f} s", table.HEAD, table.RULE)
        for fault in faults:
            if missing := server.missing(fault.needs):
                left_out += 1
                say(table.skipped(fault.name, missing))
                continue
            line = storm.weather(fault)
            lines.append(line)
            say(str(line))
            if not line.is_good():
                storm.start_afresh()
    for line in lines:
        say(*line.evidence())
    say(table.summary(lines), f"{len(lines)} storms in {monotonic() - began:.0f} s, {left_out} skipped")
    return all(line.is_good() for line in lines)


def say(*lines: str) -> None:
    for line in lines:
        sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
