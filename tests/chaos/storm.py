"""Rounds of a storm: editors at work, a fault in their midst, then a look at what it left."""

import os
import random
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from io import StringIO
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import psycopg
from django.core.management import call_command
from django.db import connections
from psycopg.conninfo import make_conninfo

from customers.import_export.staging import STORED, Progress, staged
from customers.ml_service import warm_kernels
from customers.ml_service.files.assets import DEFAULT_ASSETS_DIR
from tests.chaos import checks, leases
from tests.chaos.audit import Audit
from tests.chaos.editors import AtWork, Bears, Editor, Editors, Tally
from tests.chaos.errors import described
from tests.chaos.faults import BrokenPromiseError, Fault
from tests.chaos.faults.registry import Inject
from tests.chaos.forests import Forests, checksum_of, codes_beside, forest_with_other_codes
from tests.chaos.ledger import Ledger, as_state
from tests.chaos.neighbours import Neighbour
from tests.chaos.people import Portfolio, full_row
from tests.chaos.server import StormServer
from tests.chaos.service import Service
from tests.chaos.settings import WORKER_SETTINGS, Size
from tests.chaos.table import Line
from tests.chaos.ways import WAYS
from tests.factories import random_fields, train_forest

POLL_SECONDS = 0.05
TOUCH = (
    "UPDATE customers_customer SET balance = balance + 1",
    "UPDATE customers_customer SET balance = balance - 1",
)
NEWEST_RECORD = "SELECT COALESCE(max(id), 0) FROM customers_scorerecord"


class Storm:
    """A server, a service and editors, and everything that faults do to them."""

    def __init__(self, server: StormServer, size: Size, seed: str) -> None:
        self.server, self.size, self.seed = server, size, seed
        self.assets = server.folder / "ml_assets"
        self._wanted = checksum_of(self.assets / "model.pkl")  # the model that is to be active in the end
        self.service = self.another_service()
        self.forests = Forests()
        self._portfolio = Portfolio.of(size.customers, size.editors)
        self._ledgers: list[Ledger] = []
        self._records_seen = 0
        self._chains_after = 0
        self.standby: Neighbour | None = None
        self.later = ExitStack()  # what is done after a round has been examined
        self._reported: set[str] = set()

    # --- before -------------------------------------------------------------------------------------------------------

    @contextmanager
    def prepared(self) -> Iterator[None]:
        """Tables, customers who are scored, and a service at work."""
        warm_kernels()  # compiled once for all: a worker that does it is soon taken for dead here
        call_command("migrate", verbosity=0)
        self.forests.learn(self.assets / "model.pkl", codes_beside(self.assets / "model.pkl"))
        self._train_forests()
        self._load_customers()
        with self.service.running():
            self._editors = Editors([self._editor(number) for number in range(self.size.editors)], WAYS)
            if self._seconds_to_recover() is None:
                raise RuntimeError(f"The service has not scored anybody: {self._unsettled()}")
            yield

    def _editor(self, number: int) -> Editor:
        return Editor(number, self.server.url, self._portfolio, self._ledgers[number])

    def _train_forests(self) -> None:
        folder = self.server.folder / "forests"
        folder.mkdir()
        self._plain = [train_forest(folder / f"plain-{seed}.pkl", seed=seed) for seed in (1, 2)]
        self._coded = [DEFAULT_ASSETS_DIR / "model.pkl", forest_with_other_codes(folder / "coded", seed=3)]
        for path in self._plain:
            self.forests.learn(path)
        for path in self._coded:
            self.forests.learn(path, codes_beside(path))

    def _load_customers(self) -> None:
        pick = random.Random(f"{self.seed}/customers")
        fields = {customer: random_fields(pick) for customer in self._portfolio.all_ids()}
        with staged([full_row(customer, values) for customer, values in fields.items()], STORED, Progress()) as staging:
            staging.store()
        self._ledgers = [
            Ledger({customer: as_state(fields[customer]) for customer in own}) for own in self._portfolio.own.values()
        ]

    # --- one round ----------------------------------------------------------------------------------------------------

    def weather(self, fault: Fault) -> Line:
        """Editors at work while this fault happens; then no editor is at work until all is well, or never is."""
        with ExitStack() as self.later:
            return self._weather(fault, random.Random(f"{self.seed}/{fault.name}"))

    def _weather(self, fault: Fault, pick: random.Random) -> Line:
        trouble: list[str] = []
        self.sql(leases.END_FALSE)  # a former round's, which is not this fault's
        if fault.prepare:
            self._do(fault.prepare, pick, trouble)
        end = self._inject(fault, pick, trouble) if fault.quiet else None
        without_us = self._edit_without_us(fault) if fault.refusals else None
        audit = Audit(self.server, self.forests)
        at_work = self._start_editing(fault, "with us")
        lead = self.size.seconds * pick.uniform(0.2, 0.5)
        sleep(lead)
        if not fault.quiet:
            end = self._inject(fault, pick, trouble)
        sleep(self.size.seconds - lead)
        tally = at_work.finish()
        if end is not None:
            self._do(lambda *_: end(), pick, trouble)
        seconds = self._seconds_to_recover()
        if seconds is None:
            trouble.append(f"never recovered: {self._unsettled()}")
        findings = self._examine()
        findings.wrong_scores[:0] = audit.finish()
        return Line(fault.name, tally, findings, seconds, trouble, without_us)

    def _inject(self, fault: Fault, pick: random.Random, trouble: list[str]) -> Any:
        def inject(storm: "Storm", pick: random.Random) -> Any:
            if fault.quiet:
                self.service.await_sleep()
            return fault.inject(storm, pick)

        return self._do(inject, pick, trouble)

    def _do(self, action: Inject, pick: random.Random, trouble: list[str]) -> Any:
        try:
            return action(self, pick)
        except BrokenPromiseError as error:
            trouble.append(str(error))
        except Exception as error:  # a fault that failed is no calm weather: it must show
            trouble.append(f"the fault was not injected: {described(error)}")
        return None

    def _start_editing(self, fault: Fault, word: str) -> AtWork:
        bears = Bears(fault.outage, fault.refusals)
        return self._editors.start(f"{self.seed}/{fault.name}/{word}", bears, fault.ways, others=fault.others)

    def _edit_without_us(self, fault: Fault) -> Tally:
        """What becomes of the same editors while no worker is there; then it is, and has caught up."""
        with self.service.halted():
            at_work = self._start_editing(fault, "without us")
            sleep(self.size.seconds)
            tally = at_work.finish()
        self._seconds_to_recover()
        return tally

    def _seconds_to_recover(self) -> float | None:
        began = monotonic()
        while monotonic() < began + self.size.recovery_limit_seconds:
            if not self._unsettled():
                return monotonic() - began
            sleep(POLL_SECONDS)
        return None

    def _unsettled(self) -> str:
        try:
            with self.server.connect() as connection:
                return checks.unsettled(connection, self._wanted)
        except psycopg.Error as error:
            return str(error)

    def _examine(self) -> checks.Findings:
        with self.server.connect() as connection:
            findings = checks.examine(
                connection,
                self.forests,
                self._wanted,
                self._ledgers,
                self._portfolio.contested,
                self._records_seen,
                self._chains_after,
            )
            self._records_seen = connection.execute(NEWEST_RECORD).fetchone()[0]
        news = findings.without(self._reported)
        self._reported.update(findings.lines())
        return news

    def start_afresh(self) -> None:
        """After a round that went wrong: the next one is to show its own fault only."""
        self.server.stop("immediate")  # what a promotion has left broken, recovery from a crash makes anew
        self.server.start()
        self.sql(leases.END_FALSE)
        self.service.kill_all()
        self.put_in_place(self.another_forest(random.Random()))
        self._seconds_to_recover()
        self.begin_new_lives()

    # --- what faults do -----------------------------------------------------------------------------------------------

    def environment(self) -> dict[str, str]:
        return {**os.environ, **WORKER_SETTINGS}

    def another_service(self) -> Service:
        return Service(self.server.folder / "service.log", self.environment())

    def second_host(self) -> Service:
        """A worker of another checkout: without model files, with a cache of its own."""
        nothing = self.server.folder / "second-host"
        nothing.mkdir(exist_ok=True)
        places = {"VIGILPAY_ML_ASSETS": str(nothing), "VIGILPAY_MODEL_CACHE": str(nothing / "cache")}
        return Service(self.server.folder / "second-host.log", {**self.environment(), **places})

    def kill(self, role: str) -> None:
        for process in self.service.complete()[role]:
            with suppress(Exception):
                process.kill()

    def sql(self, *statements: str) -> None:
        with self.server.connect() as connection:
            for statement in statements:
                connection.execute(statement)

    def connect_editors(self, **options: str) -> None:
        """Until the round is over, the editors' own sessions connect with these options, as another role perhaps."""
        for editor in self._editors.all_editors:
            editor.url = make_conninfo(self.server.url, **options)
        if options:
            self.later.callback(self.connect_editors)

    def await_current(self) -> None:
        """Until all customers are scored; else the fault can't begin."""
        if self._seconds_to_recover() is None:
            raise RuntimeError(f"not all customers are scored: {self._unsettled()}")

    def touch_all(self) -> None:
        """An edit of every customer that no ledger need know of: it leaves them as they are."""
        self.sql(*TOUCH)

    def expect_losses(self, expected: bool) -> None:
        """Whether what PostgreSQL confirms to editors from now on may be lost with it."""
        for ledger in self._ledgers:
            ledger.is_losing = expected

    def begin_new_lives(self) -> None:
        """Every customer has been away: histories up to now need not be continued."""
        with self.server.connect() as connection:
            self._chains_after = connection.execute(NEWEST_RECORD).fetchone()[0]

    def another_forest(self, pick: random.Random) -> Path:
        """A model file other than the active one, fitted on alphabetical codes."""
        return pick.choice(self._not_active(self._plain))

    def a_forest_with_other_codes(self, pick: random.Random) -> Path:
        """One whose model.json tells its label codes; without that file its scores would be other ones."""
        return pick.choice(self._not_active(self._coded))

    def any_forest(self, pick: random.Random) -> Path:
        """The active one, too."""
        return pick.choice([*self._plain, *self._coded])

    def _not_active(self, paths: list[Path]) -> list[Path]:
        return [path for path in paths if checksum_of(path) != self._wanted]

    def put_in_place(self, path: Path) -> None:
        """As a Data Lead does who knows of nothing but the name of the file."""
        draft = self.assets / "draft"
        shutil.copyfile(path, draft)
        draft.replace(self.assets / "model.pkl")
        self._wanted = checksum_of(path)

    def release(self, path: Path) -> None:
        """As an operator does, with a connection of the day."""
        connections.close_all()
        call_command("release_model", path, "--yes", note="in a storm", stdout=StringIO())
        self._wanted = checksum_of(path)

    def expect_the_active_model(self) -> None:
        """Whichever it has become."""
        with self.server.connect() as connection:
            self._wanted = connection.execute(checks.NEWEST_RELEASE).fetchone()[1]

    def active_release(self) -> int:
        from customers.models import ModelRelease

        connections.close_all()
        return ModelRelease.objects.active().pk

    def roll_back(self, to: int) -> None:
        """To that release by name: a model that was the first to serve has none before it."""
        from customers.models import ModelRelease

        connections.close_all()
        call_command("release_model", rollback=True, to=to, stdout=StringIO())
        self._wanted = ModelRelease.objects.get(pk=to).sha256
