"""The report on a run: its figures, text and pictures, and the comparison of two runs."""
