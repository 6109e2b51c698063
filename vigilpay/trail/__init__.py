"""The audit trail: who has read, changed or taken along which customers, and when."""
