"""Pages of the whole house: service tokens and the audit trail."""

from vigilpay.admin import tokens, trail

__all__ = ["tokens", "trail"]
