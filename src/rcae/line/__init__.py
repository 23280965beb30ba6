"""Inspection at the line: each image is inspected once, recorded, and its picture kept."""
