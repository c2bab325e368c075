"""Which method and which budget: searches over a data set, rows that survive a kill, and figures that stand up."""
