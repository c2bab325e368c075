"""How probable it is that the answer of a search is right: what speaks for it, and the maps from that to a probability."""
