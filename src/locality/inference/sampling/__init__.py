"""Draws: rows, series, lattices, rows in which something is known."""
