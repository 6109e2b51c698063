"""What our triggers and signals cost many editors at once: edits per second with them and without, in turn."""

import os
import random
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from time import sleep

import psycopg

from tests.benchmarks.engine.crew import Crew
from tests.benchmarks.engine.sizes import Sizes
from tests.benchmarks.engine.table import Table, customer_table
from tests.benchmarks.report import Figure, of_rounds, per_second
from tests.benchmarks.setting import STALE, customers, scoring_cluster

GOAL = 0.8
EDIT = "UPDATE customers_customer SET tenure = (tenure + 1) % 10 WHERE customer_id = {}"
FIRST_AND_LAST = "SELECT min(customer_id), max(customer_id) FROM customers_customer"
INSTANCES = 500  # that each Django editor edits in turn
A_ROUND = 55.0  # seconds; a lease beyond a minute is void

Rounds = Mapping[str, Callable[[], float]]
Rates = Mapping[str, Sequence[float]]


def measure(url: str, sizes: Sizes) -> Iterator[Figure]:
    with customer_table(url) as table, Crew(sizes.editors, partial(sql_editor, url)) as crew:
        yield from sql_editors(table, crew, sizes)
        yield from pgbench(url, table, sizes)
        with scoring_cluster(url):
            yield beside_a_worker(table, crew, sizes)
    yield from django_editors(url, sizes)


# --- plain SQL --------------------------------------------------------------------------------------------------------


def sql_editor(url: str, number: int) -> Callable[[], object]:
    connection = psycopg.connect(url, autocommit=True)
    chosen, ids = random.Random(number), customers(url)
    edit = EDIT.format("%s").replace("% 10", "%% 10")
    return lambda: connection.execute(edit, [chosen.choice(ids)])


def sql_editors(table: Table, crew: Crew, sizes: Sizes) -> Iterator[Figure]:
    """Judged while a lease is held, as after every edit; shown besides, while it is free: then each edit notifies."""
    run = partial(crew.rate, sizes.round_seconds)
    rates = in_turn(table, sizes.rounds, {"off": run, "on": run}, triggers={"on"})
    yield compared(f"{sizes.editors} SQL editors, all triggers / none", rates, "on", "off", GOAL)
    rates = in_turn(table, sizes.side_rounds, {"off": run, "on": run}, triggers={"on"}, lease=0)
    yield compared("  the same with no worker for hours: every edit notifies", rates, "on", "off")


def beside_a_worker(table: Table, crew: Crew, sizes: Sizes) -> Figure:
    """What the drain takes from editors who share its cores."""

    def run() -> float:
        sleep(1)
        rate = crew.rate(sizes.round_seconds)
        while table.value(STALE):
            sleep(0.1)
        return rate

    rates = in_turn(table, sizes.side_rounds, {"off": run, "on": run}, triggers={"on"}, lease=None)
    return compared(f"  the same, a worker scoring on these {os.cpu_count()} cores", rates, "on", "off")


def pgbench(url: str, table: Table, sizes: Sizes) -> Iterator[Figure]:
    """The same by a client that costs next to nothing, where it is installed."""
    if not runs("pgbench"):
        return
    with TemporaryDirectory() as directory:
        script = Path(directory, "edit.sql")
        first, last = table.connection.execute(
            "SELECT min(customer_id), max(customer_id) FROM customers_customer"
        ).fetchone()
        script.write_text(f"\\set id random({first}, {last})\n{EDIT.format(':id')};\n")
        seconds = str(max(1, round(sizes.round_seconds)))
        command = ["pgbench", "-n", "-M", "prepared", "-c", str(sizes.editors), "-T", seconds, "-f", str(script), url]
        run = partial(transactions_per_second, command)
        rates = in_turn(table, sizes.side_rounds, {"off": run, "on": run}, triggers={"on"})
    yield compared(f"  the same by pgbench, {sizes.editors} clients", rates, "on", "off")


def runs(program: str) -> bool:
    """Debian's wrapper is there without the program that it starts, where only the client's package is installed."""
    return bool(shutil.which(program)) and not subprocess.run([program, "--version"], capture_output=True).returncode


def transactions_per_second(command: list[str]) -> float:
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return float(re.search(r"tps = ([0-9.]+)", done.stdout)[1])


# --- Django -----------------------------------------------------------------------------------------------------------


def django_editors(url: str, sizes: Sizes) -> Iterator[Figure]:
    """Whole edits as Django projects make them, SELECT and save; and the save alone, of instances at hand."""
    saves = f"{sizes.editors} Django editors"
    rates = django_rates(url, sizes, sizes.rounds, reading=True)
    yield compared(f"{saves}, get and save, signals / no signals", rates, "all", "triggers", GOAL)
    yield compared(f"  {saves}, get and save, signals + triggers / none", rates, "all", "none of ours")
    rates = django_rates(url, sizes, sizes.side_rounds, reading=False)
    yield compared(f"  {saves}, save alone, signals + triggers / none", rates, "all", "none of ours")
    yield compared(f"  {saves}, save alone, signals / no signals", rates, "all", "triggers")


def django_rates(url: str, sizes: Sizes, times: int, *, reading: bool) -> Rates:
    with ExitStack() as stack:
        table = stack.enter_context(customer_table(url))
        deaf = stack.enter_context(Crew(sizes.editors, partial(django_editor, url, False, reading)))
        signalling = stack.enter_context(Crew(sizes.editors, partial(django_editor, url, True, reading)))
        rounds = {
            "none of ours": partial(deaf.rate, sizes.round_seconds),
            "triggers": partial(deaf.rate, sizes.round_seconds),
            "all": partial(signalling.rate, sizes.round_seconds),
        }
        return in_turn(table, times, rounds, triggers={"triggers", "all"})


def django_editor(url: str, signals: bool, reading: bool, number: int) -> Callable[[], object]:
    import django

    os.environ.update(DATABASE_URL=url, DJANGO_SETTINGS_MODULE="vigilpay.settings")
    django.setup()
    from django.db.models.signals import post_save

    from customers.models import Customer

    if not signals:
        post_save.disconnect(sender=Customer, dispatch_uid="events.customer_saved")
    chosen = random.Random(number)
    mine = list(Customer.objects.filter(customer_id__in=chosen.sample(customers(url), INSTANCES)))

    def edit() -> None:
        customer = chosen.choice(mine)
        if reading:
            customer = Customer.objects.get(pk=customer.pk)
        customer.tenure = (customer.tenure + 1) % 10
        customer.save()

    return edit


# --- rounds -----------------------------------------------------------------------------------------------------------


def in_turn(table: Table, times: int, rounds: Rounds, *, triggers: set[str], lease: float | None = A_ROUND) -> Rates:
    """The rates of each kind of round, run A B A B, each on a settled table whose scores are all current."""
    rates: dict[str, list[float]] = {name: [] for name in rounds}
    for _ in range(times):
        for name, run in rounds.items():
            table.make_current()
            table.triggers(enabled=name in triggers)
            table.settle()
            if lease is not None:
                table.hold_lease(lease)
            rates[name].append(run())
    table.make_current()
    table.hold_lease(0)
    return rates


def compared(what: str, rates: Rates, ours: str, beside: str, at_least: float | None = None) -> Figure:
    return of_rounds(what, rates[ours], rates[beside], per_second, at_least=at_least)
