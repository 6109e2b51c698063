"""The models of the application that joins the rooms."""

from vigilpay.trail.models import TrailEntry

__all__ = ["TrailEntry"]
