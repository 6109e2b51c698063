"""The table of a run: one line for each fault."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.chaos.checks import Findings
from tests.chaos.editors import Tally

COLUMNS = (
    f"{'fault':<56}",
    *("edits made", "edits failed", "refused", "without us", "wrong scores", "rows lost", "seconds to recover"),
)
HEAD = f"| {' | '.join(COLUMNS)} |"
RULE = "|".join(["", *("-" * (len(column) + 1) + "-:"[index > 0] for index, column in enumerate(COLUMNS)), ""])
# Editors who meet by chance are refused, or wait: so many times the share without us, and so much on top.
REFUSED_MORE, REFUSED_BY_CHANCE = 1.5, 0.01
SLOWER, SLOWER_BY_CHANCE_SECONDS = 2.0, 1.0
SHOWN = 8  # lines of evidence for each fault


@dataclass(frozen=True)
class Line:
    """What became of one storm. ``seconds_to_recover`` is None when it never did."""

    fault: str
    tally: Tally
    findings: Findings
    seconds_to_recover: float | None
    trouble: list[str] = field(default_factory=list)  # anything else that went wrong
    without_us: Tally | None = None  # the same editors while no worker was there

    def is_good(self) -> bool:
        wrong = self.tally.failed or self.findings.lines() or self.trouble or self.hindered_by_us()
        return not wrong and self.seconds_to_recover is not None

    def hindered_by_us(self) -> list[str]:
        """Whether more edits were refused, or waited for longer, than without us and than chance explains."""
        if self.without_us is None:
            return []
        now, former = self.tally, self.without_us
        found = []
        if now.share_refused() > REFUSED_MORE * former.share_refused() + REFUSED_BY_CHANCE:
            found.append(f"{now.share_refused():.1%} were refused, without us {former.share_refused():.1%}")
        if now.slowest_seconds > SLOWER * former.slowest_seconds + SLOWER_BY_CHANCE_SECONDS:
            found.append(f"one took {now.slowest_seconds:.1f} s, without us {former.slowest_seconds:.1f} s at most")
        return found

    def __str__(self) -> str:
        seconds = "never" if self.seconds_to_recover is None else f"{self.seconds_to_recover:.1f}"
        refused = [
            f"{tally.share_refused():.1%}" for tally in (self.tally, self.without_us) if self.without_us and tally
        ]
        cells = [
            *(self.fault, self.tally.made.total(), len(self.tally.failed), *(refused or ["", ""])),
            *(len(self.findings.wrong_scores), len(self.findings.lost_rows), seconds),
        ]
        return row(cells)

    def evidence(self) -> list[str]:
        """What a person needs to look into it."""
        kinds = {
            "trouble": self.trouble,
            "edit failed": self.tally.failed,
            "edits hindered": self.hindered_by_us(),
            "wrong score": self.findings.wrong_scores,
            "row lost": self.findings.lost_rows,
            "history": self.findings.history,
        }
        return [line for kind, lines in kinds.items() for line in _shown(f"{self.fault}: {kind}", lines)]


def row(cells: Sequence[object]) -> str:
    """A line of the table: the first cell to the left, the others to the right."""
    first, *others = zip(cells, COLUMNS, strict=True)
    return (
        " | ".join([f"| {first[0]:<{len(first[1])}}", *(f"{cell!s:>{len(column)}}" for cell, column in others)]) + " |"
    )


def skipped(fault: str, missing: Sequence[str]) -> str:
    return f"| {fault:<{len(COLUMNS[0])}} | skipped: PostgreSQL's {' and '.join(missing)} not found |"


def _shown(kind: str, lines: list[str]) -> list[str]:
    more = [f"{kind}: and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
    return [f"{kind}: {line}" for line in lines[:SHOWN]] + more


def summary(lines: list[Line]) -> str:
    """Edits by the way they were made, and what only the outages cost."""
    total = sum((line.tally for line in lines), start=Tally())
    made = ", ".join(f"{way} {number}" for way, number in sorted(total.made.items()))
    return (
        f"Edits: {made}.\n"
        f"Retried after an injected outage: {total.outages}. Analyses asked to come again: {total.busy}. "
        f"Inconsistent history: {sum(len(line.findings.history) for line in lines)}."
    )
