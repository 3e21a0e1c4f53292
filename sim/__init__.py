"""Simulated hardware: test benches and engines that run them."""
