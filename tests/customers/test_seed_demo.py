"""Made-up customers in the database."""

import io

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from customers.management.commands.seed_demo import FIRST_ID, MOST
from customers.management.progress import TerminalProgress
from customers.models import Customer


def seed(*options):
    out = io.StringIO()
    call_command("seed_demo", *options, stdout=out)
    return out.getvalue().strip()


def customers():
    return list(Customer.objects.order_by("pk").values_list())


@pytest.mark.django_db
class TestSeeding:
    def test_as_many_customers_as_wanted_stale_and_with_a_name(self):
        assert seed("--customers=300") == "300 new, 0 changed, 0 unchanged"
        assert Customer.objects.count() == 300
        assert Customer.objects.stale().count() == 300
        assert not Customer.objects.filter(surname="").exists()
        assert sorted(Customer.objects.values_list("pk", flat=True)) == list(range(FIRST_ID, FIRST_ID + 300))

    def test_it_can_be_told_to_say_nothing(self):
        assert seed("--customers=30", "--verbosity=0") == ""

    def test_run_again_it_changes_nothing(self):
        seed("--customers=300")
        before = customers()
        assert seed("--customers=300") == "0 new, 0 changed, 300 unchanged"
        assert customers() == before

    def test_a_larger_number_adds_to_the_same_customers(self):
        seed("--customers=300")
        assert seed("--customers=400") == "100 new, 0 changed, 300 unchanged"

    def test_another_seed_gives_others_and_another_first_id_puts_them_elsewhere(self):
        seed("--customers=300")
        assert seed("--customers=300", "--seed=2", "--start-id=1") == "300 new, 0 changed, 0 unchanged"
        ages = list(Customer.objects.order_by("pk").values_list("age", flat=True))
        assert ages[:300] != ages[300:]

    def test_customers_that_were_edited_are_put_back(self):
        seed("--customers=300")
        Customer.objects.filter(pk=FIRST_ID).update(num_of_products=9)
        assert seed("--customers=300") == "0 new, 1 changed, 299 unchanged"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--customers=0"], f"--customers must be from 1 to {MOST}, not 0."),
        (["--customers=-5"], f"--customers must be from 1 to {MOST}, not -5."),
        (["--customers=10000000000"], f"--customers must be from 1 to {MOST}, not 10000000000."),
        (["--customers=5", "--seed=-1"], "--seed must be 0 or more, not -1."),
        (["--customers=5", "--start-id=0"], "--start-id must be from 1 to "),
        (["--customers=5", "--start-id=9223372036854775807"], "--start-id must be from 1 to 9223372036854775802"),
        (["--customers=many"], "invalid int value: 'many'"),
        ([], "required: --customers"),
    ],
)
def test_a_number_that_cannot_be_is_refused_in_one_sentence(options, said):
    with pytest.raises(CommandError) as caught:
        seed(*options)
    assert said in str(caught.value)
    assert caught.value.returncode == 1


@pytest.mark.django_db
def test_ctrl_c_while_customers_are_made_up_stores_none(monkeypatch):
    def interrupt(self, what, rows):
        assert (what, rows) == ("read", 10_000)
        raise KeyboardInterrupt

    monkeypatch.setattr(TerminalProgress, "__call__", interrupt)
    with pytest.raises(KeyboardInterrupt):
        seed("--customers=20000")
    assert not Customer.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_what_the_database_refuses_is_told_in_one_sentence():
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE customers_customer ADD CONSTRAINT house_rule CHECK (age < 20)")
    try:
        with pytest.raises(CommandError, match=r"^The import stopped after 0 rows.*house_rule"):
            seed("--customers=300")
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE customers_customer DROP CONSTRAINT house_rule")
