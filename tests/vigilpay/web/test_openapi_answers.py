"""Requests of all kinds, made up by schemathesis from the OpenAPI document: every answer is one that it describes."""
