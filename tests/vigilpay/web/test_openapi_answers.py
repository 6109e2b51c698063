"""Requests of all kinds, made up by schemathesis from the OpenAPI document: every answer is one that it describes."""

import hypothesis
import pytest
import schemathesis
from django.test import Client
from schemathesis.config import (
    ChecksConfig,
    GenerationConfig,
    PositiveDataAcceptanceConfig,
    ProjectConfig,
    ProjectsConfig,
    SchemathesisConfig,
)

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
                checks=ChecksConfig(positive_data_acceptance=PositiveDataAcceptanceConfig(expected_statuses=TAKEN)),
                generation=GenerationConfig(
                    max_examples=50, deterministic=True, no_shrink=True, with_security_parameters=False
                ),
            )
        )
    ),
)
schema.app = application


@pytest.fixture
def session(db, settings):
    """The headers of a user who may do everything, where a login is asked for; and a few customers."""
    settings.API_LOGIN_REQUIRED = True
    first, *_others = make_customers(20)
    scorer.rescore_batch()
    edit(first, age=71)
    client: Client = superuser()
    token = "a" * 32
    cookies = {settings.SESSION_COOKIE_NAME: client.cookies[settings.SESSION_COOKIE_NAME].value, "csrftoken": token}
    return {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items()), "X-CSRFToken": token}


# All requests meet the same customers, whom they do no harm.
@schema.parametrize()
@hypothesis.settings(suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture])
def test_every_answer_is_described(case, session):
    case.call_and_validate(headers=session)
