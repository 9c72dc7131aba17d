"""Fitting: from a table and the estimator's parameters to a model."""

import platform
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from locality._typing import FloatArray
from locality.data.table import Table
from locality.data.transforms import Standardizer
from locality.data.transforms_fit import fit_standardizer
from locality.domain import Domain
from locality.estimator.options import noise_of, training_options, workers_of
from locality.exceptions import DataError
from locality.inference.judging.reference import cross_fitted
from locality.inference.updating.completion import completed, stacked
from locality.local.field import ScoreField
from locality.model.layout import build_domain, limits, to_state
from locality.model.model import Model
from locality.noise.levels import NoiseLevels
from locality.training.executors import Executor, Inline
from locality.training.trainer import Ledger, Trainer

__all__ = ["fit_model"]

_LARGE = 1 << 27  # values, of a table that is learned from in single precision
_WORTHWHILE = 1 << 23  # values, from which closed forms are shared between processes
_DRAWS = 3  # of missing values, side by side


def fit_model(
    table: Table,
    parameters: Mapping[str, Any],
    settings: dict[str, Any],
    progress: Callable[[str, int, int], None],
    ledger: Ledger | None = None,
) -> Model:
    """Learn a model; large tables are learned from a file in the folder for temporary ones.

    Parameters and errors are those of `_fit_model`.
    """
    if table.values.size <= _LARGE:
        return _fit_model(table, parameters, settings, progress, ledger, lambda *_: None)
    with tempfile.TemporaryDirectory(prefix="locality-") as folder:

        def room(table: Table, standardizer: Standardizer) -> np.ndarray:
            shape = (standardizer.n_modeled, table.n_rows)
            rows = np.memmap(Path(folder) / "rows.f4", np.float32, "w+", shape=shape)
            return rows.T

        return _fit_model(table, parameters, settings, progress, ledger, room)


def _fit_model(
    table: Table,
    parameters: Mapping[str, Any],
    settings: dict[str, Any],
    progress: Callable[[str, int, int], None],
    ledger: Ledger | None,
    room: Callable[[Table, Standardizer], np.ndarray | None],
) -> Model:
    """Standardize the columns, find or take the graph, train the shards.

    Parameters
    ----------
    table : Table
    parameters : mapping
        Of ``LocalizedDiffusion``, checked.
    settings : dict
        The same as plain data, to be stored; with the ``seed``.
    progress : callable
        Called with (stage, shards done, shards in all).
    ledger : Ledger, optional
        Where finished shards are kept, and looked for.
    room : callable
        Table and its map to an array for the standardized rows, None for memory.

    Raises
    ------
    DataError
        If a column has no values, nothing varies, or a given column repeats a modeled one.
    GraphError
        If the graph does not fit the columns.
    """
    start = perf_counter()
    tied = parameters["tied"]
    standardizer = fit_standardizer(
        table,
        gaussianize=parameters["gaussianize"],
        noise=noise_of(parameters["noise"], table),
        pooled=tied,
    )
    for aside in standardizer.set_aside:
        source = standardizer.names[aside.source] if aside.reason != "constant" else ""
        if aside.name in parameters["given"] and source not in ("", *parameters["given"]):
            raise DataError(
                f"The given column {aside.name!r} says the same as column {source!r}, which then "
                "has nothing left to be modeled.",
                remedy=f"Drop {source!r}, or do not give {aside.name!r}.",
            )
    z = standardizer.training_rows(table.values, settings["seed"], room(table, standardizer))
    seconds = {"table": perf_counter() - start}
    start = perf_counter()
    layout = ("graph", "lags", "series", "tied", "given", "n_neighbors", "edge_level")
    options = {name: parameters[name] for name in layout}

    def build(rows: FloatArray) -> Domain:
        return build_domain(rows, standardizer.modeled_names, table.names, **options)

    observed = None
    if np.isnan(z).any():
        known = ~np.isnan(z)
        domain, draws = completed(z, build, _DRAWS, settings["seed"], progress)
        state, observed = stacked(draws, domain), stacked(np.repeat(known[None], _DRAWS, 0), domain)
        z = draws.mean(axis=0)
    else:
        domain = build(z)
        state = to_state(z, domain, tied)
    seconds["graph"] = perf_counter() - start
    training, workers = training_options(parameters), workers_of(parameters)
    # processes would take longer to start than small closed forms take
    brief: Executor = Inline() if table.values.size < _WORTHWHILE else workers
    if training is None and parameters["engine"] == "auto":
        workers = brief
    trainer = Trainer(
        domain, parameters["radius"], training, settings["seed"], workers, ledger=ledger
    )
    trained = trainer.train(state, progress, observed=observed)
    field = ScoreField(domain, trained.shards)
    versions = {name: version(name) for name in ("locality", "torch", "numpy")}
    model = Model(
        standardizer,
        domain,
        trained.shards,
        NoiseLevels.for_scales(field.conditional_scale, field.largest_variance),
        limits(state),
        state.shape[1:-1] if tied else (),
        table.n_rows,
        settings,
        seconds | trained.seconds,
        versions | {"python": platform.python_version()},
        table.flavor,
    )
    start = perf_counter()
    reference = None
    if not tied:
        judged = z
        if standardizer.is_spread.any():
            judged = standardizer.judged_rows(table.values, settings["seed"])
            judged = np.where(np.isnan(judged), z, judged)
        reference = cross_fitted(model, z.T, judged.T, parameters, brief)
    model.seconds["reference"] = perf_counter() - start
    return replace(model, reference=reference)
