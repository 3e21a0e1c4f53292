"""Venues that are not there: feeds, FIX sessions and JSON-RPC of a simulated market, on the loopback."""
