"""Watching a desk: figures, alerts, metrics and a page with its controls; all of it off the tick's thread."""
