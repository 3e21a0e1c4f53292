"""Recorded and live feeds of venues: what a venue says becomes market events."""
