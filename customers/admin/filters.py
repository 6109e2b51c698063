"""What staff narrow the list of customers down by."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from customers.stored_reasons import choices


class MainReasonFilter(admin.SimpleListFilter):
    """By what raises the risk most."""

    title = "main reason"
    parameter_name = "reason"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return choices()

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        number = self.value()
        if number not in dict(self.lookup_choices):
            return queryset
        # Of a stale score no reason is shown: it was that of other fields.
        return queryset.filter(reason_codes__0=int(number), stale_since=None)
