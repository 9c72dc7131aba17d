"""The estimator: scikit-learn's conventions over the rooms below."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from locality.estimator.diffusion import LocalizedDiffusion as LocalizedDiffusion

__all__ = ["LocalizedDiffusion"]


def __getattr__(name: str) -> Any:
    """Import the estimator when first used: a judge alone needs no scikit-learn."""
    if name != "LocalizedDiffusion":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from locality.estimator.diffusion import LocalizedDiffusion

    return LocalizedDiffusion
