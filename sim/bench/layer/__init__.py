"""Benches of the layers' blocks, of every style."""
