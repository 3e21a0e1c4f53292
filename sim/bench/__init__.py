"""Test benches of hardware blocks."""
