"""Benches of the feature path: events on the wire, decoder, book."""
