"""Django's own admin, with what staff live in on top."""

from collections.abc import Iterable
from typing import Any

from django.contrib.admin import AdminSite
from django.db.models import Model
from django.http import HttpRequest

from vigilpay.web.login_page import LoginForm

FIRST = ("Overview", "Customer")
# The queue's own pages let a user name any function for the workers to run, and unpickle what its tables hold.
WITHOUT_PAGES = ("django_q",)


class VigilPaySite(AdminSite):
    login_form = LoginForm

    def register(self, model_or_iterable: Any, admin_class: Any = None, **options: Any) -> None:
        """As Django's, but for applications that get no pages."""
        given: Iterable[type[Model]] = [model_or_iterable] if isinstance(model_or_iterable, type) else model_or_iterable
        super().register([it for it in given if it._meta.app_label not in WITHOUT_PAGES], admin_class, **options)

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        """On the index and beside every page: what staff open most comes first, all else stays in its order."""
        apps = super().get_app_list(request, app_label)
        for app in apps:
            app["models"].sort(key=rank)
        return sorted(apps, key=lambda app: rank(app["models"][0]))


def rank(model: Any) -> int:
    name = model["object_name"]
    return FIRST.index(name) if name in FIRST else len(FIRST)
