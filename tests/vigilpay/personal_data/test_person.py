"""How a customer is known in texts, in rows of files, and in what jobs left behind."""

import os
from base64 import b64encode
from pickle import dumps

import pytest
from django.db import connection
from django.utils import timezone
from django_q.models import Failure

from vigilpay.personal_data.person import Person
from vigilpay.personal_data.traces import forget_jobs, is_in_pickle

PERSON = Person(5, "O'Neil")
COLUMNS = {"customer_id": 1, "surname": 2}


@pytest.mark.parametrize("text", ["customer 5: odd", "5", "ids 4,5,6", "Mr o'neil called", "(O'Neil)"])
def test_texts_that_name_the_customer(text):
    assert PERSON.is_in_text(text)


@pytest.mark.parametrize("text", ["customer 55", "15", "O'Neill", "", "five", "0.25"])
def test_texts_that_do_not(text):
    assert not PERSON.is_in_text(text)


@pytest.mark.parametrize("cell", ["5", " 5 ", "005", "5.0", "5."])
def test_cells_that_the_import_reads_as_the_id(cell):
    assert PERSON.is_in_row(["1", cell, "Else"], COLUMNS)


@pytest.mark.parametrize(
    ("cells", "is_about"),
    [
        (["1", "6", "O'Neil"], False),  # a namesake
        (["1", "?", "O'NEIL "], True),  # without a readable id
        (["1", "", "Else"], False),
        (["5", "6", "Else"], False),  # another column
        (["1", "5"], True),  # of the wrong length: every cell counts
        (["1", "5.5", "Else"], False),
    ],
)
def test_rows(cells, is_about):
    assert PERSON.is_in_row(cells, COLUMNS) is is_about


def test_a_surname_that_looks_like_a_formula_is_known_as_the_rejects_file_writes_it():
    assert Person(5, "=May").is_in_row(["1", "?", "'=May"], COLUMNS)


def test_without_a_surname_the_id_alone_counts():
    assert not Person(5, "").is_in_row(["1", "?", ""], COLUMNS)
    assert not Person(5, "").is_in_text("")


@pytest.mark.parametrize(
    ("cells", "is_about"),
    [
        (["A-1", "", "Else"], True),
        (["A-1", "6", "Else"], True),
        (["A-10", "", "Else"], False),
        (["A-2", "", "O'Neil"], False),  # a namesake
        (["", "", "O'Neil"], True),
        (["A-1"], True),  # of the wrong length
    ],
)
def test_rows_of_files_with_external_ids(cells, is_about):
    columns = {"external_id": 0, "customer_id": 1, "surname": 2}
    assert Person(5, "O'Neil", "A-1").is_in_row(cells, columns) is is_about


class Attack:
    def __reduce__(self):
        return os.abort, ()


def test_what_a_job_left_is_read_and_never_loaded():
    def coded(value):
        return b64encode(dumps(value)).decode()

    assert is_in_pickle(coded({"customer": 5}), PERSON)
    assert is_in_pickle(coded("gives customer 5 another score"), PERSON)
    assert not is_in_pickle(coded([6, "customer 55", "x" * 5, None, 5.0]), PERSON)
    assert is_in_pickle(coded([Attack(), "O'Neil"]), PERSON)
    assert not is_in_pickle("no pickle at all", PERSON)
    assert is_in_pickle("no pickle, but of customer 5", PERSON)


@pytest.mark.django_db
def test_jobs_of_others_stay():
    jobs = {"a" * 32: "of customer 5", "b" * 32: "of customer 6"}
    for key, result in jobs.items():
        now = timezone.now()
        Failure.objects.create(id=key, func="math.sqrt", result=result, started=now, stopped=now, success=False)
    assert forget_jobs(PERSON) == 1
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM django_q_task")
        assert cursor.fetchall() == [("b" * 32,)]
