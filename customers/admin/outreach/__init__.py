"""The pages of contacts and of the worklist."""

from customers.admin.outreach import contacts, worklist

__all__ = ["contacts", "worklist"]
