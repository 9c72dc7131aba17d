"""How many neighbors a learned graph keeps: the fewest that rows which taught it nothing ask for.

An edge too many costs: closed forms and networks learn noise from it, and since it was found in
the rows that nats are told from, it promises more than it keeps (of a chain of 40 double wells and
500 rows, learned with 8 neighbors, .007 nats per component). So graphs of several sizes are learned
from three of the folds, and their closed forms judged by the other two, the last rows among them.
"""

from collections.abc import Sequence

import numpy as np

from locality._typing import BoolArray, FloatArray, IntArray
from locality.data.folds import N_FOLDS, fold_of_row
from locality.domain.discovery import MIN_ROWS
from locality.domain.domain import Domain
from locality.model.domains import MOST_NEIGHBORS, learned_domains
from locality.model.layout import stacked
from locality.model.learning import trainer_for
from locality.model.settings import Settings
from locality.training.execution import Execution
from locality.training.radius import choose_radii
from locality.training.shard import measure
from locality.training.trainer import Progress

__all__ = ["NUMBERS", "fewest_neighbors"]

NUMBERS = (2, 4, MOST_NEIGHBORS)
"""Neighbors of each column that are tried."""
_JUDGED = (0, N_FOLDS - 1)
_SHRINKAGES = (0.003, 0.03, 0.2)
_MOST_SHARDS = 4  # of which nats are asked
_LEAST_GAIN = 0.002  # nats per component that more neighbors must bring
_MIN_ROWS = 40  # to choose by; with fewer all are kept


def fewest_neighbors(
    draws: FloatArray,
    observed: BoolArray | None,
    names: Sequence[str],
    settings: Settings,
    progress: Progress,
) -> int:
    """The smallest number of neighbors whose closed forms lose little on rows held out.

    Parameters
    ----------
    draws : float array [n_draws, n_rows, n_columns]
        Standardized and complete, the same rows several times where values are missing.
    observed : bool array [n_draws, n_rows, n_columns], optional
        False where a value is a draw in place of a missing one.
    names : sequence of str
    settings : Settings
    progress : callable
        Called with ("neighbors", graphs judged, graphs in all).
    """
    z = draws[0]
    rows = ~np.isin(fold_of_row(len(z)), _JUDGED)
    if len(z) < _MIN_ROWS or rows.sum() < MIN_ROWS + settings.lags:
        return NUMBERS[-1]
    domains = learned_domains(z[rows], names, settings, NUMBERS)
    state = stacked(draws, domains[-1])
    seen = None if observed is None else stacked(observed, domains[-1])
    cut = trainer_for(domains[-1], settings, Execution(), None).cut()
    cut = [cut[k] for k in np.unique(np.linspace(0, len(cut) - 1, _MOST_SHARDS).astype(int))]
    nats: list[float] = []
    for done, domain in enumerate(domains, 1):
        same = done > 1 and domain.graph.n_edges == domains[done - 2].graph.n_edges
        nats.append(nats[-1] if same else _held_out(domain, settings, state, seen, cut))
        progress("neighbors", done, len(domains))
    return NUMBERS[int((np.array(nats) <= min(nats) + _LEAST_GAIN).argmax())]


def _held_out(
    domain: Domain,
    settings: Settings,
    state: FloatArray,
    observed: BoolArray | None,
    cut: list[IntArray],
) -> float:
    """Mean nats of the closed forms of some components, at the radii that are best for them."""
    trainer = trainer_for(domain, settings, Execution(), None)
    curves = (
        measure(task, _JUDGED, _SHRINKAGES) for task in trainer.tasks(state, None, observed, cut)
    )
    nats = [curve.chosen(choose_radii(curve), curve.nats).sum(axis=1) for curve in curves]
    return float(np.concatenate(nats).mean())
