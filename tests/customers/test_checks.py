"""manage.py check warns of a model that can't be used, and lets everything else go on."""

import shutil
from io import StringIO

import pytest
from django.core.checks import WARNING
from django.core.management import call_command

from customers.checks import active_model_outlives_an_upgrade, drift_warns_before_it_alarms, model_is_usable
from customers.releases.active import active_model
from tests.customers.ml_service.forests import release


def test_a_usable_model_is_no_news(assets):
    assert model_is_usable() == []


def test_a_missing_model_is_a_warning_that_says_what_follows(assets):
    (assets / "model.pkl").unlink()
    [warning] = model_is_usable()
    assert (warning.id, warning.level) == ("customers.W001", WARNING)
    assert "no model file" in warning.msg
    assert "no customer is scored" in warning.hint


@pytest.mark.parametrize("content", [b"", b"surprise"])
def test_a_damaged_model_is_one_too(assets, content):
    (assets / "model.pkl").write_bytes(content)
    assert [warning.id for warning in model_is_usable()] == ["customers.W001"]


def test_a_file_that_was_never_released_is_one_in_production_only(assets, another_forest, request):
    (assets / "model.pkl").write_bytes(another_forest.read_bytes())
    assert model_is_usable() == []
    request.getfixturevalue("strict_assets")
    [warning] = model_is_usable()
    assert "release_model" in warning.msg


@pytest.mark.django_db
class TestActiveModelInProduction:
    def found(self):
        return [warning.id for warning in active_model_outlives_an_upgrade(databases=["default"])]

    def test_kept_it_is_no_news_whatever_lies_in_place(self, strict_assets, another_forest):
        assert self.found() == []  # no model has served yet
        active_model()
        assert self.found() == []
        release(another_forest, assets_dir=strict_assets)
        assert self.found() == []

    def test_where_it_is_not_kept_the_hint_keeps_it(self, strict_assets):
        active_model()
        shutil.rmtree(strict_assets / "former")
        [warning] = active_model_outlives_an_upgrade(databases=["default"])
        assert warning.id == "customers.W003"
        call_command(*warning.hint.split("manage.py ")[1].split(), "--yes", stdout=StringIO())
        assert self.found() == []

    def test_where_it_is_missing_nothing_is_scored(self, strict_assets, another_forest):
        active_model()
        shutil.rmtree(strict_assets / "former")
        release(another_forest, assets_dir=strict_assets)
        assert self.found() == ["customers.W002"]

    def test_in_development_the_file_in_place_counts(self, assets):
        active_model()
        shutil.rmtree(assets / "former")
        assert self.found() == []


@pytest.mark.parametrize(("warning", "alarm", "errors"), [(0.1, 0.25, 0), (0.2, 0.2, 0), (0.3, 0.25, 1)])
def test_drift_warns_before_it_alarms(settings, warning, alarm, errors):
    settings.DRIFT_WARNING, settings.DRIFT_ALARM = warning, alarm
    assert [error.id for error in drift_warns_before_it_alarms()] == ["customers.E001"] * errors
