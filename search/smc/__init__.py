"""Sequential Monte Carlo, pure: numpy arrays in, numpy arrays out. No clock, network, logging or global state."""
