"""Engines: the integer reference that defines the arithmetic, and the native CPU engine."""
