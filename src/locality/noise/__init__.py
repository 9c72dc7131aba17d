"""Noise levels: the grid of sigma, its training law and quadrature."""
