"""The rival: the same list as a plain ModelAdmin has it, on an admin site of its own.

Nothing but the names of columns, filters and search fields, as a project writes them that has not met a million rows.
"""

from typing import Any

from django.contrib import admin
from django.urls import include, path

from customers.models import Customer

stock_site = admin.AdminSite(name="stock")


class StockCustomerAdmin(admin.ModelAdmin):
    list_display = (
        "customer_id",
        "surname",
        "churn_risk_score",
        "geography",
        "age",
        "balance",
        "num_of_products",
        "is_active_member",
        "scored_at",
    )
    list_filter = ("geography", "is_active_member", "num_of_products", "has_cr_card", "scored_by")
    search_fields = ("customer_id", "surname")
    ordering = ("-churn_risk_score",)
    list_per_page = 50


stock_site.register(Customer, StockCustomerAdmin)


def urlpatterns() -> list[Any]:
    """Ours and the rival's, for this process alone."""
    from vigilpay.urls import urlpatterns as ours

    return [path("stock/", stock_site.urls), path("", include(ours))]
