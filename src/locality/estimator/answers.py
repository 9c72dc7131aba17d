"""Answers of a model in the rows and units of the user's table."""

from collections.abc import Callable

import numpy as np

from locality._typing import FloatArray
from locality.data.table import Table
from locality.exceptions import OptionError
from locality.inference.density.likelihood import Likelihood
from locality.inference.density.nats import Nats
from locality.inference.judging.reference import has_row_law
from locality.inference.laws.repair import repair
from locality.model.layout import from_state, to_state
from locality.model.model import Model
from locality.training.executors import one_thread

__all__ = ["log_likelihood_of", "nats_of"]


def nats_of(
    model: Model,
    components: tuple[str, ...],
    table: Table,
    by_band: bool,
    progress: Callable[[str, int, int], None],
) -> tuple[list[FloatArray], FloatArray]:
    """Surprise of every value and its Monte-Carlo error, in nats of the original units.

    Parameters
    ----------
    model : Model
    components : tuple of str [n_components]
        Modeled columns, context left out.
    table : Table
        All columns of the fitted table; missing values are allowed if rows have a law.
    by_band : bool
        One array per noise band instead of a single one.
    progress : callable
        Called with ("scoring", shards done, shards in all).

    Returns
    -------
    bands : list of float arrays [n_rows, n_components]
        Their sum is the surprise; the first carries the constant and the units.
    error : float array [n_rows, n_components]

    Raises
    ------
    DataError
        If values are missing where they cannot be: in given columns and joint series.
    """
    lattice = bool(model.extent)
    standardizer = model.standardizer
    state = to_state(standardizer.standardize(table.values), model.domain, lattice)
    missing = None
    if np.isnan(state).any():
        table_model = model.unrolled
        if not has_row_law(table_model.domain) or np.isnan(state[list(model.domain.context)]).any():
            table.require_complete()
        missing = np.isnan(from_state(state[model.domain.targets], model.domain, lattice))
        rows_known = state.reshape(table_model.domain.n_nodes, -1)
        state = repair(table_model.field, rows_known, np.inf).values.reshape(state.shape)
    shape = (len(model.domain.targets), *state.shape[1:])
    n_done = 0

    def tick() -> None:
        nonlocal n_done
        n_done += 1
        progress("scoring", n_done, len(model.shards))

    def rows(flat: FloatArray) -> FloatArray:
        return from_state(flat.reshape(shape), model.domain, lattice)

    with one_thread():
        found = Nats(model.levels, by_band=by_band).surprise(model.field, state, tick)
    bands = [rows(band) for band in found.bands]
    bands[0] = bands[0] - _slopes(model, components, table.values)
    if missing is not None:
        for band in bands:
            band[missing] = np.nan
    return bands, rows(found.error)


def log_likelihood_of(
    model: Model, components: tuple[str, ...], values: FloatArray, tolerance: float
) -> tuple[FloatArray, FloatArray]:
    """Log-likelihood of every row by the probability flow, in nats of the original units.

    Parameters
    ----------
    model : Model
    components : tuple of str [n_components]
    values : float array [n_rows, n_columns]
    tolerance : float

    Returns
    -------
    log_likelihood, error : float arrays [n_rows]

    Raises
    ------
    OptionError
        If the tolerance is not positive, or the model is a joint series, which has a likelihood as
        a whole but none of its rows.
    """
    if not tolerance > 0:
        raise OptionError(f"tolerance must be above 0, found {tolerance}.")
    if model.is_series and not model.is_causal:
        raise OptionError(
            "Rows of a joint series have no likelihood of their own.",
            remedy='Fit with series="causal", or use score_samples.',
        )
    lattice = bool(model.extent)
    standardizer = model.standardizer
    state = to_state(standardizer.standardize(values), model.domain, lattice)
    found = Likelihood(model.levels, tolerance)(model.field, state)
    return found.value + _slopes(model, components, values).sum(axis=1), np.asarray(found.error)


def _slopes(model: Model, components: tuple[str, ...], values: FloatArray) -> FloatArray:
    """log dz/dx of the components [n_rows, n_components]."""
    place = {name: j for j, name in enumerate(model.standardizer.modeled_names)}
    return model.standardizer.log_slope(values)[:, [place[name] for name in components]]
