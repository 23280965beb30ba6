"""What was inspected, kept for good: one row an inspection, in SQLite or PostgreSQL, and its picture."""
