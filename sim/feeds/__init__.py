"""Venues that are not there: recorded sessions served again, with faults, and the mutations of a fuzzer."""
