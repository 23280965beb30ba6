"""Migrations of the record's tables, step by step (Alembic)."""
