"""The bank gives its customers columns of its own, named as anything in our statements is named."""

import ast
import re
from io import StringIO
from pathlib import Path

import pytest
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import connection
from django.urls import reverse

from customers.history import timeline
from customers.import_export.export import csv_of
from customers.models import Customer, ScoreRecord, ScoringFailure
from customers.monitoring import audit, drift
from customers.releases import active
from customers.scoring import failures, marks, requests, scorer, writing
from events.freshness import queries
from events.overview import counting
from tests.customers.import_export.csv_files.texts import rows, write
from tests.factories import edit, make_customer, make_customers, make_scored, random_rows, refer_to

ROOT = Path(__file__).resolve().parents[3]
ROOMS = ("customers", "events", "vigilpay")
# Names that PostgreSQL keeps for itself in every table.
SYSTEM = {"ctid", "xmin", "xmax", "cmin", "cmax", "tableoid"}
SQL = re.compile(r"\b(SELECT|UPDATE|DELETE|INSERT|FROM|WHERE|JOIN|RETURNING|GROUP BY|COPY)\b")
# Those of the issue, whether or not a statement of today uses them.
NAMED = {"previous_score", "was_stale_since", "contribution_age", "reason_0", "slice", "edited", "release", "first_id"}


def our_words():
    """Every word in the statements of our files that a column could have as its name."""
    files = [path for room in ROOMS for path in (ROOT / room).rglob("*.py") if "migrations" not in path.parts]
    texts = [node.value for path in files for node in ast.walk(ast.parse(path.read_text())) if is_text(node)]
    statements = [text for text in texts if SQL.search(text)]
    words = {word for text in statements for word in re.findall(r"\b[a-z_][a-z0-9_]{0,62}\b", text)}
    return words | {*writing.CONTRIBUTIONS, *writing.REASONS, *NAMED}


def is_text(node):
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


@pytest.fixture
def crowded(db):
    """``customers_customer`` with a column of the bank's for every word."""
    new = sorted(our_words() - {field.column for field in Customer._meta.fields} - SYSTEM)
    assert 300 < len(new) < 1500, len(new)  # a table holds 1,600 columns
    columns = ", ".join(f'ADD COLUMN "{name}" text' for name in new)
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE customers_customer {columns}")


def test_an_edit_is_scored_with_its_history(crowded):
    customer = make_scored()
    edit(customer, age=77)
    edit(customer, age=78)
    assert scorer.rescore_batch().stored == 1
    customer.refresh_from_db()
    assert customer.is_current()
    assert ScoreRecord.objects.filter(customer_id=customer.pk).count() == 2
    (_created, edited) = timeline.read_history(customer.pk)
    assert [change.after for change in edited.edits[-1].changes] == [78]
    assert audit.audit([customer.pk]).wrong == 0


def test_all_that_reads_customers_reads_them(crowded):
    for age in range(30, 35):
        make_scored(age=age)
    waiting = make_customers(3)
    _, release = active.active_model()
    with connection.cursor() as cursor:
        failures.record(cursor, [failures.Refusal(waiting[0].pk, 1, "It would not.")], release)
    assert queries.freshness().stale_count == 3
    assert counting.count_now()
    refer_to(random_rows(200, seed=1))
    assert drift.check().customers == 8
    assert len("".join(csv_of(Customer.objects.all())).splitlines()) == 9
    assert marks.count_unmarked(release) == 0
    assert Customer.objects.filter(marks.where_stale_ones_are()).count() >= 3


def test_what_staff_ask_for_is_done(crowded):
    scored, waiting = make_scored(), make_customer()
    assert requests.request_rescoring(Customer.objects.filter(pk=scored.pk)) == 1
    assert requests.give_up(Customer.objects.filter(pk=waiting.pk), "asked") == 1
    assert requests.requeue(Customer.objects.filter(pk=waiting.pk)) == 1
    marks.restore_marks()
    marks.mark_all()
    assert sum(scorer.rescore_batch().stored for _ in range(4)) == 2
    assert ScoreRecord.objects.filter(customer_id=scored.pk, cause=ScoreRecord.Cause.ANALYZE).count() == 2
    assert not ScoringFailure.objects.exists()


@pytest.mark.parametrize(
    "command",
    [["check", "--database", "default"], ["freshness"], ["history", "1"], ["dead_letters"], ["audit_scores", "--all"],
     ["release_model", "--status"], ["prune_history", "--dry-run"]],
)  # fmt: skip
def test_commands(crowded, command):
    make_scored(customer_id=1)
    call_command(*command, stdout=StringIO())


def test_an_import(crowded, tmp_path):
    call_command("import_customers", str(write(tmp_path / "a.csv", *rows(3))), stdout=StringIO())
    assert Customer.objects.count() == 3


def test_a_release(crowded, assets, another_forest):
    make_scored()
    for release in ([str(another_forest), "--yes"], ["--rollback"]):
        call_command("release_model", *release, stdout=StringIO())
        assert sum(scorer.rescore_batch().stored for _ in range(2)) == 1


@pytest.mark.parametrize("query", ["", "?o=-3", "?band=high", "?q=1", "?stale=yes"])
def test_pages_of_the_admin(crowded, client, query):
    make_scored(customer_id=1)
    make_customers(2)
    client.force_login(get_user_model().objects.create_superuser("staff"))
    page = client.get(reverse("admin:customers_customer_changelist") + query, follow=True)
    assert page.status_code == 200
    assert client.get(reverse("admin:customers_customer_change", args=[1])).status_code == 200
    assert client.get(reverse("admin:index")).status_code == 200
    assert client.get("/customers/analyze/1/").status_code == 200
