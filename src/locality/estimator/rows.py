"""Rows at the border of the estimator: tables in, with names checked; frames out.

Names and widths follow scikit-learn: what is scored must have the columns that were fitted, in
their order.
"""

from collections.abc import Sequence
from typing import Any

import narwhals as nw
import numpy as np
from sklearn.utils.validation import validate_data

from locality._typing import FloatArray
from locality.data.frames import Source, build_frame
from locality.data.names import listing
from locality.data.table import Table
from locality.exceptions import DataError, OptionError
from locality.model.model import Model

__all__ = [
    "clean_state",
    "context_rows",
    "context_state",
    "read_other_rows",
    "read_rows",
    "restore_rows",
]


def read_rows(estimator: Any, X: Any, *, reset: bool, min_rows: int = 0) -> Table:
    """The table of an argument X.

    Parameters
    ----------
    estimator : LocalizedDiffusion
    X : frame, array or Table
        A table was read with the states that were fitted, if any were.
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
    time, labels = estimator.time, None
    if not reset:
        settings, labels = estimator.model_.settings, estimator.model_.standardizer.labels
        time = settings.time
    is_named = hasattr(X, "columns")
    if is_named and not reset:  # which are missing says more than which cell is unusable
        validate_data(estimator, _head(X, time), reset=False, skip_check_array=True)
    table = Table.from_frame(X, time=time, min_rows=min_rows, labels=labels)
    if reset or not is_named:
        head = _header(table) if isinstance(X, Table) else _head(X, time)
        validate_data(estimator, head, reset=reset, skip_check_array=True)
    for name in estimator.context:
        if name not in table.names:
            raise DataError(
                f"The context column {name!r} is not in the table.",
                remedy=f"Its columns are {listing(table.names)}.",
            )
    return table


def _header(table: Table) -> Any:
    """What a table came in, without rows: a frame with its columns, or an array."""
    return build_frame(np.empty((0, table.n_columns)), table.names, table.flavor)


def _head(X: Any, time: str | None) -> Any:
    """A frame without its time column, which is no feature: it may come anywhere."""
    X = X.header() if hasattr(X, "header") else X
    frame = nw.from_native(X, eager_only=True, pass_through=True) if time is not None else X
    if isinstance(frame, nw.DataFrame) and time in frame.columns:
        return frame.drop(time).to_native()
    return X


def read_other_rows(
    model: Model, X: Any, *, add: Sequence[str] | None = None, remove: Sequence[str] = ()
) -> Table:
    """The table of an argument X that does not have just the columns fitted.

    Parameters
    ----------
    model : Model
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
    standardizer, time = model.standardizer, model.settings.time
    known, labels = standardizer.names, standardizer.labels
    given = X.names if isinstance(X, Table) else Source.open(X).names
    unknown = [name for name in remove if name not in known]
    if unknown:
        raise DataError(
            f"The model has no column {unknown[0]!r}.", remedy=f"It has {listing(known)}."
        )
    wanted = [name for name in known if name not in remove]
    if add is None:
        add = [] if remove else [n for n in given if n not in (*known, time)]
    for name in add:
        if name == time:
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
    table = Table.from_frame(X, columns=wanted, time=time, labels=labels)
    if add:
        table = table.joined(Table.from_frame(X, columns=add, time=time))
    return table


def context_state(model: Model, context: Any, n_samples: int, n_series: int) -> FloatArray | None:
    """Standardized context columns for sampling.

    Returns
    -------
    float array [n_context, n_samples], or [n_context, n_rows, n_series] for series
        None if the model has no context.
    """
    names = model.layout.context
    if not names:
        if context is not None:
            raise OptionError("The model has no context columns, but context was passed.")
        return None
    if context is None:
        raise OptionError(
            f"The model needs values of its context columns {', '.join(names)}.",
            remedy="Pass context with one row per sample.",
        )
    z = context_rows(model, context, n_samples)
    if not model.layout.is_series:
        return z
    n_rows = -(-n_samples // n_series)
    padded = np.concatenate([z, np.repeat(z[:, -1:], n_rows * n_series - n_samples, 1)], axis=1)
    shaped: FloatArray = padded.reshape(len(names), n_series, n_rows).transpose(0, 2, 1)
    return shaped


def clean_state(estimator: Any, model: Model, context: Any, past: Any) -> FloatArray:
    """What the score of a row depends on beside the row: its context, and the rows before it.

    Parameters
    ----------
    estimator : LocalizedDiffusion
    model : Model
        That of the estimator, unrolled.
    context : frame or array [1 or n, n_context], optional
    past : frame or array [n_rows, n_columns], optional

    Returns
    -------
    float array [n_nodes, n_samples], or [n_nodes, n_past + 1, n_samples] for series

    Raises
    ------
    OptionError
        If rows have no score of their own, context is missing, or a past has no use.
    """
    layout, rows = model.layout, np.zeros((model.domain.n_nodes, 0))
    if not layout.has_row_law:
        raise OptionError(
            "Rows of a joint series have no score of their own.",
            remedy='Fit with series="causal".',
        )
    if past is not None and layout.n_lags:
        table = read_rows(estimator, past, reset=False)
        table.require_complete()
        rows = layout.standard_rows(table)[:, -layout.n_lags :]
    elif past is not None:
        raise OptionError("The model has no lags, so no row has a past.")
    if layout.context and context is None:
        raise OptionError(f"The field needs context: {', '.join(layout.context)}.")
    n = 1 if context is None else len(context)
    extent = (rows.shape[1] + 1,) if model.domain.axes else ()
    values = np.zeros((model.domain.n_nodes, *extent, n))
    if extent:
        values[:, :-1] = rows[:, :, None]
    if context is not None:
        here = values[:, -1] if extent else values
        here[list(model.domain.context)] = context_rows(model, context, n)
    return values


def context_rows(model: Model, context: Any, n_rows: int) -> FloatArray:
    """Standardized context [n_context, n_rows], in the order of the domain.

    Parameters
    ----------
    model : Model
    context : frame, array or Table [n_rows, n_context]
        An array has its columns in the order in which they were named for the fit.
    n_rows : int
        As many are needed.

    Raises
    ------
    DataError
        If there are others, or values are missing.
    """
    names, labels = model.layout.context, model.standardizer.labels
    listed = [name for name in model.settings.context if name in names]
    named = isinstance(context, Table) or hasattr(context, "columns")
    if named:
        table = Table.from_frame(context, columns=names, labels=labels)
    else:
        table = Table.from_frame(context)
    table.require_complete()
    if table.values.shape != (n_rows, len(names)):
        raise DataError(
            f"context has {table.n_rows} rows and {table.n_columns} columns, expected "
            f"{n_rows} rows and the columns {', '.join(listed)}."
        )
    order = names if named else listed
    return np.stack(
        [model.standardizer.component(name, table.values[:, order.index(name)]) for name in names]
    )


def restore_rows(model: Model, rows: FloatArray, context: Any = None) -> Any:
    """Standardized components to a frame of all columns in original units.

    Parameters
    ----------
    model : Model
    rows : float array [n_rows, n_components]
    context : frame or array [n_rows, n_context], optional
        Needed if the model has any.
    """
    standardizer, z = model.standardizer, None
    if model.layout.context:
        z = context_rows(model, context, len(rows))
    return build_frame(
        model.layout.restore(rows, z),
        standardizer.names,
        model.flavor,
        kinds=standardizer.kinds,
        labels=standardizer.labels,
        dtypes=standardizer.dtypes,
    )
