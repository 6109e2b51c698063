"""Deployments that must not start do not start."""

import pytest
from django.core.management import call_command
from django.core.management.base import SystemCheckError

from vigilpay.checks import production_asks_for_login


def test_production_without_a_login_is_an_error(settings):
    settings.PRODUCTION, settings.API_LOGIN_REQUIRED = True, False
    [error] = production_asks_for_login()
    assert error.id == "vigilpay.E001"
    assert "VIGILPAY_API_LOGIN" in error.hint


def test_no_command_runs_then(settings):
    settings.PRODUCTION, settings.API_LOGIN_REQUIRED = True, False
    with pytest.raises(SystemCheckError, match=r"vigilpay\.E001"):
        call_command("check")


@pytest.mark.parametrize(("production", "login"), [(True, True), (False, False), (False, True)])
def test_anything_else_is_allowed(settings, production, login):
    settings.PRODUCTION, settings.API_LOGIN_REQUIRED = production, login
    assert production_asks_for_login() == []
