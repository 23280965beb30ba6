"""History from the record, for people: a table, files for other programs, and a report."""
