"""Log lines say which request, job and customer they are about."""

import json
import logging
import os
import subprocess
import sys

import pytest
from django.conf import settings as configured
from django.urls import resolve

from tests.factories import make_scored
from tests.staff import superuser
from vigilpay.web import log_context, request_id
from vigilpay.web.log_context import LogContext, customer_of


def context_of(record=None):
    record = record or logging.LogRecord("vigilpay", logging.INFO, "file.py", 1, "text", (), None)
    assert LogContext().filter(record)
    return record.request_id, record.job_id, record.job, record.customer_id


def test_outside_of_all_there_is_nothing():
    assert context_of() == ("", "", "", "")


def test_a_request_is_known_by_its_id(monkeypatch):
    monkeypatch.setattr(request_id, "current", lambda: "r1")
    assert context_of()[0] == "r1"


def test_a_job_is_known_by_id_and_function_until_it_ends():
    log_context.begin_job({"id": "j1", "func": "events.jobs.rescore_stale"}, sender="django_q", func=None)
    assert context_of()[1:3] == ("j1", "events.jobs.rescore_stale")
    log_context.begin_job({"id": "j2", "func": make_scored})
    assert context_of()[1:3] == ("j2", "make_scored")
    log_context.end_job(sender="django_q", task={})
    assert context_of()[1:3] == ("", "")


def test_what_a_line_says_itself_comes_first():
    record = logging.LogRecord("vigilpay", logging.INFO, "file.py", 1, "text", (), None)
    record.customer_id = 7
    assert context_of(record)[3] == 7


@pytest.mark.parametrize(
    ("address", "customer"),
    [
        ("/customers/analyze/16000001/", "16000001"),
        ("/customers/history/5/", "5"),
        ("/admin/customers/customer/5/change/", "5"),
        ("/admin/customers/customer/O'Neill/change/", ""),
        ("/admin/customers/modelrelease/5/change/", ""),
        ("/events/freshness/", ""),
    ],
)
def test_a_customer_is_known_by_the_address(address, customer):
    assert customer_of(resolve(address)) == customer


@pytest.mark.django_db
def test_the_customer_is_in_what_is_logged_while_a_request_is_answered(monkeypatch):
    seen = []
    monkeypatch.setattr("customers.scoring.scorer.analyze", lambda pk: seen.append(context_of()[3]) or 0.5)
    superuser().get("/customers/analyze/77/")
    assert seen == ["77"]
    assert context_of()[3] == ""


LOG = """
import logging
logging.getLogger("vigilpay.events").warning("of customer %s", 7, extra={"customer_id": 7})
"""


@pytest.mark.process
def test_every_line_of_a_program_is_json_where_the_setting_says_so():
    told = {**os.environ, "VIGILPAY_LOG_FORMAT": "json"}
    command = [sys.executable, "manage.py", "shell", "--no-imports", "-c", LOG]
    done = subprocess.run(command, cwd=configured.BASE_DIR, env=told, capture_output=True, text=True, check=True)
    [line] = map(json.loads, done.stderr.splitlines())
    assert (line["message"], line["customer_id"]) == ("of customer 7", 7)
