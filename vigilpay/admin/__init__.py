"""Pages of the whole house: the audit trail."""

from vigilpay.admin import trail

__all__ = ["trail"]
