"""People of the bank in front of the admin."""

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.test import Client

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


def _client_of(user) -> Client:
    client = Client()
    client.force_login(user)
    return client
