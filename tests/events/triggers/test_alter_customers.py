"""A watched column gets another type, and nothing is missed: not even in sessions that were there before."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from customers.models import Customer
from customers.scoring import scorer
from events.triggers.installation import differences
from tests.factories import make_customer, make_scored
from tests.others import outsider

EDIT = "UPDATE customers_customer SET age = age + 1, balance = balance + 1 WHERE customer_id = %s"
TYPE = """
SELECT format_type(atttypid, atttypmod) FROM pg_attribute
WHERE attrelid = 'customers_customer'::regclass AND attname = %s
"""


@pytest.fixture
def types_as_before():
    yield
    call_command("alter_customers", "ALTER balance TYPE numeric(15, 2), ALTER age TYPE smallint", stdout=StringIO())


def type_of(column):
    with connection.cursor() as cursor:
        cursor.execute(TYPE, [column])
        return cursor.fetchone()[0]


@pytest.mark.django_db(transaction=True)
def test_edits_of_sessions_old_and_new_are_stamped_marked_and_scored(types_as_before):
    customer = make_scored(age=40)
    with outsider() as editor:
        editor.execute(EDIT, [customer.pk])
        editor.execute(EDIT, [customer.pk])  # twice, so that all of the functions have been at work
        call_command("alter_customers", "ALTER balance TYPE numeric(17, 3), ALTER age TYPE integer", stdout=StringIO())
        assert (type_of("balance"), type_of("age")) == ("numeric(17,3)", "integer")
        assert differences("default") == []
        version = Customer.objects.get(pk=customer.pk).version
        editor.execute(EDIT, [customer.pk])
        editor.execute(EDIT, [customer.pk])
        assert Customer.objects.get(pk=customer.pk).version == version + 2
        make_customer()
        assert scorer.rescore_batch().stored == 2


@pytest.mark.django_db
class TestRefusals:
    @pytest.mark.parametrize("action", ["ALTER balance TYPE date", "ALTER nowhere TYPE integer", "NONSENSE"])
    def test_what_postgresql_refuses_changes_nothing(self, action):
        with pytest.raises(CommandError, match="Nothing was changed"):
            call_command("alter_customers", action)
        assert differences("default") == []
        assert type_of("balance") == "numeric(15,2)"


@pytest.mark.django_db(transaction=True)
def test_an_open_edit_is_not_waited_for_long(monkeypatch):
    monkeypatch.setattr("events.management.commands.alter_customers.PATIENCE", "SET LOCAL lock_timeout TO '50ms'")
    customer = make_scored()
    with outsider(autocommit=False) as editor:
        editor.execute(EDIT, [customer.pk])
        with pytest.raises(CommandError, match="open edits lock the table"):
            call_command("alter_customers", "ALTER balance TYPE numeric(17, 3)")
