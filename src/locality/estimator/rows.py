"""Rows at the border of the estimator: tables in, with names checked; frames out.

Names and widths follow scikit-learn: what is scored must have the columns that were fitted, in
their order.
"""

from collections.abc import Sequence
from typing import Any

import narwhals as nw
import numpy as np
from sklearn.utils.validation import _check_feature_names, _check_n_features

from locality._typing import FloatArray
from locality.data.columns import ColumnFile
from locality.data.frames import Source, build_frame
from locality.data.names import listing
from locality.data.table import Table
from locality.exceptions import DataError, OptionError

__all__ = ["context_state", "read_other_rows", "read_rows", "restore_rows"]


def read_rows(estimator: Any, X: Any, *, reset: bool, min_rows: int) -> Table:
    """The table of an argument X.

    Parameters
    ----------
    estimator : LocalizedDiffusion
    X : frame or array
    reset : bool
        Remember names and width (in ``fit``) or compare with them.
    min_rows : int

    Raises
    ------
    DataError
        If a cell, column or name is unusable.
    ValueError
        From scikit-learn, if names or width differ from those fitted.
    """
    if reset:
        table = Table.from_frame(X, time=estimator.time, min_rows=min_rows)
    head = _without_time(X.header() if isinstance(X, ColumnFile) else X, estimator.time)
    _check_feature_names(estimator, head, reset=reset)
    if not reset:
        labels = estimator.model_.standardizer.labels
        table = Table.from_frame(X, time=estimator.time, min_rows=min_rows, labels=labels)
    _check_n_features(estimator, head, reset=reset)
    for name in estimator.given:
        if name not in table.names:
            raise DataError(
                f"The given column {name!r} is not in the table.",
                remedy=f"Its columns are {', '.join(table.names[:10])}"
                + (" …" if table.n_columns > 10 else "")
                + ".",
            )
    return table


def _without_time(X: Any, time: str | None) -> Any:
    """A frame without its time column, which is no feature: it may come anywhere."""
    frame = nw.from_native(X, eager_only=True, pass_through=True) if time is not None else X
    if isinstance(frame, nw.DataFrame) and time in frame.columns:
        return frame.drop(time).to_native()
    return X


def read_other_rows(
    estimator: Any, X: Any, *, add: Sequence[str] | None = None, remove: Sequence[str] = ()
) -> Table:
    """The table of an argument X that does not have just the columns fitted.

    Parameters
    ----------
    estimator : LocalizedDiffusion
    X : frame or array
    add : sequence of str, optional
        Columns that come after those fitted; all further ones if None and nothing is removed.
    remove : sequence of str
        Columns that are left out. An array still has them.

    Returns
    -------
    Table
        Columns of the model in its order, then the added ones.

    Raises
    ------
    DataError
        If a column is missing, is already modeled, or is none of the model.
    """
    standardizer = estimator.model_.standardizer
    known, labels = standardizer.names, standardizer.labels
    given = Source.open(X).names
    unknown = [name for name in remove if name not in known]
    if unknown:
        raise DataError(
            f"The model has no column {unknown[0]!r}.", remedy=f"It has {listing(known)}."
        )
    wanted = [name for name in known if name not in remove]
    if add is None:
        add = [] if remove else [n for n in given if n not in (*known, estimator.time)]
    for name in add:
        if name == estimator.time:
            raise DataError(f"{name!r} is the time column.", remedy="It is not modeled.")
        if name in known:
            raise DataError(f"The model has a column {name!r} already.", remedy="Use update.")
    if len(set(add)) < len(add):
        raise DataError("A column to be added is named twice.", remedy="Name it once.")
    lost = [name for name in (*wanted, *add) if name not in given]
    if lost:
        raise DataError(
            f"The table lacks column {lost[0]!r}.", remedy=f"Its columns are {listing(given)}."
        )
    if not (add or remove):
        raise DataError(
            "The table has no column that the model lacks.", remedy="Pass one with new columns."
        )
    table = Table.from_frame(X, columns=wanted, time=estimator.time, labels=labels)
    if add:
        table = table.joined(Table.from_frame(X, columns=add, time=estimator.time))
    return table


def context_state(estimator: Any, context: Any, n_samples: int, n_series: int) -> FloatArray | None:
    """Standardized context columns for sampling.

    Returns
    -------
    float array [n_context, n_samples], or [n_context, n_rows, n_series] for series
        None if the model has no context.
    """
    model = estimator.model_
    names = [model.domain.names[j] for j in model.domain.context]
    if not names:
        if context is not None:
            raise OptionError("The model has no given columns, but context was passed.")
        return None
    if context is None:
        raise OptionError(
            f"The model needs values of its given columns {', '.join(names)}.",
            remedy="Pass context with one row per sample.",
        )
    values = _context_values(estimator, context, names)
    if values.shape != (n_samples, len(names)):
        raise DataError(
            f"context has {len(values)} rows and {values.shape[1]} columns, expected "
            f"{n_samples} rows and the columns {', '.join(_as_given(estimator, names))}."
        )
    z: FloatArray = np.stack(
        [model.standardizer.component(name, values[:, j]) for j, name in enumerate(names)]
    )
    if not model.is_series:
        return z
    n_rows = -(-n_samples // n_series)
    padded = np.concatenate([z, np.repeat(z[:, -1:], n_rows * n_series - n_samples, 1)], axis=1)
    shaped: FloatArray = padded.reshape(len(names), n_series, n_rows).transpose(0, 2, 1)
    return shaped


def restore_rows(estimator: Any, rows: FloatArray, context: Any) -> Any:
    """Standardized components to a frame of all columns in original units.

    Parameters
    ----------
    estimator : LocalizedDiffusion
    rows : float array [n_rows, n_components]
    context : frame or array, optional
        As given to ``sample``.
    """
    model = estimator.model_
    standardizer = model.standardizer
    whole = np.zeros((len(rows), standardizer.n_modeled))
    place = {name: j for j, name in enumerate(standardizer.modeled_names)}
    whole[:, [place[name] for name in estimator.component_names_]] = rows
    names = [model.domain.names[j] for j in model.domain.context]
    if names:
        values = _context_values(estimator, context, names)
        for j, name in enumerate(names):
            whole[:, place[name]] = standardizer.component(name, values[:, j])
    return build_frame(
        standardizer.restore(whole),
        standardizer.names,
        model.flavor,
        kinds=standardizer.kinds,
        labels=standardizer.labels,
        dtypes=standardizer.dtypes,
    )


def _context_values(estimator: Any, context: Any, names: list[str]) -> FloatArray:
    """Context in the order of the domain; an array has its columns in the order of ``given``."""
    labels = estimator.model_.standardizer.labels
    if hasattr(context, "columns"):
        table = Table.from_frame(context, columns=names, labels=labels)
        table.require_complete()
        return table.values
    table = Table.from_frame(context)
    table.require_complete()
    if table.n_columns != len(names):
        return table.values  # refused by its shape
    order = _as_given(estimator, names)
    return table.values[:, [order.index(name) for name in names]]


def _as_given(estimator: Any, names: list[str]) -> list[str]:
    return [name for name in estimator.given if name in names]
