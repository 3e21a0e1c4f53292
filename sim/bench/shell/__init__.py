"""Benches of the shell: frames, ticks, registers, weights, clocks."""
