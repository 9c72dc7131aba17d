"""Fitting of a standardizer: laws of columns, and which of them have none.

Laws are chosen column by column; constants and copies are set aside (see `redundancy`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from locality._typing import FloatArray
from locality.data.marginal import Marginal
from locality.data.marginal_fit import fit_marginal, spacing_of
from locality.data.names import listing
from locality.data.redundancy import find_constants, find_copies
from locality.data.resolution import decimal_step
from locality.data.table import Table
from locality.data.transforms import Standardizer
from locality.exceptions import DataError

__all__ = ["fit_standardizer", "rescaled"]


def fit_standardizer(
    table: Table,
    *,
    gaussianize: bool = True,
    noise: Mapping[str, float] | None = None,
    pooled: bool = False,
) -> Standardizer:
    """Learn the laws of the columns, and find constant columns and copies.

    Missing values are passed over; columns with gaps are not compared with others.

    Parameters
    ----------
    table : Table
    gaussianize : bool, default True
        Give columns laws of their own; if not, all are taken as they are.
    noise : mapping of str to float, optional
        Standard deviation of the measurement noise of some columns, in their units: nothing
        finer is learned.
    pooled : bool, default False
        One law, mean and scale for all columns.

    Raises
    ------
    DataError
        A column has no value at all, no column varies, or one was set aside that should share
        the law of the others.
    """
    empty = [repr(table.names[j]) for j in np.flatnonzero(~table.observed.any(axis=0))]
    if empty:
        raise DataError(
            f"{'columns' if len(empty) > 1 else 'column'} without any value: {listing(empty)}.",
            remedy="Leave them out (drop=..., --drop).",
        )
    # column by column: no second copy of a large table
    mean = np.array([np.nanmean(table.values[:, j]) for j in range(table.n_columns)])
    scale = _deviations(table.values, mean)
    constants = find_constants(table, mean, scale)
    if len(constants) == table.n_columns:
        raise DataError(
            f"none of the {table.n_columns} columns varies over {table.n_rows} row"
            f"{'s' * (table.n_rows > 1)}.",
            remedy="Pass rows that differ.",
        )
    columns = np.arange(table.n_columns)
    varying = np.setdiff1d(columns, [aside.column for aside in constants])
    whole = varying[table.observed[:, varying].all(axis=0)]
    copies = find_copies(table, mean, scale, whole)
    modeled = np.setdiff1d(varying, [aside.column for aside in copies])
    set_aside = tuple(sorted([*constants, *copies], key=lambda aside: aside.column))
    labels = {name: table.labels[name] for name in table.names if name in table.labels}
    plain = Standardizer(
        table.names, table.kinds, modeled, mean[modeled], scale[modeled], set_aside,
        labels=labels, dtypes=dict(table.dtypes),
    )  # fmt: skip
    if pooled and set_aside:
        listed = ", ".join(f"{aside.name!r} ({aside.reason})" for aside in set_aside[:10])
        raise DataError(
            f"columns cannot share one law: {listed}.",
            remedy="Leave these columns out, or model every column by itself.",
        )
    return _with_laws(plain, table, gaussianize, noise or {}, pooled)


def _with_laws(
    plain: Standardizer, table: Table, gaussianize: bool, noise: Mapping[str, float], pooled: bool
) -> Standardizer:
    """Laws, blur, and with them mean and scale."""
    names = plain.modeled_names
    kinds = [plain.kinds[j] for j in plain.modeled]
    marginals: dict[int, Marginal] = {}
    blur = np.zeros((plain.n_modeled, 2))
    blur[:, 1] = [float(noise.get(name, 0.0)) for name in names]
    for place, (column, kind) in enumerate(zip(plain.modeled, kinds, strict=True)):
        if not pooled or place == 0:
            values = table.values.ravel() if pooled else table.values[:, column]
            law = fit_marginal(values, kind, atoms=not blur[place, 1]) if gaussianize else None
            width = spacing_of(values, kind) if gaussianize else 0.0
        if law is not None:
            marginals[place] = law
        blur[place, 0] = 0.0 if blur[place, 1] else width
    blurred = replace(plain, marginals=marginals, blur=blur)
    mean, scale, log_scale = plain.mean.copy(), plain.scale.copy(), np.zeros(plain.n_modeled)
    special = sorted({*marginals, *np.flatnonzero(blur.any(axis=1)).tolist()})
    for place in special:
        y = blurred.spread(table.values[:, plain.modeled[place]], place, 0)
        mean[place] = np.nanmean(y)
        scale[place] = _deviations(y[:, None], mean[place : place + 1])[0]
    if pooled:
        center = mean.mean()
        scale = np.full_like(scale, np.sqrt(np.mean(scale**2 + (mean - center) ** 2)))
        mean = np.full_like(mean, center)
    log_scale = np.log(scale)
    for place, law in marginals.items():
        x = table.values[:, plain.modeled[place]]
        y = blurred.spread(x, place, 0)
        log_scale[place] -= np.nanmean(law.log_slope_at(x, y))
    steps = np.array([decimal_step(table.values[:, column]) for column in plain.modeled])
    return replace(blurred, mean=mean, scale=scale, log_scale=log_scale, steps=steps)


def rescaled(
    standardizer: Standardizer, names: Sequence[str], values: FloatArray, tolerance: float
) -> Standardizer:
    """The same map with means and scales of some components measured anew.

    Parameters
    ----------
    standardizer : Standardizer
    names : sequence of str
        Of components.
    values : float array [n_rows, n_columns]
    tolerance : float
        Means that moved less, in standard deviations, and scales whose logarithm did, stay.
    """
    mean, scale, log_scale = (
        standardizer.mean.copy(),
        standardizer.scale.copy(),
        standardizer.log_scale.copy(),
    )
    known = standardizer.known(values)
    for name in names:
        place = standardizer.modeled_names.index(name)
        y = standardizer.spread(known[:, standardizer.modeled[place]], place, 0)
        y = y[~np.isnan(y)]
        new = float(y.std()) if len(y) else 0.0
        if not new > 0.0:
            continue
        center = float(y.mean())
        ratio = np.log(new / standardizer.scale[place])
        if abs(center - standardizer.mean[place]) > tolerance * standardizer.scale[place] or (
            abs(ratio) > tolerance
        ):
            mean[place], scale[place] = center, new
            log_scale[place] += ratio
    return replace(standardizer, mean=mean, scale=scale, log_scale=log_scale)


def _deviations(values: FloatArray, mean: FloatArray) -> FloatArray:
    """Standard deviations column by column, without a second copy of the table."""
    scale = np.empty(values.shape[1])
    for j in range(values.shape[1]):
        centered = values[:, j] - mean[j]
        centered = centered[~np.isnan(centered)]
        peak = float(np.abs(centered).max())
        if peak > 0:
            centered /= peak  # squares of very small numbers would vanish
        scale[j] = peak * np.sqrt(centered @ centered / len(centered))
    return scale
