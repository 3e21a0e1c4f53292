"""Boards and bare chips that fabrics are built for."""
