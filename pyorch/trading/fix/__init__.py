"""FIX 4.4 messages as bytes."""
