"""The models of the application that joins the rooms."""

from vigilpay.access.models import Scope, ServiceToken, ServiceTokenQuerySet
from vigilpay.trail.models import TrailEntry

__all__ = ["Scope", "ServiceToken", "ServiceTokenQuerySet", "TrailEntry"]
