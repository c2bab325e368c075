"""How long requests of the allowed size hold the event loop: ``python -m benchmarks.loop_hold``."""
