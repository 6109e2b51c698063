"""People of the bank in front of the admin, and its programs in front of the JSON views."""

from datetime import timedelta

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.test import Client
from django.utils import timezone

from vigilpay.access import tokens
from vigilpay.roles import ROLES, fill


def logged_in(name: str, *permissions: str) -> Client:
    """A member of the staff who may do this and nothing else."""
    user = get_user_model().objects.create_user(name, is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    return _client_of(user)


def with_role(role: str, name: str = "") -> Client:
    """A member of the staff in the group of that role, as each ``migrate`` leaves it."""
    group, _made = Group.objects.get_or_create(name=role)
    fill(group, ROLES[role])
    user = get_user_model().objects.create_user(name or f"the {role}", is_staff=True)
    user.groups.add(group)
    return _client_of(user)


def superuser(name: str = "clerk") -> Client:
    """A user who may do everything."""
    return _client_of(get_user_model().objects.create_superuser(name, password=None))


def with_token(*scopes: str, days: float = 1) -> Client:
    """A program that may do this. CSRF is checked as outside of tests: it must not be in its way."""
    _token, secret = tokens.make(
        "a program", list(scopes), expires_at=timezone.now() + timedelta(days=days), created_by="a test"
    )
    return bearer(secret)


def bearer(secret: str) -> Client:
    return Client(enforce_csrf_checks=True, headers={"authorization": f"Bearer {secret}"})


def _client_of(user) -> Client:
    client = Client()
    client.force_login(user)
    return client
