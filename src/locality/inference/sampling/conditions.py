"""Conditions: rows in which some columns are held at values, or bounded."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from locality._typing import FloatArray
from locality.exceptions import DataError, OptionError
from locality.inference.laws.table import GaussianTable, Posterior
from locality.inference.laws.truncated import truncated_normal
from locality.inference.sampling.draw import Drawing
from locality.inference.sampling.missing import draw_missing
from locality.model.model import Model

__all__ = ["Condition", "conditional_rows", "parse_conditions"]

_TRUTH = {"true": "1", "false": "0"}


@dataclass(frozen=True)
class Condition:
    """A column that is held, or bounded.

    Parameters
    ----------
    low, high : float
        Equal if the column is held at a value; infinite if there is no bound.
    """

    low: float
    high: float

    @property
    def is_value(self) -> bool:
        """Whether the column is held at a value."""
        return self.low == self.high


def parse_conditions(
    text: str | Mapping[str, Any],
    labels: Mapping[str, Sequence[str]] | None = None,
    truth_values: Collection[str] = (),
) -> dict[str, Condition]:
    """Conditions from ``"xmv_01=60, flow>120"``, or a mapping of columns to values or pairs.

    Parameters
    ----------
    text : str or mapping
    labels : mapping of str to sequence of str, optional
        Texts of the columns of states.
    truth_values : collection of str, optional
        Columns that may be held at "true" and "false".

    Raises
    ------
    OptionError
        Naming the part that cannot be read.

    Examples
    --------
    >>> parse_conditions("a=1, b>2, b<=3")
    {'a': Condition(low=1.0, high=1.0), 'b': Condition(low=2.0000000000000004, high=3.0)}
    >>> parse_conditions("mode=auto", {"mode": ("manual", "auto")})
    {'mode': Condition(low=1.0, high=1.0)}
    >>> parse_conditions("open=true", truth_values=("open",))
    {'open': Condition(low=1.0, high=1.0)}
    >>> parse_conditions({"a": 1, "b": (None, 3)})
    {'a': Condition(low=1.0, high=1.0), 'b': Condition(low=-inf, high=3.0)}
    """
    found: dict[str, Condition] = {}
    states = labels or {}
    if isinstance(text, Mapping):
        for name, value in text.items():
            if name in states:
                code = _code(str(name), str(value), states[name])
                found[str(name)] = Condition(code, code)
                continue
            low, high = value if isinstance(value, tuple | list) else (value, value)
            low, high = (
                -np.inf if low is None else float(low),
                np.inf if high is None else float(high),
            )
            if np.isnan([low, high]).any():
                raise OptionError(f"The condition on {name!r} is no number.")
            found[str(name)] = Condition(low, high)
        return found
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        sign = next((s for s in (">=", "<=", ">", "<", "=") if s in part), None)
        name, _, number = part.partition(sign) if sign else (part, "", "")
        if sign == "=" and name.strip() in states:
            code = _code(name.strip(), number.strip(), states[name.strip()])
            found[name.strip()] = Condition(code, code)
            continue
        if name.strip() in truth_values:
            number = _TRUTH.get(number.strip().lower(), number)
        try:
            value = float(number)
        except ValueError:
            value = np.nan
        if not sign or not name.strip() or not np.isfinite(value):
            raise OptionError(
                f"The condition {part!r} cannot be read.",
                remedy='Write conditions as "column=60, other>120".',
            )
        old = found.get(name.strip(), Condition(-np.inf, np.inf))
        low = value if sign in ("=", ">=") else old.low
        high = value if sign in ("=", "<=") else old.high
        if sign == ">":  # beyond the value itself, which may be taken again and again
            low = float(np.nextafter(value, np.inf))
        elif sign == "<":
            high = float(np.nextafter(value, -np.inf))
        found[name.strip()] = Condition(max(low, old.low), min(high, old.high))
    return found


def _code(name: str, text: str, states: Sequence[str]) -> float:
    if text not in states:
        raise OptionError(
            f"The condition holds {name!r} at {text!r}, which it never was.",
            remedy=f"Its states are {', '.join(states)}.",
        )
    return float(list(states).index(text))


def conditional_rows(
    model: Model,
    conditions: Mapping[str, Condition],
    drawing: Drawing,
    context: FloatArray | None,
    seed: int,
) -> FloatArray:
    """Standardized rows [n_targets, n_rows] in which some columns are held or bounded.

    Bounded columns are drawn first, from the closed form given the held ones; then all others
    given both: by posterior sampling if a table has networks, else by the closed form. Rows of a
    series follow one another, with the columns held in all of them.

    Raises
    ------
    DataError
        If a column is unknown or set aside.
    OptionError
        If bounds contradict each other, or those of a series are asked of too many rows.
    """
    domain, standardizer = model.domain, model.standardizer
    where = {domain.names[node]: j for j, node in enumerate(domain.targets)}
    rng, n_rows = np.random.default_rng(seed), drawing.n_samples
    rows = np.full((domain.n_nodes, n_rows), np.nan)
    if context is not None:
        rows[list(domain.context)] = context
    bounded: dict[int, tuple[float, float]] = {}
    for name, condition in conditions.items():
        if name not in where:
            raise DataError(
                f"The condition names {name!r}, which the model does not model.",
                remedy=f"Modeled columns are {', '.join(list(where)[:10])}"
                + (" …" if len(where) > 10 else "."),
            )
        if condition.low > condition.high:
            raise OptionError(
                f"No value of {name!r} is at least {condition.low:g} and at most "
                f"{condition.high:g}."
            )
        if condition.is_value:  # anywhere in the interval of a value taken again and again
            spots = standardizer.component(name, np.full(n_rows, condition.low), rng.random(n_rows))
            _require_possible(model, name, condition.low, float(spots[0]))
            rows[domain.targets[where[name]]] = spots
        else:
            low, high = (
                float(standardizer.component(name, bound, side)[0])
                for bound, side in ((condition.low, 0.0), (condition.high, 1.0))
            )
            bounded[where[name]] = (low, high)
    gaussian = GaussianTable(model.field)
    if bounded:
        _hold_bounded(gaussian, rows, bounded, rng, model.layout.is_series)
    if model.has_networks and not domain.axes:
        walk = drawing.walk(model.levels)
        drawn: FloatArray = draw_missing(model.field, walk, rows, 1, seed)[0]
        return drawn
    found: Posterior = gaussian.posterior(rows, 1, rng, n_variance=0)
    return np.asarray(found.draws[0])


def _require_possible(model: Model, name: str, value: float, spot: float) -> None:
    """Refuse a value that the column would not keep when it is drawn."""
    standardizer = model.standardizer
    kind = standardizer.kinds[standardizer.names.index(name)]
    nearest = float(standardizer.values_of(np.array([[spot]]), [name])[0, 0])
    nearest = nearest if kind == "real" else float(np.rint(nearest))
    spread = float(standardizer.scale[standardizer.modeled_names.index(name)])
    if abs(nearest - value) > 1e-6 * (abs(value) + (spread if kind == "real" else 0.0)):
        raise OptionError(
            f"The condition holds {name!r} at {value:g}, which it cannot be: by what was seen of "
            f"it, {nearest:g} is the nearest value."
        )


def _hold_bounded(
    gaussian: GaussianTable,
    rows: FloatArray,
    bounded: Mapping[int, tuple[float, float]],
    rng: np.random.Generator,
    is_series: bool,
) -> None:
    """Put draws of the bounded columns, given the held ones, into the rows: a truncated normal law,
    of every row by itself, or of all rows of a series together.
    """
    which = np.array(sorted(bounded), dtype=np.int64)
    limits = np.array([bounded[j] for j in which.tolist()])
    if is_series:
        chosen = np.zeros((rows.shape[1], len(gaussian.targets)), dtype=bool)
        chosen[:, which] = True
        mean, covariance = gaussian.cells(rows, chosen)
        low, high = np.tile(limits, (rows.shape[1], 1)).T[:, :, None]
        x = truncated_normal(mean[:, None], covariance, low, high, rng)
        rows[gaussian.targets[which]] = x.reshape(rows.shape[1], len(which)).T
        return
    mean, covariance = gaussian.marginal(rows, which)
    low, high = limits.T[:, :, None]
    rows[gaussian.targets[which]] = truncated_normal(mean, covariance, low, high, rng)
