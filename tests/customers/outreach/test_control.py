"""The control group: the same in SQL and Python, of the right size, and fixed for good."""

from math import sqrt

import pytest
from django.core.management import call_command
from django.db import IntegrityError, transaction

from customers.checks import control_group_is_the_one_that_was_fixed
from customers.models import ControlGroup
from customers.outreach.control import IN_CONTROL, control_group, control_values, is_in_control
from customers.sql import fetch_rows

pytestmark = pytest.mark.django_db

IDS = 10_000
SEED = 8_765_432_109_876_543_210  # as large as seeds become


def in_control_by_sql(group):
    rows = fetch_rows(
        f"SELECT customer_id FROM generate_series(1, %(ids)s) AS customer (customer_id) WHERE {IN_CONTROL}",
        {"ids": IDS, **control_values(group)},
    )
    return {customer_id for (customer_id,) in rows}


@pytest.mark.parametrize("share", [0.01, 0.1, 0.499])
def test_sql_and_python_agree_on_every_customer_and_the_share_is_right(share):
    group = ControlGroup.objects.create(seed=SEED, share=share)
    found = in_control_by_sql(group)
    assert found == {customer_id for customer_id in range(1, IDS + 1) if is_in_control(customer_id, group)}
    assert abs(len(found) - IDS * share) < 4 * sqrt(IDS * share * (1 - share))


def test_another_seed_is_another_group():
    one, other = ControlGroup(seed=1, share=0.5), ControlGroup(seed=2, share=0.5)
    differing = sum(is_in_control(it, one) != is_in_control(it, other) for it in range(IDS))
    assert 0.45 * IDS < differing < 0.55 * IDS


def test_without_a_group_no_customer_is_in_it(settings):
    settings.CONTROL_SHARE = 0.0
    assert control_group() is None
    assert not ControlGroup.objects.exists()
    assert in_control_by_sql(None) == set()
    assert not any(is_in_control(it, None) for it in range(100))


class TestFixed:
    def test_migrate_fixes_it_once_and_no_setting_changes_it(self, settings):
        settings.CONTROL_SHARE = 0.1
        call_command("migrate", verbosity=0)
        first = ControlGroup.objects.get()
        assert first.share == 0.1
        settings.CONTROL_SHARE = 0.2
        call_command("migrate", verbosity=0)
        assert (control_group().seed, control_group().share) == (first.seed, 0.1)

    def test_so_does_first_use(self, settings):
        settings.CONTROL_SHARE = 0.05
        assert control_group().share == 0.05
        assert control_group().seed == ControlGroup.objects.get().seed

    def test_there_is_one_row(self):
        ControlGroup.objects.create(seed=1, share=0.1)
        with pytest.raises(IntegrityError), transaction.atomic():
            ControlGroup.objects.create(id=2, seed=1, share=0.1)


class TestCheck:
    def warnings(self):
        return control_group_is_the_one_that_was_fixed(databases=["default"])

    def test_a_differing_setting_is_a_warning_that_says_what_to_set(self, settings):
        settings.CONTROL_SHARE = 0.1
        control_group()
        assert self.warnings() == []
        settings.CONTROL_SHARE = 0.0
        [warning] = self.warnings()
        assert warning.id == "customers.W004"
        assert warning.msg == (
            "VIGILPAY_CONTROL_SHARE is 0, but the control group was fixed at 0.1 and does not change."
        )
        assert warning.hint == "Set VIGILPAY_CONTROL_SHARE=0.1."

    def test_without_a_group_there_is_none(self, settings):
        settings.CONTROL_SHARE = 0.1
        assert self.warnings() == []
