"""Runs a method over a generator and a reward model: upstream calls, seeds, budget, deadline, cancellation, events, answer."""
