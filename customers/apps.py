"""Hands the settings to the model service, which itself knows nothing of Django."""

from django.apps import AppConfig
from django.conf import settings
from django.db.backends.signals import connection_created

from customers import ml_service


class CustomersConfig(AppConfig):
    name = "customers"

    def ready(self) -> None:
        from customers import checks, releases  # noqa: F401  registers the checks

        ml_service.configure(assets_dir=settings.ML_ASSETS_DIR, accept_unreleased=settings.ACCEPT_UNRELEASED_MODEL)
        connection_created.connect(releases.forget_active, dispatch_uid="customers.forget_active")
