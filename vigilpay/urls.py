"""Joins the rooms' addresses."""

from django.conf import settings
from django.contrib import admin
from django.urls import include, path

from vigilpay.web import health, metrics
from vigilpay.web.index import index
from vigilpay.web.openapi import openapi

handler400 = "vigilpay.web.error_pages.bad_request"
handler403 = "vigilpay.web.error_pages.permission_denied"
handler404 = "vigilpay.web.error_pages.page_not_found"
handler500 = "vigilpay.web.error_pages.server_error"

urlpatterns = [
    path("", index, name="index"),
    path("openapi.json", openapi, name="openapi"),
    path("admin/", admin.site.urls),
    path("customers/", include("customers.urls")),
    path("events/", include("events.urls")),
    path("health/live", health.live, name="health_live"),
    path("health/ready", health.ready, name="health_ready"),
]
if settings.METRICS:
    urlpatterns.append(path("metrics", metrics.metrics, name="metrics"))
