"""Neighbors of sensors that come or go: who is joined to a new one, who looked at a lost one."""

import numpy as np

from locality._typing import FloatArray, IntArray
from locality.domain.discovery import learn_linear_graph
from locality.domain.graph import DependencyGraph
from locality.model.model import Model
from locality.model.settings import Settings

__all__ = ["closest", "learned_links", "neighbors_of"]

_CANDIDATES = 60  # columns among which the neighbors of a new one are looked for
_MOST_INCOMPLETE = 0.5  # of the rows, which are then left out


def closest(rows: FloatArray, new: FloatArray, nodes: IntArray, lags: int) -> IntArray:
    """The nodes that new columns go most with, at any lag: at most 60 for each.

    Parameters
    ----------
    rows : float array [n_rows, n_nodes]
        Standardized; NaN where missing.
    new : float array [n_rows, n_new]
        In any units.
    nodes : int array
        To be chosen from.
    lags : int

    Returns
    -------
    int array
        Ascending.
    """
    old = np.nan_to_num(rows[:, nodes])
    found = []
    for column in new.T:
        deviation = np.nanstd(column)
        z = np.nan_to_num((column - np.nanmean(column)) / (deviation if deviation > 0 else 1.0))
        strength = np.zeros(len(nodes))
        for lag in range(-lags, lags + 1):
            early, late = (old, z) if lag >= 0 else (z, old)
            n = len(z) - abs(lag)
            strength = np.maximum(strength, np.abs(early[:n].T @ late[abs(lag) :]) / len(z))
        found.append(np.argsort(-strength, kind="stable")[:_CANDIDATES])
    return np.asarray(nodes[np.unique(np.concatenate(found))])


def learned_links(
    z: FloatArray, nodes: IntArray, settings: Settings, known: DependencyGraph
) -> DependencyGraph:
    """Dependences among some columns, in a graph of all.

    Parameters
    ----------
    z : float array [n_rows, n_nodes]
        Standardized; NaN where missing.
    nodes : int array
    settings : Settings
    known : DependencyGraph
        Of the columns before; where held-out rows chose its size, new ones get as many neighbors.
    """
    most = settings.n_neighbors
    if isinstance(most, str):
        most = max(1, round(float(np.median(known.degrees))))
    rows = z[:, nodes]
    whole = ~np.isnan(rows).any(axis=1)
    rows = rows[whole] if whole.mean() > _MOST_INCOMPLETE else np.nan_to_num(rows)
    found = learn_linear_graph(
        rows,
        settings.lags,
        min(most, max(1, len(nodes) - 1)),
        settings.edge_level,
    )
    i, j, weight = found.graph.edges()
    return DependencyGraph.from_edges(np.column_stack([nodes[i], nodes[j], weight]), z.shape[1])


def neighbors_of(model: Model, gone: IntArray) -> IntArray:
    """The other targets that are joined to some nodes, or whose networks see one of them."""
    found = [
        np.intersect1d(model.domain.graph.neighbors(node), model.domain.targets) for node in gone
    ]
    for shard in model.shards:
        lost = shard.networks.unit[shard.seeing(gone)[1]]
        found.append(shard.target[lost])
    return np.setdiff1d(np.concatenate(found), gone)
