"""Addresses of the JSON views."""

from django.urls import path

from events import views

app_name = "events"
urlpatterns = [
    path("freshness/", views.freshness, name="freshness"),
]
