"""Durable record: one row per inspection, in SQLite or PostgreSQL, and its picture."""
