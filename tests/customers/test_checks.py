"""manage.py check warns of a model that can't be used, and lets everything else go on."""

import pytest
from django.core.checks import WARNING

from customers.checks import (
    active_model_is_stored,
    drift_warns_before_it_alarms,
    model_is_usable,
    protected_fields_have_their_own_setting,
)
from customers.models import ModelFile
from customers.releases.active import active_model
from events.worker import warmup
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


def test_in_production_no_file_is_needed(strict_assets):
    (strict_assets / "model.pkl").unlink()
    assert model_is_usable() == []


@pytest.mark.django_db
class TestActiveModelInProduction:
    def found(self):
        return [warning.id for warning in active_model_is_stored(databases=["default"])]

    def test_stored_it_is_no_news_whatever_lies_in_place(self, strict_assets, another_forest):
        assert self.found() == []  # no model has served yet
        active_model()
        assert self.found() == []
        release(another_forest, assets_dir=strict_assets)
        assert self.found() == []

    def test_where_a_file_alone_has_it_a_worker_s_start_stores_it(self, strict_assets):
        active_model()
        ModelFile.objects.all().delete()
        assert self.found() == ["customers.W003"]
        warmup.worker_spawned()
        assert self.found() == []

    def test_where_it_is_missing_nothing_is_scored(self, strict_assets, another_forest):
        active_model()
        ModelFile.objects.all().delete()
        release(another_forest, assets_dir=strict_assets)
        assert self.found() == ["customers.W002"]

    def test_in_development_the_file_in_place_counts(self, assets):
        active_model()
        ModelFile.objects.all().delete()
        assert self.found() == []


def test_the_former_setting_of_protected_fields_is_deprecated(settings):
    assert protected_fields_have_their_own_setting() == []
    settings.REASONS_NAME_PROTECTED = True
    [warning] = protected_fields_have_their_own_setting()
    assert (warning.id, "VIGILPAY_PROTECTED_FIELDS=none" in warning.hint) == ("customers.W006", True)


@pytest.mark.parametrize(("warning", "alarm", "errors"), [(0.1, 0.25, 0), (0.2, 0.2, 0), (0.3, 0.25, 1)])
def test_drift_warns_before_it_alarms(settings, warning, alarm, errors):
    settings.DRIFT_WARNING, settings.DRIFT_ALARM = warning, alarm
    assert [error.id for error in drift_warns_before_it_alarms()] == ["customers.E001"] * errors
