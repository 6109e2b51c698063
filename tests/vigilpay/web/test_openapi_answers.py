"""Requests of all kinds, made up by schemathesis from the OpenAPI document: every answer is one that it describes."""

import hypothesis
import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from django.test import Client
from schemathesis.config import (
    ChecksConfig,
    GenerationConfig,
    PositiveDataAcceptanceConfig,
    ProjectConfig,
    ProjectsConfig,
    SchemathesisConfig,
    SimpleCheckConfig,
)

from customers.ml_service.schema import LONGEST_WORD
from customers.models import Customer
from customers.scoring import scorer
from tests.factories import edit, make_customers
from tests.staff import superuser
from vigilpay.web.openapi import document
from vigilpay.wsgi import application

# A position may be well formed and of no database.
TAKEN = ["2xx", "401", "403", "404", "409", "410", "5xx"]
schema = schemathesis.openapi.from_dict(
    document(),
    config=SchemathesisConfig(
        projects=ProjectsConfig(
            default=ProjectConfig(
                checks=ChecksConfig(
                    positive_data_acceptance=PositiveDataAcceptanceConfig(expected_statuses=TAKEN),
                    ignored_auth=SimpleCheckConfig(enabled=False),  # all of these have a login: who is let in elsewhere
                ),
                generation=GenerationConfig(
                    max_examples=50, deterministic=True, no_shrink=True, with_security_parameters=False
                ),
            )
        )
    ),
)
schema.app = application


CUSTOMERS = 20
KNOWN = {"geography": "Spain", "gender": "Female"}


def say_what_no_document_can(case):
    """Which customers there are, which positions are of which order, and which words the active model knows."""
    number = (case.path_parameters or {}).get("customer_id")
    if isinstance(number, int) and number > 0 and number % 2:
        case.path_parameters["customer_id"] = Customer.objects.values_list("pk", flat=True)[number % CUSTOMERS]
    if case.path == "/customers/at-risk/" and "after" in case.query:
        case.query["order"] = "value" if str(case.query["after"]).startswith("value") else "risk"
    for values in (case.body.get("customer"), case.body.get("changes")) if isinstance(case.body, dict) else ():
        if isinstance(values, dict):
            values.update({name: word for name, word in KNOWN.items() if is_allowed(values.get(name))})


def is_allowed(word):
    return isinstance(word, str) and 0 < len(word.strip()) <= LONGEST_WORD


@pytest.fixture
def session(db, settings):
    """How a user who may do everything sends requests, where a login is asked for; and a few customers."""
    settings.API_LOGIN_REQUIRED = True
    first, *_others = make_customers(CUSTOMERS)
    scorer.rescore_batch()
    edit(first, age=71)
    client: Client = superuser()
    token = "a" * 32
    # As Django's own test client does: else the first request closes the connection, and the rest meet no session.
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    cookies = {settings.SESSION_COOKIE_NAME: client.cookies[settings.SESSION_COOKIE_NAME].value, "csrftoken": token}
    yield {"headers": {"X-CSRFToken": token}, "cookies": cookies}
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


# All requests meet the same customers, whom they do no harm.
@schema.parametrize()
@hypothesis.settings(suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture])
def test_every_answer_is_described(case, session):
    say_what_no_document_can(case)
    case.call_and_validate(**session)
