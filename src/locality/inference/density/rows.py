"""Rows of a table: how surprising their values are, and how likely each row is."""

import numpy as np

from locality._typing import BoolArray, FloatArray
from locality.data.table import Table
from locality.exceptions import OptionError
from locality.inference.density.nats import Nats
from locality.inference.laws.repair import repair
from locality.model.model import Model
from locality.noise.levels import band_labels
from locality.training.executors import one_thread
from locality.training.trainer import Progress, quiet

__all__ = ["UNSURE", "log_likelihood_of_rows", "surprise_of_rows", "unsure_rows"]

UNSURE = 0.05
"""Nats per component by which a likelihood and nats differ where the model is sure of neither."""


def surprise_of_rows(
    model: Model, table: Table, *, by_band: bool = False, progress: Progress = quiet
) -> tuple[dict[str, FloatArray], FloatArray]:
    """Surprise of every value and its Monte-Carlo error, in nats of the original units.

    Parameters
    ----------
    model : Model
    table : Table
        All columns of the fitted table; missing values are allowed if rows have a law.
    by_band : bool
        Tell noise bands apart.
    progress : callable
        Called with ("scoring", shards done, shards in all).

    Returns
    -------
    bands : dict of float arrays [n_rows, n_components]
        By label, from the coarsest to the finest; if they are not told apart there is one, "all".
        Their sum is the surprise; the first carries the constant and the units. NaN where a value
        is missing.
    error : float array [n_rows, n_components]

    Raises
    ------
    DataError
        If values are missing where they cannot be: in context columns and joint series.
    """
    layout = model.layout
    state, missing = layout.state_of(table.values), None
    if np.isnan(state).any():
        rows_model = model.unrolled
        context = state[list(model.domain.context)]
        if not rows_model.layout.has_row_law or np.isnan(context).any():
            table.require_complete()
        missing = np.isnan(layout.rows(state[model.domain.targets]))
        known = state.reshape(rows_model.domain.n_nodes, -1)
        state = repair(rows_model.field, known, np.inf).values.reshape(state.shape)
    n_done = 0

    def tick() -> None:
        nonlocal n_done
        n_done += 1
        progress("scoring", n_done, len(model.shards))

    with one_thread():
        found = Nats(model.levels, by_band=by_band).surprise(model.field, state, tick)
    bands = [layout.flat(band) for band in found.bands]
    bands[0] = bands[0] - layout.log_slope(table.values)
    if missing is not None:
        for band in bands:
            band[missing] = np.nan
    labels = band_labels() if by_band else ["all"]
    return dict(zip(labels, bands, strict=True)), layout.flat(found.error)


def unsure_rows(log_likelihood: FloatArray, nats: FloatArray, n_components: int) -> BoolArray:
    """Rows whose two values differ so much that neither is to be believed [n_rows].

    Of the score of a density both are the same (`Nats`, `LogLikelihood`).

    Examples
    --------
    >>> unsure_rows(np.array([-41.0, -120.0]), np.array([-41.3, -44.0]), 40).tolist()
    [False, True]
    """
    return np.asarray(~(np.abs(log_likelihood - nats) <= UNSURE * n_components))


def log_likelihood_of_rows(
    model: Model, table: Table, tolerance: float = 1e-4
) -> tuple[FloatArray, FloatArray]:
    """Log-likelihood of every row by the probability flow, in nats of the original units.

    Parameters
    ----------
    model : Model
    table : Table
        Complete.
    tolerance : float

    Returns
    -------
    log_likelihood, error : float arrays [n_rows]

    Raises
    ------
    OptionError
        If the tolerance is not positive, or the model is a joint series, which has a likelihood as
        a whole but none of its rows.
    DataError
        If a value is missing.
    """
    from locality.inference.density.likelihood import Likelihood

    table.require_complete()
    if not tolerance > 0:
        raise OptionError(f"tolerance must be above 0, found {tolerance}.")
    layout = model.layout
    if layout.is_series and not layout.is_causal:
        raise OptionError(
            "Rows of a joint series have no likelihood of their own.",
            remedy='Fit with series="causal", or use score_samples.',
        )
    with one_thread():
        found = Likelihood(model.levels, tolerance)(model.field, layout.state_of(table.values))
    return found.value + layout.log_slope(table.values).sum(axis=1), np.asarray(found.error)
