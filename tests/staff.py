"""People of the bank in front of the admin."""

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client


def logged_in(name: str, *permissions: str) -> Client:
    """Somebody of the staff who may do this and nothing else."""
    user = get_user_model().objects.create_user(name, is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    return _client_of(user)


def superuser(name: str = "clerk") -> Client:
    """Somebody who may do everything."""
    return _client_of(get_user_model().objects.create_superuser(name, password=None))


def _client_of(user) -> Client:
    client = Client()
    client.force_login(user)
    return client
