"""The brief's own session, line by line."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.factories import make_customer

ROOT = Path(__file__).resolve().parents[2]

DATA = (
    "{'credit_score': 600, 'geography': 'France', 'gender': 'Male', 'age': 40, 'tenure': 3, 'balance': 50000, "
    "'num_of_products': 1, 'has_cr_card': 1, 'is_active_member': 0}"
)


@pytest.mark.django_db
def test_the_shell_session_of_the_brief():
    make_customer(customer_id=1)

    from customers.ml_service import predict_churn

    score = predict_churn(eval(DATA))
    assert type(score) is float
    assert 0 <= score <= 1

    from django.test import RequestFactory

    from customers.views import analyze_customer

    response = analyze_customer(RequestFactory().get("/customers/analyze/1/"), customer_id=1)
    answer = json.loads(response.content)
    assert list(answer) == ["customer_id", "churn_risk_score"]
    assert answer["customer_id"] == 1

    from customers.models import Customer

    assert Customer.objects.get(customer_id=1).churn_risk_score == answer["churn_risk_score"]
    assert answer["churn_risk_score"] == pytest.approx(score, abs=1e-12)  # the same nine values


def test_predict_churn_needs_no_django(tmp_path):
    code = f"""
import sys
from customers.ml_service import predict_churn
print(predict_churn({DATA}), "django" in sys.modules)
"""
    elsewhere = {"cwd": tmp_path, "env": {"PYTHONPATH": str(ROOT)}}
    said = subprocess.check_output([sys.executable, "-c", code], text=True, **elsewhere)
    score, django_was_imported = said.split()
    assert 0 <= float(score) <= 1
    assert django_was_imported == "False"


@pytest.mark.django_db
def test_the_address_of_the_brief_gives_the_same(client):
    make_customer(customer_id=1)
    answer = client.get("/customers/analyze/1/").json()
    assert answer == {"customer_id": 1, "churn_risk_score": pytest.approx(answer["churn_risk_score"])}
    assert 0 <= answer["churn_risk_score"] <= 1
