"""Market events, books, feeds, tapes and the simulator."""
