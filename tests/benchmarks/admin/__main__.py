"""The list of customers at a million rows, beside the stock ModelAdmin's; exits 1 when a goal is missed.

``make bench-admin``. Each page is asked for as a browser does, logged in, rendered whole, in this process; ours and the
stock one take turns, figures are medians. Goals are set for an otherwise quiet machine with a million customers: the
load that was found is printed on top.
"""

import argparse
import os
import statistics
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any

from tests.benchmarks.admin import portfolio
from tests.benchmarks.admin.visits import LIST, STOCK_LIST, Visit, median_visit, visit
from tests.benchmarks.model.rounds import seconds
from tests.benchmarks.report import HEADING, Figure, concluded, milliseconds, say
from tests.benchmarks.setting import started_django
from tests.databases import scratch_database

GOAL_SECONDS = 0.200
GOAL_SQL_SECONDS = 0.020
LAST_PAGE = 200
NEXT_TO_CALL = "next to call"
CLAIMS = 50
ESTIMATE = "estimated performance"
GOAL_ESTIMATE_SECONDS = 2.0
USER = "bench"


@dataclass(frozen=True)
class Sizes:
    rows: int = 1_000_000
    rounds: int = 5
    stock_rounds: int = 2  # each takes seconds


FULL = Sizes()
QUICK = Sizes(rows=2_000, rounds=1, stock_rounds=1)


@dataclass(frozen=True)
class Page:
    """A page of ours and what comes nearest to it in the stock admin, where there is such a thing."""

    name: str
    query: Mapping[str, str]
    stock: Mapping[str, str] | None = None
    is_judged: bool = True


def pages(sizes: Sizes) -> Iterator[Page]:
    customer = portfolio.a_customer()
    last = str(min(LAST_PAGE, sizes.rows // 50))
    rising = {"o": column("risk")}
    yield Page("default page", {}, {})
    yield Page("risk rising", rising, {"o": "3"})
    yield Page(f"page {last}", {"p": last}, {"p": last})
    yield Page(f"page {last}, risk rising", {"p": last, **rising}, {"p": last, "o": "3"})
    yield Page("search by id", {"q": str(customer.pk)}, {"q": str(customer.pk)})
    yield Page("search by surname", {"q": customer.surname}, {"q": customer.surname})
    yield Page("search by three letters", {"q": customer.surname[:3]}, {"q": customer.surname[:3]})
    narrowed = list(narrowed_pages(last))
    yield from narrowed
    yield Page("4 products, risk rising", {"num_of_products": "4", **rising}, {"num_of_products": "4", "o": "3"})
    yield from of_releases()
    yield from by_value(narrowed, last)


def column(name: str) -> str:
    """What the address calls the order by this column of the list, from its lowest."""
    from customers.admin.customer_list.list import CustomerList

    return str(CustomerList.list_display.index(name) + 1)


def narrowed_pages(last: str) -> Iterator[Page]:
    from customers.presentation.reasons import choices

    for name in ("critical", "high", "medium", "low"):
        yield Page(f"band {name}", {"band": name})
    for number, label in choices():
        yield Page(f"reason {label}", {"reason": number})
    for name in ("current", "stale", "set_aside", "not_scored"):
        yield Page(f"freshness {name}", {"freshness": name})
    for name in ("Spain", "Germany"):
        yield Page(f"country {name}", {"geography__exact": name}, {"geography__exact": name})
    yield Page("active", {"is_active_member__exact": "1"}, {"is_active_member__exact": "1"})
    for count in ("1", "2", "3", "4"):
        yield Page(f"{count} products", {"num_of_products": count}, {"num_of_products": count})
    yield Page("without card", {"has_cr_card__exact": "0"}, {"has_cr_card__exact": "0"})
    for name in ("rose", "newly_critical"):
        yield Page(f"change {name}", {"change": name})
    for name in ("due", "not_lately", "mine"):
        yield Page(f"contact {name}", {"contact": name})
    spanish = {"geography__exact": "Spain", "is_active_member__exact": "0"}
    yield Page("Spain, inactive", spanish, spanish)
    yield Page(f"Spain, inactive, page {last}", {**spanish, "p": last}, {**spanish, "p": last}, is_judged=False)
    yield Page("Spain, inactive, critical", {**spanish, "band": "critical"}, is_judged=False)


def by_value(narrowed: Iterable[Page], last: str) -> Iterator[Page]:
    """The list in the order of value at risk, both ways round; and all that narrows it down, highest first.

    A main reason that few have is far down in that order: its pages are told, and not judged.
    """
    for order, name in ((f"-{column('value')}", "value falling"), (column("value"), "value rising")):
        yield Page(name, {"o": order}, {"o": "-3"})
        yield Page(f"page {last}, {name}", {"o": order, "p": last}, {"o": "-3", "p": last})
    for page in narrowed:
        yield Page(
            f"{page.name}, by value",
            {**page.query, "o": f"-{column('value')}"},
            is_judged=page.is_judged and "reason" not in page.query,
        )


def of_releases() -> Iterator[Page]:
    from customers.models import ModelRelease

    active, *former = ModelRelease.objects.order_by("-id").values_list("id", flat=True)
    yield Page("model active", {"release": str(active)}, {"scored_by__id__exact": str(active)})
    for number in former[:1]:
        yield Page("model former", {"release": str(number)}, {"scored_by__id__exact": str(number)})


def measure(client: Any, page: Page, sizes: Sizes) -> Iterator[Figure]:
    ours = median_visit([visit(client, LIST, page.query) for _ in range(sizes.rounds + 1)][1:])
    stock = None
    if page.stock is not None:
        stock = median_visit([visit(client, STOCK_LIST, page.stock) for _ in range(sizes.stock_rounds)])
    yield figure(f"{page.name}, server", ours.seconds, stock and stock.seconds, GOAL_SECONDS, page, ours)
    yield figure(f"{page.name}, SQL", ours.sql_seconds, stock and stock.sql_seconds, GOAL_SQL_SECONDS, page, ours)


def figure(what: str, ours: float, stock: float | None, goal: float, page: Page, seen: Visit) -> Figure:
    """The ratio is that to the goal; the stock admin's figure stands beside. No page is no success."""
    ratio = ours / goal if seen.is_answered else float("nan")
    beside = "none" if stock is None else milliseconds(stock)
    told = Figure(f"{what} / {goal * 1000:.0f} ms", milliseconds(ours), beside, ratio, at_most=1)
    return told if page.is_judged else replace(told, at_most=None)


def main() -> int:
    options = parse()
    sizes = QUICK if options.quick else FULL
    if options.rows:
        sizes = replace(sizes, rows=options.rows)
    say(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores, {sizes.rows:,} customers; beside: the stock admin")
    say(HEADING)
    with scratch_database(f"vigilpay_bench_{os.getpid()}") as url, started_django(url, sizes.rows):
        client = prepared(url, sizes)
        wanted = [page for page in pages(sizes) if not options.only or options.only in page.name]
        figures = [figure for page in wanted for figure in printed_pair(client, page, sizes)]
        for name, others in ((NEXT_TO_CALL, next_to_call), (ESTIMATE, estimated_performance)):
            if not options.only or options.only in name:
                figures += [printed(others(sizes))]
    say(f"load at the end {os.getloadavg()[0]:.1f}")
    return concluded(figures)


def next_to_call(sizes: Sizes) -> Figure:
    """An agent takes on one customer after another: the claim alone, without the page of the customer."""
    from customers.outreach import worklist

    claimed: set[int | None] = set()
    claims = CLAIMS + 1 if sizes is FULL else 2
    spent = [seconds(lambda: claimed.add(worklist.claim_next(USER))) for _ in range(claims)][1:]
    told = beside_goal(f"{NEXT_TO_CALL} / {GOAL_SECONDS * 1000:.0f} ms", spent, GOAL_SECONDS)
    return told if None not in claimed and len(claimed) == claims else replace(told, ratio=float("nan"))


def estimated_performance(sizes: Sizes) -> Figure:
    """What ``manage.py estimate_performance`` computes of all scores."""
    from customers.monitoring import estimation

    spent = [seconds(estimation.estimate) for _ in range(sizes.rounds)]
    return beside_goal(f"{ESTIMATE} / {GOAL_ESTIMATE_SECONDS:.0f} s", spent, GOAL_ESTIMATE_SECONDS)


def beside_goal(what: str, spent: Sequence[float], goal: float) -> Figure:
    ours = statistics.median(spent)
    return Figure(what, milliseconds(ours), "none", ours / goal, at_most=1)


def printed(one: Figure) -> Figure:
    say(str(one))
    return one


def printed_pair(client: Any, page: Page, sizes: Sizes) -> Iterator[Figure]:
    for one in measure(client, page, sizes):
        yield printed(one)


def prepared(url: str, sizes: Sizes) -> Any:
    """A portfolio to look at and a user who is logged in."""
    from django.conf import settings

    from customers.releases.active import active_model
    from tests.benchmarks.admin import stock
    from tests.staff import superuser

    active_model()
    portfolio.score_all()
    portfolio.lived_in(url, sizes.rows)
    portfolio.worked_on(url, USER)
    routes = ModuleType("bench_urls")
    routes.urlpatterns = stock.urlpatterns()
    settings.ROOT_URLCONF = routes
    settings.ALLOWED_HOSTS = ["testserver"]
    settings.OPEN_ADDRESSES = ["stock:customers_customer_changelist"]  # which no rule of ours knows
    return superuser(USER)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests.benchmarks.admin", description=__doc__)
    parser.add_argument("--only", help="pages whose name has this in it")
    parser.add_argument("--rows", type=int, help=f"customers, instead of {FULL.rows:,}")
    parser.add_argument("--quick", action="store_true", help="see that figures come out; they mean nothing")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
