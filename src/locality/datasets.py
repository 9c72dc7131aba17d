"""Packaged data: real tables to try the software on."""

from locality.data.datasets import TennesseeEastman as TennesseeEastman
from locality.data.datasets import load_tennessee_eastman as load_tennessee_eastman

__all__ = ["TennesseeEastman", "load_tennessee_eastman"]
