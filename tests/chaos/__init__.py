"""Storms: real PostgreSQL and workers under random editors, while all of it is killed. See docs/reliability.md"""
