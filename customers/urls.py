"""Addresses of the JSON views."""

from django.urls import path, register_converter
from django.urls.converters import IntConverter

from customers import views
from customers.models import LARGEST_CUSTOMER_ID


class CustomerIdConverter(IntConverter):
    """Digits that fit the table's bigint key; anything larger is an address that does not exist."""

    def to_python(self, value: str) -> int:
        customer_id = int(value)
        if not 1 <= customer_id <= LARGEST_CUSTOMER_ID:
            raise ValueError(value)
        return customer_id


register_converter(CustomerIdConverter, "customer_id")

app_name = "customers"
urlpatterns = [
    path("analyze/<customer_id:customer_id>/", views.analyze_customer, name="analyze"),
    path("analyze/", views.analyze_customers, name="analyze_many"),
    path("insights/<customer_id:customer_id>/", views.customer_insights, name="insights"),
    path("history/<customer_id:customer_id>/", views.customer_history, name="history"),
    path("objection/<customer_id:customer_id>/", views.customer_objection, name="objection"),
    path("what-if/", views.what_if, name="what_if"),
    path("at-risk/", views.customers_at_risk, name="at_risk"),
    path("changes/", views.score_changes, name="changes"),
]
