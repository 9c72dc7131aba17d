"""The estimator: scikit-learn's conventions over the rooms below."""

from locality.estimator.diffusion import LocalizedDiffusion as LocalizedDiffusion

__all__ = ["LocalizedDiffusion"]
