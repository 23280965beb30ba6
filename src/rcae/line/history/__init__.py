"""What the record holds, for people: a table, files for other programs, and a report."""
