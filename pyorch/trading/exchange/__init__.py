"""A simulated options exchange: venues that match, delay, refuse, protect and trade against quotes."""
