"""Models are proposed, approved, rolled back and scored in shadow; a second host without model files scores, too."""

import random
from collections import Counter
from contextlib import suppress
from time import monotonic, sleep
from typing import TYPE_CHECKING

from tests.chaos.faults.registry import BrokenPromiseError, End, fault, repeat

if TYPE_CHECKING:
    from tests.chaos.service import Service
    from tests.chaos.storm import Storm

PROPOSERS, APPROVERS = ("anna", "carla"), ("anna", "ben", "carla")
SETTLED_SECONDS = 60.0

SAME_PERSON = """
SELECT count(*) FROM customers_modelrelease
WHERE approval = 'two persons' AND lower(proposed_by) IS NOT DISTINCT FROM lower(approved_by)
"""
TWO_PERSONS = "SELECT count(*) FROM customers_modelrelease WHERE approval = 'two persons'"
APPROVED_AND_NOT_ACTIVE = """
SELECT count(*) FROM customers_modelproposal WHERE kind = 'release' AND state = 'approved' AND release_id IS NULL
"""
# Of customers as they are: these would be taken over.
SHADOW_SCORES = """
SELECT customer_id, proposal.sha256, proposal.metadata, shadow.score, {}
FROM customers_shadowscore AS shadow
JOIN customers_customer AS customer USING (customer_id, arrived_at, version)
JOIN customers_shadowrun AS run ON run.id = shadow.run_id
JOIN customers_modelproposal AS proposal ON proposal.id = run.proposal_id
"""


@fault("two hosts, models proposed, approved, rolled back, in shadow")
def two_hosts(storm: "Storm", pick: random.Random) -> End:
    second = storm.second_host()
    storm.later.enter_context(second.running())
    persons = Persons(storm, pick, second)
    persons.begin()
    stop = repeat(persons.act, every=0.1)

    def end() -> None:
        stop()
        persons.settle()

    return end


class Persons:
    """Who do one thing after another, each as if nobody else did anything."""

    def __init__(self, storm: "Storm", pick: random.Random, second: "Service") -> None:
        self._storm, self._pick, self._second = storm, pick, second
        self.done: Counter[str] = Counter()
        self._ways = [self.propose, self.approve, self.roll_back, self.start, self.stop, self.kill]

    def begin(self) -> None:
        """However short the storm is, one model is scored in shadow when it becomes active."""
        from customers.shadow import runs
        from tests.customers.shadow.proposing import propose, start

        with suppress(runs.ShadowError):
            runs.stop(by="ben", reason="another storm")
        with suppress(self._errors()):
            propose(self._storm.another_forest(self._pick))
        with suppress(self._errors()):
            start(self._open())

    def act(self) -> None:
        from django.db import connections

        way = self._pick.choices(self._ways, weights=[4, 4, 1, 4, 1, 1])[0]
        try:
            way()
            self.done[way.__name__] += 1
        except self._errors():  # what is refused has changed nothing
            connections.close_all()

    def _errors(self) -> tuple[type[Exception], ...]:
        from django.core.management import CommandError
        from django.db import Error

        from customers.ml_service import ModelError
        from customers.shadow.runs import ShadowError

        return CommandError, Error, ModelError, ShadowError

    def propose(self) -> None:
        from tests.customers.shadow.proposing import propose

        propose(self._storm.any_forest(self._pick), by=self._pick.choice(PROPOSERS))

    def approve(self) -> None:
        from customers.releases import proposals

        found = self._open()
        proposals.approve(found, by=self._pick.choice(APPROVERS), fingerprint=found.fingerprint)

    def roll_back(self) -> None:
        from io import StringIO

        from django.core.management import call_command

        call_command("release_model", rollback=True, by=self._pick.choice(PROPOSERS), stdout=StringIO())

    def start(self) -> None:
        from customers.shadow import runs

        share = self._pick.choice((0.3, 1.0, 1.0))
        runs.start(self._open(), share=share, by=self._pick.choice(APPROVERS), reason="in a storm")

    def stop(self) -> None:
        from customers.shadow import runs

        runs.stop(by=self._pick.choice(APPROVERS), reason="in a storm")

    def kill(self) -> None:
        """One worker, of either host."""
        service = self._pick.choice((self._storm.service, self._second))
        workers = service.roles().get("worker", ())
        for worker in workers[:1]:
            worker.kill()

    def _open(self):
        from customers.models import ModelProposal
        from customers.releases.proposals import ProposalError

        found = ModelProposal.objects.filter(state="open", kind="release").order_by("?").first()
        if found is None:
            raise ProposalError("There is no open proposal.")
        return found

    def settle(self) -> None:
        """What was approved is active, by two persons each; and no shadow score is wrong for the values it is of."""
        from customers.releases import proposals

        with suppress(self._errors()):
            found = self._open()
            proposals.approve(found, by="ben", fingerprint=found.fingerprint)
        ends = monotonic() + SETTLED_SECONDS
        while self._value(APPROVED_AND_NOT_ACTIVE):
            if monotonic() > ends:
                raise BrokenPromiseError("an approved model was never put into service")
            sleep(0.1)
        self._storm.expect_the_active_model()
        if self._value(SAME_PERSON):
            raise BrokenPromiseError("a release was proposed and approved by one person")
        if not self._value(TWO_PERSONS):
            raise BrokenPromiseError(f"no model was released by two persons: {dict(self.done)}")
        if wrong := self._wrong_shadows():
            raise BrokenPromiseError(f"{len(wrong)} shadow scores are wrong, as {wrong[0]}")

    def _value(self, query: str) -> int:
        with self._storm.server.connect() as connection:
            return int(connection.execute(query).fetchone()[0])

    def _wrong_shadows(self) -> list[str]:
        from tests.chaos.checks import COLUMNS, disagreeing

        with self._storm.server.connect() as connection:
            rows = connection.execute(SHADOW_SCORES.format(COLUMNS)).fetchall()
        found = [(f"shadow score of customer {row[0]}", row[3], row[1], row[2], *row[4:]) for row in rows]
        return list(disagreeing(found, self._storm.forests))
