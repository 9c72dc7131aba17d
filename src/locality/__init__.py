"""Diffusion models whose scores are learned component by component from small neighborhoods."""

__version__ = "0.1.0"
