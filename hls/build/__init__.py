"""From a bundle to a bitstream: plan, steps, cache, tools, reports."""
