"""RTL, board files and card drivers."""
