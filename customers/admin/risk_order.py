"""Customers by risk, those without a score last."""

from typing import Any

from django.contrib.admin.views.main import ChangeList
from django.db.models import F, QuerySet
from django.db.models.expressions import BaseExpression, Combinable
from django.http import HttpRequest

Ordering = str | BaseExpression | Combinable


class RiskChangeList(ChangeList):
    """Django's own descending order puts rows without a score on top; here they come last, both ways round."""

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[Any]:
        return [unscored_last(field) for field in super().get_ordering(request, queryset)]


def unscored_last(field: Ordering) -> Ordering:
    if field == "churn_risk_score":
        return F("churn_risk_score").asc(nulls_last=True)
    if field == "-churn_risk_score":
        return F("churn_risk_score").desc(nulls_last=True)
    return field
