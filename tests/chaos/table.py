"""The table of a run: one line for each fault."""

from dataclasses import dataclass, field

from tests.chaos.checks import Findings
from tests.chaos.editors import Tally

HEAD = f"| {'fault':<44} | edits made | edits failed | wrong scores | rows lost | seconds to recover |"
RULE = f"|{'-' * 46}|-----------:|-------------:|-------------:|----------:|-------------------:|"
SHOWN = 8  # lines of evidence for each fault


@dataclass(frozen=True)
class Line:
    """What became of one storm. ``seconds_to_recover`` is None when it never did."""

    fault: str
    tally: Tally
    findings: Findings
    seconds_to_recover: float | None
    trouble: list[str] = field(default_factory=list)  # anything else that went wrong

    def is_good(self) -> bool:
        return not (self.tally.failed or self.findings.lines() or self.trouble) and self.seconds_to_recover is not None

    def __str__(self) -> str:
        seconds = "never" if self.seconds_to_recover is None else f"{self.seconds_to_recover:.1f}"
        wrong, lost = len(self.findings.wrong_scores), len(self.findings.lost_rows)
        return (
            f"| {self.fault:<44} | {self.tally.made.total():>10} | {len(self.tally.failed):>12} | {wrong:>12} "
            f"| {lost:>9} | {seconds:>18} |"
        )

    def evidence(self) -> list[str]:
        """What a person needs to look into it."""
        kinds = {
            "trouble": self.trouble,
            "edit failed": self.tally.failed,
            "wrong score": self.findings.wrong_scores,
            "row lost": self.findings.lost_rows,
            "history": self.findings.history,
        }
        return [line for kind, lines in kinds.items() for line in _shown(f"{self.fault}: {kind}", lines)]


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
