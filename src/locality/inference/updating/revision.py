"""Revision: sensors that come and go. Only the neighborhood is learned again.

A new sensor first stands alone; a sensor that goes is integrated out of the closed forms that
looked at it (the Gaussian law of the others is exact). Then the neighborhood is learned again as in
any update, and the same gate compares it with that start. Where it is worse for it, the start
stays: the neighbors of a new sensor as they were, and the sensor with or without looking at them;
those of a lost one without it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from os import PathLike
from typing import Any

import numpy as np

from locality._typing import FloatArray, IntArray
from locality.data.kinds import Kind
from locality.data.table import Table
from locality.data.transforms import Standardizer
from locality.data.transforms_columns import joined, renamed, without
from locality.data.transforms_fit import fit_standardizer
from locality.domain.closing import closed_up
from locality.domain.domain import Domain
from locality.domain.graph import DependencyGraph
from locality.exceptions import DataError, GraphError
from locality.inference.updating.choice import require_row_law
from locality.inference.updating.neighbors import closest, learned_links, neighbors_of
from locality.inference.updating.normal_rows import NormalRows
from locality.inference.updating.outcome import Update
from locality.inference.updating.relearning import Learning, wider_levels
from locality.inference.updating.remeasured import learned_reference
from locality.inference.updating.strange import in_columns, merged, still_found
from locality.inference.updating.update import forgotten, silenced, to_be_found, update_model
from locality.local.field import ScoreField
from locality.model.domains import given_graph
from locality.model.layout import limits_of
from locality.model.model import Model
from locality.model.noise import noise_of
from locality.model.settings import Settings
from locality.training.trainer import Trainer

__all__ = ["add_sensors", "remove_sensors"]

_MIN_ROWS = 100
_MIN_SHARE = 0.5  # of the cells of a new column


def add_sensors(
    model: Model,
    table: Table,
    learning: Learning,
    *,
    graph: Any = None,
    margin: float | None = 0.01,
    process_change: str | None = None,
) -> tuple[Model, Update]:
    """Model further columns.

    Parameters
    ----------
    model : Model
    table : Table
        Rows in order of time: the columns of the model, then the new ones.
    learning : Learning
    graph : optional
        Names the neighbors of the new columns; they are learned by default.
    margin : float or None
        By which the neighbors may seem worse.
    process_change : str, optional
        That the process has changed, and why: rows in alarm are learned from, too.

    Raises
    ------
    DataError
        If there are too few rows, or a new column has too few values.
    """
    require_row_law(model)
    settings = learning.settings
    new = table.names[model.standardizer.n_columns :]
    table, first = _since(table, new)
    known_part = table.take(table.names[: -len(new)])
    rows = NormalRows.of(model, known_part, process_change, first=first)
    if rows.n_normal < _MIN_ROWS:
        return model, Update.without_rows(model, margin, rows, _MIN_ROWS)
    windows = to_be_found(model, rows)
    rows = rows.with_table(table)
    from_these = rows.those_before(rows.n_train)
    old = model.standardizer.training_rows(from_these.values[:, : -len(new)])
    near = closest(
        old,
        from_these.values[:, -len(new) :],
        model.domain.targets,
        settings.lags,
    )
    known = [model.domain.names[node] for node in near]
    part = from_these.take([*known, *new])
    noise = settings.noise
    if isinstance(noise, Mapping):
        noise = {name: value for name, value in noise.items() if name in part.names}
    laws = fit_standardizer(part, gaussianize=settings.gaussianize, noise=noise_of(noise, part))
    standardizer = joined(model.standardizer, laws)
    names = standardizer.modeled_names
    fresh = np.arange(model.domain.n_nodes, len(names))
    changed = _settings(model, new, (), {})
    if not len(fresh):  # constants and copies need no law
        told = replace(Update.nothing(model, margin), accepted=True, added=tuple(new)).about(rows)
        kept = in_columns(merged(windows), _places(model, len(new)))
        normal = model.reference  # the rows of the fit do not have the new columns
        return replace(
            model, standardizer=standardizer, settings=changed, strange=kept, normal=normal
        ), told
    z = standardizer.training_rows(from_these.values)
    if graph is not None:
        links = given_graph(graph, list(names), list(table.names))
    else:
        links = learned_links(z, np.concatenate([near, fresh]), settings, model.domain.graph)
    added = _links_of(fresh, links, names, from_file=isinstance(graph, str | PathLike))
    edges = np.vstack([np.column_stack(model.domain.graph.edges()), added])
    domain = Domain(
        DependencyGraph.from_edges(edges, len(names)),
        names,
        model.domain.axes,
        model.domain.context,
    )
    start = replace(
        _alone(model, standardizer, domain, fresh, z, changed),
        strange=in_columns(windows, _places(model, len(new))),
    )
    beside = np.setdiff1d(added[:, :2].astype(np.int64), fresh)
    targets = domain.targets
    fresh, beside = (
        np.searchsorted(targets, np.intersect1d(nodes, targets)) for nodes in (fresh, beside)
    )

    def learned(chosen: IntArray, asked: IntArray) -> tuple[Model, Update]:
        return update_model(start, rows, chosen, learning, margin=margin, gate_on=asked)

    found, told = learned(np.union1d(fresh, beside), beside)
    if not told.accepted:
        found, told = learned(fresh, fresh)
    return _told(model, start, rows, found, told, added=new)


def _links_of(
    fresh: IntArray, links: DependencyGraph, names: Sequence[str], *, from_file: bool
) -> FloatArray:
    """Edges [n_edges, (i, j, weight)] with an end among the new components."""
    edges = np.column_stack(links.edges())
    touching: FloatArray = edges[edges[:, 1] >= fresh[0]]
    if from_file and not len(touching):  # a file with other names in it
        raise GraphError(
            f"The graph has no edge of {', '.join(repr(names[k]) for k in fresh[:5])}.",
            remedy="Name their neighbors, or leave the graph out: they are learned then.",
        )
    return touching


def remove_sensors(
    model: Model,
    table: Table,
    names: Sequence[str],
    learning: Learning,
    *,
    mix: Table | None = None,
    margin: float | None = 0.01,
    process_change: str | None = None,
) -> tuple[Model, Update]:
    """Give up columns.

    Parameters
    ----------
    model : Model
    table : Table
        New rows in order of time: the columns of the model that stay.
    names : sequence of str
        Columns to be given up.
    learning : Learning
    mix : Table, optional
        Older rows to be learned from as well.
    margin : float or None
        By which the neighbors may seem worse than without learning again.
    process_change : str, optional
        That the process has changed, and why: rows in alarm are learned from, too.

    Raises
    ------
    DataError
        If there are too few rows, a column is given to all others, or another is its copy.
    """
    require_row_law(model)
    for name in names:
        if name in learning.settings.context:
            raise DataError(
                f"Column {name!r} is context of all others, so nothing would stay.",
                remedy="Fit again without it.",
            )
    stay = np.array([k for k, n in enumerate(model.standardizer.names) if n not in names])
    standardizer = without(model.standardizer, names)
    gone = np.array([k for k, n in enumerate(model.domain.names) if n in names], dtype=np.int64)
    kept = np.setdiff1d(np.arange(model.domain.n_nodes), gone)
    if not np.isin(kept, model.domain.targets).any():
        raise DataError("No column that is modeled would be left.", remedy="Keep one.")
    if model.settings.feature_names is None:  # columns of an array are named by their places
        places = {name: f"x{j}" for j, name in enumerate(standardizer.names)}
        standardizer = renamed(standardizer, tuple(places.values()))
    else:
        places = {}
    settings = _settings(model, (), names, places)
    if not len(gone):
        told = replace(Update.nothing(model, margin), accepted=True, removed=tuple(names))
        strange = in_columns(model.strange, stay)
        normal = model.reference
        return replace(
            model, standardizer=standardizer, settings=settings, strange=strange, normal=normal
        ), told
    _require_rows(table)
    rows = NormalRows.of(model, _with_gaps(model, table, stay), process_change)
    if rows.n_normal < _MIN_ROWS:
        return model, Update.without_rows(model, margin, rows, _MIN_ROWS)
    windows = [*still_found(model, to_be_found(model, rows), stay)]
    rows = rows.with_table(table)
    older = None
    if mix is not None:
        older = NormalRows.of(model, _with_gaps(model, mix, stay), older=True).with_table(mix)
    beside = neighbors_of(model, gone)
    place = np.full(model.domain.n_nodes, -1, dtype=np.int64)
    place[kept] = np.arange(len(kept))
    domain = Domain(
        closed_up(model.domain.graph, gone),
        standardizer.modeled_names,
        model.domain.axes,
        tuple(place[list(model.domain.context)].tolist()),
    )
    shards = tuple(
        shard.without(gone).renumbered(place)
        for shard in model.shards
        if not np.isin(shard.target, gone).all()
    )
    start = replace(
        model, standardizer=standardizer, field=ScoreField(domain, shards, model.limits[kept]),
        normal=None, ids=model.node_ids[kept], settings=settings,
        strange=in_columns(windows, stay),
    )  # fmt: skip
    found, told = start, Update.nothing(start, margin).about(rows, older)
    if len(beside):
        chosen = np.searchsorted(domain.targets, place[beside])
        found, told = update_model(
            start, rows, chosen, learning, mix=older, margin=margin, gate_on=chosen
        )
    return _told(model, start, rows, found, told, removed=names)


def _told(
    model: Model,
    start: Model,
    rows: NormalRows,
    found: Model,
    told: Update,
    added: Sequence[str] = (),
    removed: Sequence[str] = (),
) -> tuple[Model, Update]:
    """What was learned again, or where the gate refused it the start, with alarms of its own; the
    model as it was if the start forgets what was abnormal.
    """
    told = replace(told, added=tuple(added), removed=tuple(removed))
    if told.accepted:
        return found, told
    normal = learned_reference(start, rows.compact, rows.across)
    found = replace(start, normal=normal, strange=merged(start.strange))
    lost = forgotten(found, start.strange) or silenced(found, rows)
    if lost:
        return model, replace(told.refused(lost), added=(), removed=(), sensors=())
    n_shards = len(start.shards)
    told = replace(told, accepted=True, sensors=(), n_shards=n_shards, n_shards_new=0, why="")
    return found, told


def _places(model: Model, n_new: int) -> IntArray:
    """Which column of the model each one was; −1 for new ones."""
    known = np.arange(model.standardizer.n_columns)
    return np.concatenate([known, np.full(n_new, -1)])


def _with_gaps(model: Model, table: Table, stay: IntArray) -> Table:
    """The columns of the model, those that go without values."""
    names = model.standardizer.names
    values = np.full((table.n_rows, len(names)), np.nan, order="F")
    values[:, stay] = table.values
    unseen = None
    if table.unseen is not None:
        unseen = np.zeros(values.shape, dtype=bool)
        unseen[:, stay] = table.unseen
    real: Kind = "real"
    kinds = (real,) * len(names)
    return Table(values, ~np.isnan(values), names, kinds, time=table.time, unseen=unseen)


def _require_rows(table: Table) -> None:
    if table.n_rows < _MIN_ROWS:
        raise DataError(
            f"To add or remove sensors needs at least {_MIN_ROWS} new rows, found {table.n_rows}.",
            remedy="Collect more.",
        )


def _since(table: Table, new: Sequence[str]) -> tuple[Table, int]:
    """The rows between the first and the last values of the new columns, and the first of them."""
    seen = table.observed[:, -len(new) :]
    for name, column in zip(new, seen.T, strict=True):
        if not column.any():
            raise DataError(f"The new column {name!r} has no value.")
    inside = np.flatnonzero(seen.any(axis=1))
    table = table.rows(int(inside[0]), int(inside[-1]) + 1)
    _require_rows(table)
    for name, share in zip(new, table.observed[:, -len(new) :].mean(axis=0), strict=True):
        if share < _MIN_SHARE:
            raise DataError(
                f"The new column {name!r} has values in {share:.0%} of the {table.n_rows} rows "
                "since they began; at least half are needed.",
                remedy="Pass rows in which it was measured.",
            )
    return table, int(inside[0])


def _alone(
    model: Model,
    standardizer: Standardizer,
    domain: Domain,
    fresh: IntArray,
    z: FloatArray,
    settings: Settings,
) -> Model:
    """The model with new nodes that look at nothing but themselves, their past, and context."""
    state = np.nan_to_num(z.T)  # of the others only context is read
    rng = np.random.default_rng(model.settings.seed)
    for node in fresh:
        column = z[:, node].copy()
        gaps = np.isnan(column)
        column[gaps] = rng.choice(column[~gaps], int(gaps.sum()))
        state[node] = column
    if domain.axes:
        state = state[:, :, None]
    shards = Trainer(domain, 0, seed=model.settings.seed).train(state, cut=[fresh]).shards
    ids = model.node_ids
    return replace(
        model,
        standardizer=standardizer,
        field=ScoreField(
            domain, (*model.shards, *shards), np.vstack([model.limits, limits_of(state[fresh])])
        ),
        levels=wider_levels(domain, model.levels, shards),
        normal=None,
        ids=np.concatenate([ids, ids[-1] + 1 + np.arange(len(fresh))]),
        settings=settings,
    )


def _settings(
    model: Model, added: Sequence[str], removed: Sequence[str], places: Mapping[str, str]
) -> Settings:
    """Settings of a model whose columns have changed."""
    settings = model.settings
    if settings.feature_names is not None:
        left = [name for name in settings.feature_names if name not in removed]
        settings = settings.replace(feature_names=(*left, *added))
    if isinstance(settings.noise, Mapping):
        kept = {name: v for name, v in settings.noise.items() if name not in removed}
        settings = settings.replace(noise={places.get(name, name): v for name, v in kept.items()})
    return settings.replace(
        context=tuple(places.get(name, name) for name in settings.context),
        graph=settings.graph if settings.graph == "learn" else None,
    )
