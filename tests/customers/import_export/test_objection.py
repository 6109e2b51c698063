"""Objections by file: recorded, withdrawn and left as they are; and no file that leaves the house names an objector."""

from datetime import UTC, datetime

import pytest
from django.db.models.functions import Now
from django.utils import timezone

from customers.import_export.csv_files.cells import CellError, check_objection
from customers.import_export.csv_files.columns import OBJECTED_NAMES
from customers.import_export.customers import import_file
from customers.import_export.export import csv_of
from customers.import_export.staging import NO_OBJECTION
from customers.import_export.training_file import read_labelled
from customers.models import Customer
from tests.factories import A_CUSTOMER, edit, make_scored

pytestmark = pytest.mark.django_db


def write(path, cells, name="ObjectedAt"):
    """A file of so many customers as A_CUSTOMER, with these cells of the column."""
    header = ["CustomerId", *A_CUSTOMER, name]
    values = [str(int(value) if isinstance(value, bool) else value) for value in A_CUSTOMER.values()]
    lines = [",".join([str(key), *values, cell]) for key, cell in cells.items()]
    path.write_text("\n".join([",".join(header), *lines]) + "\n")
    return path


@pytest.fixture
def load(tmp_path):
    return lambda cells, **more: import_file(write(tmp_path / "customers.csv", cells, **more))


def objections():
    return dict(Customer.objects.order_by("pk").values_list("pk", "objected_at"))


def test_new_customers_come_with_it_and_are_never_stale(load):
    assert load({1: "yes", 2: "no", 3: "", 4: "2026-03-31", 5: "2026-03-31T14:05:00+00:00"}).counts.new == 5
    found = objections()
    assert found[1] is not None
    assert (found[2], found[3]) == (None, None)
    assert timezone.localdate(found[4]).isoformat() == "2026-03-31"
    assert found[5] == datetime(2026, 3, 31, 14, 5, tzinfo=UTC)
    assert set(Customer.objects.stale().values_list("pk", flat=True)) == {2, 3}


def test_it_is_recorded_and_withdrawn_and_nothing_leaves_it_as_it_is(load):
    objecting, free, left, untold = (make_scored() for _ in range(4))
    for customer in (objecting, left):
        edit(customer, objected_at=Now())
    before = objections()
    report = load({objecting.pk: "no", free.pk: "1", left.pk: "", untold.pk: ""})
    assert (report.counts.changed, report.counts.unchanged) == (2, 2)
    after = objections()
    assert (after[objecting.pk], after[left.pk], after[untold.pk]) == (None, before[left.pk], None)
    assert after[free.pk] is not None
    assert Customer.objects.get(pk=free.pk).churn_risk_score is None
    assert list(Customer.objects.stale()) == [objecting]


def test_an_objection_that_stands_keeps_its_time_and_is_no_change(load):
    customer = make_scored()
    edit(customer, objected_at=Now())
    before = Customer.objects.values_list("objected_at", "version").get()
    assert load({customer.pk: "2026-03-31"}).counts.unchanged == 1
    assert load({customer.pk: "yes"}).counts.unchanged == 1
    assert Customer.objects.values_list("objected_at", "version").get() == before


@pytest.mark.parametrize("cell", ["", "yes", "2026-03-31"])
def test_where_another_value_changes_the_objection_and_its_time_stay(load, cell):
    customer = make_scored(age=55)
    edit(customer, objected_at=Now())
    before = objections()
    assert load({customer.pk: cell}).counts.changed == 1
    assert objections() == before
    assert Customer.objects.get(pk=customer.pk).age == A_CUSTOMER["age"]


def test_a_file_without_the_column_withdraws_nothing(load):
    customer = make_scored()
    edit(customer, objected_at=Now())
    assert load({customer.pk: "x"}, name="Remark").counts.unchanged == 1
    assert objections()[customer.pk] is not None


@pytest.mark.parametrize("name", OBJECTED_NAMES)
def test_the_column_may_have_each_of_its_names(load, name):
    load({1: "yes"}, name=name)
    assert objections()[1] is not None


@pytest.mark.parametrize("cell", ["maybe", "2026-13-01", "2", "31.03.2026"])
def test_what_is_neither_is_rejected(load, cell):
    report = load({1: cell, 2: "no"})
    assert (report.rejects.rows, list(objections())) == (1, [2])


def test_a_time_to_come_is_rejected():
    with pytest.raises(CellError, match="future"):
        check_objection("2999-01-01")
    with pytest.raises(CellError, match="past"):
        check_objection("0001-01-01")
    assert check_objection("No") == NO_OBJECTION
    assert check_objection("n/a") is None


def test_an_export_leaves_out_those_who_have_objected_even_while_it_is_written(monkeypatch):
    objector, late, other = (make_scored() for _ in range(3))
    edit(objector, objected_at=Now())
    lines = csv_of(Customer.objects.all())
    next(lines)
    real_read = Customer.objects.not_objected

    def object_first():
        Customer.objects.filter(pk=late.pk).update(objected_at=Now())
        return real_read()

    monkeypatch.setattr(Customer.objects, "not_objected", object_first, raising=False)
    text = "".join(lines)
    assert [line.partition(",")[0] for line in text.splitlines()] == [str(other.pk)]


def test_nothing_is_learned_from_those_who_have_objected_by_the_file_or_by_the_database(tmp_path):
    path = tmp_path / "training.csv"
    values = [str(int(value) if isinstance(value, bool) else value) for value in A_CUSTOMER.values()]
    lines = [",".join([str(key), *values, str(key % 2), "yes" if key < 4 else ""]) for key in range(1, 31)]
    path.write_text("\n".join([",".join(["CustomerId", *A_CUSTOMER, "Exited", "objected"]), *lines]) + "\n")
    file = read_labelled(path, objected={4, 5, 99})
    assert (len(file.data.rows), file.objected) == (25, 5)
