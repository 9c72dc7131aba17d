"""Fitting: from a table and the settings of an estimator to a model."""

import platform
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from typing import Any, TypeAlias

import numpy as np

from locality._typing import FloatArray
from locality.data.table import Table
from locality.data.transforms import Standardizer
from locality.data.transforms_fit import fit_standardizer
from locality.exceptions import DataError
from locality.inference.judging.crossfit import CrossFit
from locality.inference.updating.completion import completed
from locality.model.domains import build_domain, learned_domains
from locality.model.layout import limits_of, stacked
from locality.model.learning import trainer_for, training_options
from locality.model.model import Model
from locality.model.noise import noise_of
from locality.model.settings import Settings
from locality.model.thinning import fewest_neighbors
from locality.training.execution import Execution
from locality.training.trainer import Ledger, Progress, quiet

__all__ = ["Fit"]

_LARGE = 1 << 27  # values, of a table that is learned from in single precision
_WORTHWHILE = 1 << 23  # values, from which closed forms are shared between processes
_DRAWS = 3  # of missing values, side by side

_Room: TypeAlias = Callable[[Table, Standardizer], "np.ndarray | None"]


@dataclass(frozen=True, eq=False)
class Fit:
    """How a table is learned from.

    Parameters
    ----------
    settings : Settings
    graph : object
        As in ``LocalizedDiffusion``.
    execution : Execution
    progress : callable
        Called with (stage, shards done, shards in all).
    ledger : Ledger, optional
        Where finished shards are kept, and looked for.
    """

    settings: Settings
    graph: Any = "learn"
    execution: Execution = field(default_factory=Execution)
    progress: Progress = quiet
    ledger: Ledger | None = None

    def __call__(self, table: Table) -> Model:
        """Standardize the columns, find or take the graph, train the shards.

        Large tables are learned from a file in the folder for temporary ones.

        Raises
        ------
        DataError
            If a column has no values, nothing varies, or a context column repeats a modeled one.
        GraphError
            If the graph does not fit the columns.
        """
        if table.values.size <= _LARGE:
            return self._fit(table, lambda *_: None)
        with tempfile.TemporaryDirectory(prefix="locality-") as folder:

            def room(table: Table, standardizer: Standardizer) -> np.ndarray:
                shape = (standardizer.n_modeled, table.n_rows)
                rows = np.memmap(Path(folder) / "rows.f4", np.float32, "w+", shape=shape)
                return rows.T

            model = self._fit(table, room)
            return replace(model, normal=model.reference)  # while the file is there

    def _fit(self, table: Table, room: _Room) -> Model:
        settings, start = self.settings, perf_counter()
        standardizer = fit_standardizer(
            table,
            gaussianize=settings.gaussianize,
            noise=noise_of(settings.noise, table),
            pooled=settings.tied,
        )
        _require_context(standardizer, settings.context)
        z = standardizer.training_rows(table.values, settings.seed, room(table, standardizer))
        seconds = {"table": perf_counter() - start}
        start = perf_counter()
        build = partial(
            build_domain,
            names=standardizer.modeled_names,
            all_names=table.names,
            graph=self.graph,
            settings=settings,
        )
        known, names = ~np.isnan(z), standardizer.modeled_names
        draws, observed, domain = z[None], None, None
        if not known.all():
            domain, draws = completed(z, build, _DRAWS, settings.seed, self.progress)
            observed = np.repeat(known[None], _DRAWS, axis=0)
            z = draws[0]
        if self._graph_is_open:
            number = fewest_neighbors(draws, observed, names, settings, self.progress)
            domain = learned_domains(z, names, settings, (number,))[0]
        elif domain is None:
            domain = build(z)
        state = stacked(draws, domain)
        observed = None if observed is None else stacked(observed, domain)
        seconds["graph"] = perf_counter() - start
        options = training_options(settings, self.execution)
        # processes would take longer to start than small closed forms take
        brief = Execution() if table.values.size < _WORTHWHILE else self.execution
        is_brief = options is None and self.execution.engine == "auto"
        trainer = trainer_for(
            domain, settings, brief if is_brief else self.execution, options, self.ledger
        )
        trained = trainer.train(state, self.progress, observed=observed)
        score = trained.field(limits_of(state))
        versions = {name: version(name) for name in ("locality", "torch", "numpy")}
        return Model(
            standardizer,
            score,
            score.needed_levels,
            state.shape[1:-1] if settings.tied else (),
            table.n_rows,
            settings,
            seconds | trained.seconds,
            versions | {"python": platform.python_version()},
            table.flavor,
            self._normal(table, z),
        )

    @property
    def _graph_is_open(self) -> bool:
        """Whether held-out rows are asked for the size of the graph."""
        learned = isinstance(self.graph, str) and self.graph == "learn"
        return learned and not self.settings.tied and self.settings.n_neighbors == "auto"

    def _normal(self, table: Table, z: FloatArray) -> CrossFit | None:
        """What tells how normal rows look; nothing of a tied field."""
        return None if self.settings.tied else CrossFit(z, table.values)


def _require_context(standardizer: Standardizer, context: tuple[str, ...]) -> None:
    """Refuse a context column that leaves a modeled one nothing to say."""
    for aside in standardizer.set_aside:
        source = standardizer.names[aside.source] if aside.reason != "constant" else ""
        if aside.name in context and source not in ("", *context):
            raise DataError(
                f"The context column {aside.name!r} says the same as column {source!r}, which then "
                "has nothing left to be modeled.",
                remedy=f"Drop {source!r}, or do not name {aside.name!r} as context.",
            )
