"""The gate of an update: what some components say of rows that a model has not seen.

Champion and challenger judge the same rows, and only the components that may have changed.
"""

from dataclasses import replace

import numpy as np

from locality._typing import FloatArray, IntArray
from locality.data.table import Table
from locality.inference.density.nats import nats_by_band
from locality.inference.laws.repair import repair
from locality.model.model import Model

__all__ = ["fresh_nats"]


def fresh_nats(model: Model, table: Table, judged: IntArray, first: int) -> FloatArray:
    """Nats of some components from the first row on, in the units of the table.

    Parameters
    ----------
    model : Model
    table : Table
        Rows in order of time; those before are only looked back upon.
    judged : int array [n_judged]
        Numbers of targets.
    first : int

    Returns
    -------
    float array [n_rows - first, n_judged]
        NaN where a value is missing.
    """
    start = min(first, model.layout.n_lags)
    rows = model.layout.standard_rows(table)
    complete = repair(model.field, rows, np.inf).values if np.isnan(rows).any() else rows
    rows, complete = rows[:, first - start :], complete[:, first - start :]
    nodes = model.domain.targets[judged]
    # of every shard only what is judged: to judge networks takes longer than to train some
    shards = tuple(
        shard.take(np.flatnonzero(np.isin(shard.target, nodes)))
        for shard in model.shards
        if np.isin(shard.target, nodes).any()
    )
    field = replace(model.field, shards=shards)
    nats = nats_by_band(field, model.levels, complete, False)[0, start:][:, judged]
    slope = model.standardizer.log_slope(table.values[first:])[:, nodes]
    return np.asarray(np.where(np.isnan(rows[nodes, start:].T), np.nan, nats) - slope)
