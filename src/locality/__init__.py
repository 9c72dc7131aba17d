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
    VersionConflict,
)

if TYPE_CHECKING:
    from locality import datasets as datasets
    from locality import samplers as samplers
    from locality.analysis.face import check as check
    from locality.analysis.planning.plan import plan as plan
    from locality.analysis.planning.poc import poc as poc
    from locality.analysis.quality.evaluation import evaluate as evaluate
    from locality.estimator import LocalizedDiffusion as LocalizedDiffusion
    from locality.estimator.judge import Judge as Judge
    from locality.training.execution import Execution as Execution
    from locality.training.options import NetworkOptions as NetworkOptions

__version__ = "0.1.0"

_LAZY = {
    "Execution": "locality.training.execution",
    "Judge": "locality.estimator.judge",
    "LocalizedDiffusion": "locality.estimator",
    "NetworkOptions": "locality.training.options",
    "check": "locality.analysis.face",
    "evaluate": "locality.analysis.quality.evaluation",
    "plan": "locality.analysis.planning.plan",
    "poc": "locality.analysis.planning.poc",
}
_MODULES = ("datasets", "samplers")

__all__ = [
    "DataError",
    "Execution",
    "GraphError",
    "Judge",
    "LocalityError",
    "LocalizedDiffusion",
    "ModelCorrupt",
    "NetworkOptions",
    "NotFitted",
    "OptionError",
    "OutputExists",
    "VersionConflict",
    "check",
    "datasets",
    "evaluate",
    "plan",
    "poc",
    "samplers",
]


def __getattr__(name: str) -> Any:
    """Import what is public when first used: ``import locality`` stays fast."""
    from importlib import import_module

    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    if name in _MODULES:
        return import_module(f"locality.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """What is public."""
    return [*__all__, "__version__"]
