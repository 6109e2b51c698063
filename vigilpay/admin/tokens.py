"""The page of service tokens: made, shown once, and revoked."""

from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from customers.presentation.action_log import log_action
from customers.presentation.numbers import format_count
from vigilpay.access import tokens
from vigilpay.models import Scope, ServiceToken


class TokenForm(forms.ModelForm):  # type: ignore[type-arg]  # generic for the type checker only
    scopes = forms.MultipleChoiceField(
        choices=Scope.choices,
        widget=forms.CheckboxSelectMultiple,
        help_text="What the program may do. Grant no more than it needs.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "expires_at" in self.fields:  # two boxes under one label: each needs a name of its own
            day, time = self.fields["expires_at"].widget.widgets
            day.attrs["aria-label"], time.attrs["aria-label"] = "Expires on, date", "Expires on, time"

    def clean_expires_at(self) -> datetime:
        moment: datetime = self.cleaned_data["expires_at"]
        if moment <= timezone.now():
            raise ValidationError("Enter a time in the future.")
        return moment


@admin.register(ServiceToken)
class ServiceTokenAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # generic for the type checker only
    form = TokenForm
    fields = ("name", "scopes", "expires_at")
    list_display = ("name", "allowed", "state", "created_by", "created_at", "expires_at", "last_used_at", "revoked_at")
    actions = ("revoke",)

    @admin.display(description="Scopes")
    def allowed(self, token: ServiceToken) -> str:
        return ", ".join(token.scopes)

    def get_fields(self, request: HttpRequest, obj: ServiceToken | None = None) -> Any:
        return self.list_display if obj else self.fields

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        in_some_months = timezone.now() + timedelta(days=tokens.DEFAULT_DAYS)
        return {"expires_at": in_some_months, **super().get_changeform_initial_data(request)}

    def has_change_permission(self, request: HttpRequest, obj: ServiceToken | None = None) -> bool:
        return False

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("vigilpay.change_servicetoken")

    def save_model(self, request: HttpRequest, obj: ServiceToken, form: Any, change: bool) -> None:
        secret = tokens.new_secret()
        obj.digest, obj.created_by = tokens.digest_of(secret), request.user.get_username()
        super().save_model(request, obj, form, change)
        message = f"The token of {obj.name} is {secret} Copy it now: it is not shown again."
        self.message_user(request, message, messages.WARNING)

    @admin.action(description="Revoke", permissions=["revoke"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ServiceToken]) -> None:
        ended = tokens.revoke(list(queryset.values_list("pk", flat=True)))
        log_action(request, ServiceToken, "Revoked", len(ended), [token.pk for token in ended])
        self.message_user(
            request,
            f"{format_count(len(ended), 'token', 'tokens')} revoked. Requests with them are refused from now on.",
        )
