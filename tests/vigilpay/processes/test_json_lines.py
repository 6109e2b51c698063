"""One object a line, with what a machine looks for and nothing of a customer but the id."""

import json
import logging
import sys

import pytest
from django.db import IntegrityError, connection, transaction

from tests.factories import A_CUSTOMER
from vigilpay.processes.json_lines import JsonLines


def line(message="said", *args, exc_info=None, **context):
    record = logging.LogRecord("vigilpay.events", logging.WARNING, "file.py", 7, message, args, exc_info)
    record.__dict__.update(context)
    return JsonLines().format(record)


def test_it_has_time_level_logger_and_message():
    found = json.loads(line("%s customers", 3))
    assert found.pop("time").endswith("+00:00")
    assert found == {"level": "WARNING", "logger": "vigilpay.events", "message": "3 customers"}


def test_ids_are_there_where_they_are_known():
    found = json.loads(line(request_id="r1", job_id="", job="", customer_id="7"))
    assert (found["request_id"], found["customer_id"]) == ("r1", "7")
    assert "job" not in found


@pytest.mark.parametrize("text", ["a\nb", "a\rb", "a\x1b[2J", "a\u2028b", 'a"}\n{"level": "x'])
def test_no_value_begins_a_line_or_moves_a_terminal(text):
    written = line("name: %s", text)
    assert written.isascii()
    assert written.isprintable()
    assert json.loads(written)["message"] == f"name: {text}"


@pytest.mark.django_db
def test_an_error_of_the_database_tells_where_and_not_of_whom():
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            columns = ", ".join(A_CUSTOMER)
            cursor.execute(
                f"INSERT INTO customers_customer (customer_id, surname, {columns}) "
                f"SELECT 77, 'Unmistakable', {', '.join(['%s'] * len(A_CUSTOMER))}",
                [*{**A_CUSTOMER, "age": -8_500}.values()],
            )
    except IntegrityError:
        found = json.loads(line("failed", exc_info=sys.exc_info()))
    assert "IntegrityError" in found["exception"]
    assert "test_json_lines.py" in found["exception"]
    assert "Unmistakable" not in found["exception"]
    assert "8500" not in found["exception"]
