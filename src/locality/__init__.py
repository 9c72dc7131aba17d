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
    from locality.analysis.face import check as check
    from locality.analysis.planning.plan import plan as plan
    from locality.analysis.planning.poc import poc as poc
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
    "check",
    "datasets",
    "plan",
    "poc",
]


_LAZY = {
    "LocalizedDiffusion": "locality.estimator",
    "check": "locality.analysis.face",
    "plan": "locality.analysis.planning.plan",
    "poc": "locality.analysis.planning.poc",
}


def __getattr__(name: str) -> Any:
    """Import what is public when first used: ``import locality`` stays fast."""
    from importlib import import_module

    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    if name == "datasets":
        return import_module("locality.datasets")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
