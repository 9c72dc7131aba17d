"""SAITS and CSDI of PyPOTS, with a small budget: the only file that knows PyPOTS.

Both see windows of standardized rows. SAITS (Du, Côté and Liu, 2023) is a self-attention network,
CSDI (Tashiro et al., 2021) a conditional diffusion model, here of few channels and levels, as
one core must do. Each is trained for as many epochs as `BUDGET` seconds allow.
"""

import contextlib
import io
import logging
from time import perf_counter
from typing import Any

import numpy as np

from measure import FloatArray

__all__ = ["BUDGET", "DeepImputer", "deep_imputers"]

BUDGET = 300.0
"""Seconds of training."""

_DRAWS = 5  # of CSDI


class DeepImputer:
    """Fits windows until the budget is spent, and fills the windows of other rows.

    Parameters
    ----------
    kind : {"SAITS", "CSDI"}
    window : int
        Rows.
    budget : float
        Seconds.
    """

    def __init__(self, kind: str, window: int, budget: float) -> None:
        self.kind, self.window, self.budget = kind, window, budget

    def fit(self, rows: FloatArray) -> "DeepImputer":
        """Learn from rows [n, d], gaps allowed."""
        self._mean, self._scale = np.nanmean(rows, axis=0), np.nanstd(rows, axis=0)
        z = (rows - self._mean) / self._scale
        starts = range(
            0, len(z) - self.window + 1, self.window // (4 if self.kind == "SAITS" else 1)
        )
        windows = np.stack([z[start : start + self.window] for start in starts])
        start = perf_counter()
        self._model(rows.shape[1], 1).fit({"X": windows})
        per_epoch = perf_counter() - start
        self.n_epochs = max(1, int(self.budget / per_epoch))
        self.model = self._model(rows.shape[1], self.n_epochs)
        self.model.fit({"X": windows})
        return self

    def transform(
        self, rows: FloatArray
    ) -> tuple[FloatArray, FloatArray | None, FloatArray | None]:
        """Rows filled, and the standard deviation and median of draws [n, d]."""
        z = (rows - self._mean) / self._scale
        n = len(z)
        starts = [*range(0, n - self.window, self.window), n - self.window]
        windows = np.stack([z[start : start + self.window] for start in starts])
        if self.kind == "CSDI":
            draws = self.model.predict({"X": windows}, n_sampling_times=_DRAWS)["imputation"]
            deviation = self._joined(np.std(draws, axis=1, ddof=1), starts, n) * self._scale
            mean, median = (
                self._joined(middle(draws, axis=1), starts, n) * self._scale + self._mean
                for middle in (np.mean, np.median)
            )
            return mean, deviation, median
        found = self._joined(self.model.predict({"X": windows})["imputation"], starts, n)
        return found * self._scale + self._mean, None, None

    def _joined(self, windows: FloatArray, starts: list[int], n: int) -> FloatArray:
        found = np.empty((n, windows.shape[-1]))
        for start, window in zip(starts, windows, strict=True):
            found[start : start + self.window] = window
        return found

    def _model(self, d: int, epochs: int) -> Any:
        import torch

        with contextlib.redirect_stdout(io.TextIOWrapper(io.BytesIO(), "utf-8")):  # it greets
            from pypots.imputation import CSDI, SAITS
        logging.disable(logging.INFO)
        torch.manual_seed(0)
        common = {"n_steps": self.window, "n_features": d, "epochs": epochs, "batch_size": 16,
                  "device": "cpu", "verbose": False}  # fmt: skip
        if self.kind == "SAITS":
            return SAITS(n_layers=2, d_model=128, n_heads=4, d_k=32, d_v=32, d_ffn=128,
                         dropout=0.1, **common)  # fmt: skip
        return CSDI(n_layers=2, n_heads=4, n_channels=16, d_time_embedding=32,
                    d_feature_embedding=8, d_diffusion_embedding=32, n_diffusion_steps=20,
                    **common)  # fmt: skip


def deep_imputers(hour: int, budget: float) -> dict[str, DeepImputer]:
    """Both, if PyPOTS is installed."""
    try:
        with contextlib.redirect_stdout(io.TextIOWrapper(io.BytesIO(), "utf-8")):
            import pypots  # noqa: F401
    except ImportError:
        return {}
    windows = {"SAITS": 24 if hour == 1 else 48, "CSDI": 24}
    return {kind: DeepImputer(kind, window, budget) for kind, window in windows.items()}
