"""Benches of whole emitted fabrics."""
