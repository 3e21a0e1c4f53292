"""Benches of the folded style's blocks."""
