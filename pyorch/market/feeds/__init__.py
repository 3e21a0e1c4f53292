"""Readers of recorded feeds: one file a venue or format."""
