"""Diffusion models whose scores are learned component by component from small neighborhoods."""

from typing import TYPE_CHECKING, Any

from locality.exceptions import (
    DataError,
    GraphError,
    LocalityError,
    ModelCorrupt,
    NotFitted,
    OptionError,
    OutputExists,
)

if TYPE_CHECKING:
    from locality import datasets as datasets
    from locality.estimator import LocalizedDiffusion as LocalizedDiffusion

__version__ = "0.1.0"

__all__ = [
    "DataError",
    "GraphError",
    "LocalityError",
    "LocalizedDiffusion",
    "ModelCorrupt",
    "NotFitted",
    "OptionError",
    "OutputExists",
    "datasets",
]


def __getattr__(name: str) -> Any:
    """Import the estimator when first used: ``import locality`` stays fast."""
    if name == "LocalizedDiffusion":
        from locality.estimator import LocalizedDiffusion

        return LocalizedDiffusion
    if name == "datasets":
        from importlib import import_module

        return import_module("locality.datasets")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
