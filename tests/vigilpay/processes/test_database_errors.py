"""What a database error says: its first sentence, and nothing of the row."""

import io
import logging
import traceback

import psycopg
import pytest
from django.db import DatabaseError, connection, transaction

from tests.factories import make_customer
from tests.others import outsider
from tests.staff import superuser

SURNAME = "Zweifelhofer"


@pytest.fixture
def banks_check(db):
    """As a bank has one: PostgreSQL's answer quotes the whole row."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE customers_customer ADD CONSTRAINT bank_age CHECK (age < 90) NOT VALID")


@pytest.fixture
def banks_trigger(db):
    with connection.cursor() as cursor:
        cursor.execute("""
            CREATE FUNCTION bank_refuses() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                RAISE EXCEPTION 'not on this day' USING DETAIL = NEW.surname, HINT = NEW.surname;
            END $$;
            CREATE TRIGGER bank_refuses BEFORE UPDATE ON customers_customer
            FOR EACH ROW EXECUTE FUNCTION bank_refuses()""")


def told(error):
    """All that any formatter would show, causes and contexts included."""
    return "".join(traceback.format_exception(error))


def refused(statement, *values):
    with pytest.raises(DatabaseError) as raised, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, values)
    return raised.value


@pytest.mark.usefixtures("banks_check")
def test_a_check_of_the_banks_says_which_and_not_for_whom():
    customer = make_customer(surname=SURNAME, age=40)
    error = refused("UPDATE customers_customer SET age = 91 WHERE customer_id = %s", customer.pk)
    assert "bank_age" in str(error)
    assert SURNAME not in told(error)
    assert "DETAIL" not in told(error)
    assert SURNAME in error.__cause__.diag.message_detail  # for code that asks for it


@pytest.mark.usefixtures("banks_trigger")
def test_what_a_trigger_raises_is_cut_to_its_sentence():
    customer = make_customer(surname=SURNAME)
    error = refused("UPDATE customers_customer SET age = 41 WHERE customer_id = %s", customer.pk)
    assert str(error) == "not on this day"
    assert SURNAME not in told(error)


@pytest.mark.django_db
def test_the_statement_itself_is_not_quoted():
    error = refused("SELECT %s, no_such_function(1)", SURNAME)
    assert "no_such_function" in str(error)
    assert SURNAME not in told(error)


@pytest.mark.django_db(transaction=True)
def test_neither_does_copy_quote_a_line_nor_a_commit_a_key():
    with outsider(autocommit=False) as plain:
        plain.execute("CREATE TEMPORARY TABLE bank (age int, surname text UNIQUE DEFERRABLE INITIALLY DEFERRED)")
        with pytest.raises(psycopg.DataError) as copied, plain.cursor().copy("COPY bank FROM STDIN") as copy:
            copy.write(f"40\t{SURNAME}\textra\n")
        plain.rollback()
        plain.execute("CREATE TEMPORARY TABLE bank (age int, surname text UNIQUE DEFERRABLE INITIALLY DEFERRED)")
        plain.execute("INSERT INTO bank VALUES (1, %(name)s), (2, %(name)s)", {"name": SURNAME})
        with pytest.raises(psycopg.IntegrityError) as committed:
            plain.commit()
    assert str(committed.value).startswith("duplicate key value")
    assert SURNAME not in told(copied.value) + told(committed.value)


@pytest.mark.usefixtures("banks_check")
def test_a_save_in_the_admin_that_the_bank_refuses_leaves_no_surname_in_the_log(caplog):
    customer = make_customer(surname=SURNAME, age=40)
    staff = superuser()
    staff.raise_request_exception = False
    page = f"/admin/customers/customer/{customer.pk}/change/"
    form = staff.get(page).context["adminform"].form.initial
    form = {name: value for name, value in form.items() if value not in (None, False)}
    assert staff.post(page, {**form, "age": 91}).status_code == 500
    logged = as_logged(caplog.records)
    assert "bank_age" in logged
    assert "Traceback" in logged
    assert SURNAME not in logged


def as_logged(records):
    """As it stands in the log."""
    [handler] = [handler for handler in logging.getLogger().handlers if handler.get_name() == "console"]
    shown = io.StringIO()
    for record in records:
        if handler.filter(record):
            shown.write(handler.format(record) + "\n")
    return shown.getvalue()
