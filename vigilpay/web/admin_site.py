"""Django's own admin, with what staff live in on top."""

from collections.abc import Iterable
from typing import Any

from django.apps import apps
from django.contrib.admin import AdminSite
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html

from customers.presentation.numbers import format_count
from events.models.alerts import Alert
from vigilpay.web.login_page import LoginForm

# Groups of the menu in their order, by the label of the application whose name they have.
GROUPS = ("customers", "events", "vigilpay")
# Pages that stand in another group than their application's.
MOVED: dict[str, str] = {
    **dict.fromkeys(("events.Overview", "events.Alert"), "customers"),
    **dict.fromkeys(
        (
            *("customers.ModelRelease", "customers.ScoringFailure", "customers.AuditFinding", "customers.DriftCheck"),
            *("customers.ScoreRecord", "customers.RescoreRequest"),
        ),
        "events",
    ),
    **dict.fromkeys(("auth.User", "auth.Group"), "vigilpay"),
}
# Names of pages as the menu shows them: the first of their group, in this order; all others by name.
FIRST = (
    *("Overview", "Customers", "Worklist", "Portfolio", "Contacts", "Alerts", "Imports"),
    *("System status", "Scoring runs", "Model releases"),
)
# The queue's own pages let a user name any function for the workers to run, and unpickle what its tables hold.
WITHOUT_PAGES = ("django_q",)
# No more open alerts than this are counted: the index is the page that staff see first.
MOST_COUNTED = 1000

Group = dict[str, Any]


class SiteStyle:
    """The one style sheet, on every page of every model."""

    css = {"all": ["customers/vigilpay.css"]}


class VigilPaySite(AdminSite):
    site_header = site_title = "VigilPay"
    index_title = "Churn risk"
    # "View site" would lead to the JSON index.
    site_url = None
    login_form = LoginForm

    def register(self, model_or_iterable: Any, admin_class: Any = None, **options: Any) -> None:
        """As Django's, with our style, and but for applications that get no pages."""
        given: Iterable[type[Model]] = [model_or_iterable] if isinstance(model_or_iterable, type) else model_or_iterable
        models = [it for it in given if it._meta.app_label not in WITHOUT_PAGES]
        super().register(models, admin_class, **{"Media": SiteStyle, **options})

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        """Headed by how many alerts are open, for staff who may see alerts."""
        return super().index(request, {"title": index_heading(request), **(extra_context or {})})

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Django's page has no heading: the name of the site is one here."""
        heading = format_html('<span role="heading" aria-level="1">{}</span>', self.site_header)
        return super().login(request, {"site_header": heading, **(extra_context or {})})

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        """On the index and beside every page: in the groups that staff think in, what they open most first."""
        found = super().get_app_list(request, app_label)
        groups = found if app_label else regrouped(found)
        for group in groups:
            group["models"].sort(key=lambda model: rank(model["name"], FIRST))
        return groups


def index_heading(request: HttpRequest) -> str:
    title = VigilPaySite.index_title
    if not (request.user.has_perm("events.view_alert") or request.user.has_perm("events.acknowledge_alert")):
        return title
    number = Alert.objects.open().not_objected()[: MOST_COUNTED + 1].count()
    if number > MOST_COUNTED:
        return f"{title} · more than {MOST_COUNTED:,} open alerts"
    return f"{title} · {format_count(number, 'open alert', 'open alerts')}"


def regrouped(found: list[Group]) -> list[Group]:
    """The same pages, each in its group."""
    groups = {group["app_label"]: {**group, "models": []} for group in found}
    for group in found:
        for model in group["models"]:
            name = f"{group['app_label']}.{model['object_name']}"
            label: str = MOVED[name] if name in MOVED else group["app_label"]
            groups.setdefault(label, group_of(label))["models"].append(model)
    return sorted((it for it in groups.values() if it["models"]), key=lambda it: rank(it["app_label"], GROUPS))


def group_of(label: str) -> Group:
    """A group of which the user may see no page of its own application."""
    return {
        "name": apps.get_app_config(label).verbose_name,
        "app_label": label,
        "app_url": reverse("admin:index"),
        "has_module_perms": True,
        "models": [],
    }


def rank(name: str, first: tuple[str, ...]) -> int:
    return first.index(name) if name in first else len(first)
