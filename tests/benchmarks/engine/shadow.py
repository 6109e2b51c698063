"""What scoring in shadow takes from editors and live scores, and what its promotion saves the drains."""

import json
import random
import shutil
import statistics
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread
from typing import Any

import psycopg

from tests.benchmarks.engine.crew import Crew
from tests.benchmarks.engine.drain import NEWEST, SPAN, wait_until_scored
from tests.benchmarks.engine.editors import sql_editor
from tests.benchmarks.engine.sizes import Sizes
from tests.benchmarks.engine.table import Table, customer_table
from tests.benchmarks.lags import idle, per_thread, sql_edits, steady
from tests.benchmarks.report import Figure, milliseconds, of_rounds, per_second
from tests.benchmarks.setting import customers, scoring_cluster, seed

SHIPPED = Path(__file__).resolve().parents[3] / "ml_assets"
UNHARMED = 0.9  # of the editors' rate, and as much of the lag more
FASTER = 1.0
TIMES_AS_LARGE = 10
ARRAYS, ARRAY_IDS = 20, 128
FEED = "INSERT INTO customers_shadowwait (customer_ids) VALUES (%s)"
AT_WORK = "SELECT EXISTS (SELECT FROM events_turn WHERE name = 'shadow' AND process IS NOT NULL)"
WAITING = "SELECT count(*) FROM customers_shadowwait"
SCORED = "SELECT count(*) FROM customers_shadowscore"


def measure(url: str, sizes: Sizes) -> Iterator[Figure]:
    with customer_table(url) as table, TemporaryDirectory() as folder:
        yield from beside_live_work(url, table, sizes, next(variants(Path(folder))))


def measure_promotion(url: str, sizes: Sizes) -> Iterator[Figure]:
    with customer_table(url) as table, TemporaryDirectory() as folder:
        models, large = variants(Path(folder)), variants(Path(folder), TIMES_AS_LARGE)
        for place, rows in enumerate(sizes.portfolios[1:]):
            seed(rows)
            table.shrink(rows)
            yield promotion(url, table, models, rows, sizes)
            if not place:
                yield promotion(url, table, large, rows, sizes, f", {TIMES_AS_LARGE} times the trees")


def variants(folder: Path, times: int = 1) -> Iterator[Any]:
    """Proposals of models so many times as large as the shipped one, whose scores all differ a little."""
    import joblib

    from tests.customers.shadow.proposing import propose

    told = json.loads((SHIPPED / "model.json").read_text())
    told = {name: told[name] for name in ("encodings", "sklearn_version") if name in told}
    for number in range(1, 100):
        model = joblib.load(SHIPPED / "model.pkl")
        for tree in model.estimators_:
            leaving = tree.tree_.value[:, 0, 1] * (1 - number / 500)
            tree.tree_.value[:, 0, 1], tree.tree_.value[:, 0, 0] = leaving, 1 - leaving
        model.estimators_, model.n_estimators = model.estimators_ * times, model.n_estimators * times
        path = folder / f"{times}-{number}" / "model.pkl"
        path.parent.mkdir()
        joblib.dump(model, path)
        path.with_name("model.json").write_text(json.dumps({**told, "sha256": checksum_of(path)}))
        yield propose(path)
        shutil.rmtree(path.parent)


def checksum_of(path: Path) -> str:
    from hashlib import sha256

    return sha256(path.read_bytes()).hexdigest()


# --- never in the way -------------------------------------------------------------------------------------------------


def beside_live_work(url: str, table: Table, sizes: Sizes, proposal: Any) -> Iterator[Figure]:
    """Rounds with and without take turns, on the same cluster of workers."""
    rates: dict[bool, list[float]] = {False: [], True: []}
    lags: dict[str, dict[bool, list[float]]] = {name: {False: [], True: []} for name in ("idle", "busy")}
    shadow_rows = 0
    with Crew(sizes.editors, partial(sql_editor, url)) as crew, scoring_cluster(url):
        for number in range(sizes.shadow_rounds):
            for is_on in (False, True) if number % 2 else (True, False):
                with in_shadow(url, proposal, is_on):
                    rates[is_on].append(crew.rate(sizes.round_seconds))
                    found = idle("idle", url, sql_edits(url), sizes.shadow_samples)
                    lags["idle"][is_on].append(found.p50)
                    busy = steady("busy", url, per_thread(lambda: sql_edits(url)), sizes.rate, sizes.round_seconds)
                    lags["busy"][is_on].append(busy.p50)
                    shadow_rows = max(shadow_rows, table.value(SCORED))
    if not shadow_rows:
        raise RuntimeError("no customer was scored in shadow")
    yield of_rounds(
        f"{sizes.editors} SQL editors, a model in shadow / none",
        rates[True],
        rates[False],
        per_second,
        at_least=UNHARMED,
    )
    for name, told in (("idle", "one at a time"), ("busy", f"{sizes.rate:.0f}/s")):
        yield of_rounds(
            f"SQL edits {told} -> current p50, a model in shadow / none",
            *(lags[name][True], lags[name][False], milliseconds),
            at_most=1 / UNHARMED,
        )


@contextmanager
def in_shadow(url: str, proposal: Any, is_on: bool) -> Iterator[None]:
    """Without an end of work for the shadow, if it is on."""
    if not is_on:
        yield
        return
    from customers.shadow import runs
    from tests.customers.shadow.proposing import start

    start(proposal)
    ends = Event()
    feeder = Thread(target=feed, args=(url, ends), daemon=True)
    feeder.start()
    try:
        yield
    finally:
        ends.set()
        feeder.join()
        runs.stop(by="bench", reason="measured")


def feed(url: str, ends: Event) -> None:
    from django.db import connection as django

    from events.queue import dispatch

    ids = customers(url)
    with psycopg.connect(url, autocommit=True) as connection:
        while not ends.wait(0.2):
            for _ in range(ARRAYS - connection.execute(WAITING).fetchone()[0]):
                connection.execute(FEED, [random.sample(ids, min(ARRAY_IDS, len(ids)))])
            if not connection.execute(AT_WORK).fetchone()[0]:
                dispatch.queue(dispatch.SHADOW_JOB)
    django.close()


# --- promotion --------------------------------------------------------------------------------------------------------


def promotion(url: str, table: Table, models: Iterator[Any], rows: int, sizes: Sizes, with_what: str = "") -> Figure:
    computed, taken_over = [], []
    for _ in range(sizes.promotions):
        computed.append(rolled_over(url, table, next(models), rows))
        proposal = next(models)
        score_all_in_shadow(proposal, rows)
        taken_over.append(rolled_over(url, table, proposal, rows))
    ratio = statistics.median(taken_over) / statistics.median(computed)
    told = [per_second(statistics.median(it)) for it in (taken_over, computed)]
    return Figure(
        f"promotion of {rows:,} shadow scores / roll-over, 1 worker{with_what}", *told, ratio, at_least=FASTER
    )


def rolled_over(url: str, table: Table, proposal: Any, rows: int) -> float:
    """Rows per second until all customers have the score of this model."""
    from events.queue import pause

    with scoring_cluster(url, VIGILPAY_WORKERS="1"):
        pause.pause()
        activate(proposal)
        table.settle()
        newest = table.value(NEWEST)
        pause.resume()
        wait_until_scored(table, rows, newest)
    stored, seconds = table.connection.execute(SPAN, [newest]).fetchone()
    return stored / seconds if seconds else float("nan")


def activate(proposal: Any) -> None:
    from customers.releases import proposals
    from events import jobs

    proposals.approve(proposal, by="ben", fingerprint=proposal.fingerprint)
    while proposal.release_id is None:
        jobs.activate_approved()  # or a worker of the cluster does
        proposal.refresh_from_db()


def score_all_in_shadow(proposal: Any, rows: int) -> None:
    from customers.models import ShadowScore
    from customers.shadow import work
    from tests.customers.shadow.proposing import start

    run = start(proposal)
    while work.work_off().more:
        pass
    if (scored := ShadowScore.objects.filter(run_id=run.pk).count()) != rows:
        raise RuntimeError(f"of {rows} customers {scored} were scored in shadow")
