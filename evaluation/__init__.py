"""Comparison of methods and budgets on a data set: searches, rows that survive a kill, and a report with intervals."""
