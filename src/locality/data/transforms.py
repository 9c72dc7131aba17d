r"""Standardization: from the units of the table to components of mean 0 and variance 1, and back.

A column first becomes Gaussian by its own law, :math:`y = G_j(x)` (see `Marginal`; most columns
are taken as they are). With the mean :math:`m_j` and standard deviation :math:`s_j` of y,

.. math:: z_j = (y_j - m_j) / s_j, \qquad
          \log p(x) = \log p(z) + \sum_j (\log G_j'(x_j) - \log s_j) .

Some columns have no density of their own and are set aside: *constant* columns (also those that
only flicker in the last digits of their number format) and exact *copies*,
:math:`x_k = a\,x_j + b`. They are not modeled, but they come back when values are restored.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from locality._typing import BoolArray, FloatArray, IntArray
from locality.data.cells import KINDS, Kind
from locality.data.marginal import Marginal
from locality.data.marginal_fit import fit_marginal, spacing_of
from locality.data.names import listing
from locality.data.redundancy import SetAside, find_constants, find_copies
from locality.data.resolution import decimal_step
from locality.data.table import Table
from locality.exceptions import DataError, ModelCorrupt

__all__ = ["Standardizer"]


@dataclass(frozen=True, eq=False)
class Standardizer:
    """The fitted map between a table and its standardized components.

    Attributes
    ----------
    names : tuple of str [n_columns]
    kinds : tuple of str [n_columns]
        "real", "integer", "boolean" or "category".
    modeled : int64 array [n_modeled]
        The columns that are components, in increasing order.
    mean, scale : float64 array [n_modeled]
        Mean and standard deviation (dividing by the number of rows) of those columns after
        their laws.
    set_aside : tuple of SetAside
        All other columns, in increasing order.
    marginals : mapping of int to Marginal
        Laws of the components (by their place among them) that are not taken as they are.
    labels : mapping of str to tuple of str
        Texts of the columns of categories, in the order of their codes.
    dtypes : mapping of str to str
        Columns of numbers with fewer than 64 bits.
    blur : float64 array [n_modeled, 2]
        What fitting adds to each value: the width of a uniform law, and the standard deviation of
        a normal one.
    log_scale : float64 array [n_modeled]
        Mean of −log dz/dx over the rows fitted: turns mean nats of a component into those of the
        units of the table.
    steps : float64 array [n_modeled]
        Decimal step that the values fitted are multiples of, 0 if there is none.

    Examples
    --------
    >>> X = np.array([[1.0, 7.0, 10.0], [2.0, 7.0, 20.0], [3.0, 7.0, 30.0]])
    >>> standardizer = Standardizer.fit(Table.from_frame(X))
    >>> [(column.name, column.reason) for column in standardizer.set_aside]
    [('x1', 'constant'), ('x2', 'copy')]
    >>> z = standardizer.standardize(X)
    >>> z.shape
    (3, 1)
    >>> bool(np.allclose(standardizer.restore(z), X))
    True
    """

    names: tuple[str, ...]
    kinds: tuple[Kind, ...]
    modeled: IntArray
    mean: FloatArray
    scale: FloatArray
    set_aside: tuple[SetAside, ...] = ()
    marginals: Mapping[int, Marginal] = field(default_factory=dict)
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    dtypes: Mapping[str, str] = field(default_factory=dict)
    blur: FloatArray = field(default_factory=lambda: np.zeros((0, 2)))
    log_scale: FloatArray = field(default_factory=lambda: np.zeros(0))
    steps: FloatArray = field(default_factory=lambda: np.zeros(0))

    @classmethod
    def fit(
        cls,
        table: Table,
        *,
        gaussianize: bool = True,
        noise: Mapping[str, float] | None = None,
        pooled: bool = False,
    ) -> "Standardizer":
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
        plain = cls(
            table.names, table.kinds, modeled, mean[modeled], scale[modeled], set_aside,
            labels=labels, dtypes=dict(table.dtypes),
        )  # fmt: skip
        if pooled and set_aside:
            listed = ", ".join(f"{aside.name!r} ({aside.reason})" for aside in set_aside[:10])
            raise DataError(
                f"columns cannot share one law: {listed}.",
                remedy="Leave these columns out, or model every column by itself.",
            )
        return plain._with_laws(table, gaussianize, noise or {}, pooled)

    def _with_laws(
        self, table: Table, gaussianize: bool, noise: Mapping[str, float], pooled: bool
    ) -> "Standardizer":
        """Laws, blur, and with them mean and scale."""
        names = self.modeled_names
        kinds = [self.kinds[j] for j in self.modeled]
        marginals: dict[int, Marginal] = {}
        blur = np.zeros((self.n_modeled, 2))
        blur[:, 1] = [float(noise.get(name, 0.0)) for name in names]
        for place, (column, kind) in enumerate(zip(self.modeled, kinds, strict=True)):
            values = table.values.ravel() if pooled else table.values[:, column]
            if not pooled or place == 0:
                law = fit_marginal(values, kind, atoms=not blur[place, 1]) if gaussianize else None
                width = spacing_of(values, kind) if gaussianize else 0.0
            if law is not None:
                marginals[place] = law
            blur[place, 0] = 0.0 if blur[place, 1] else width
        blurred = replace(self, marginals=marginals, blur=blur)
        mean, scale, log_scale = self.mean.copy(), self.scale.copy(), np.zeros(self.n_modeled)
        special = sorted({*marginals, *np.flatnonzero(blur.any(axis=1)).tolist()})
        for place in special:
            y = blurred.spread(table.values[:, self.modeled[place]], place, 0)
            mean[place] = np.nanmean(y)
            scale[place] = _deviations(y[:, None], mean[place : place + 1])[0]
        if pooled:
            center = mean.mean()
            scale = np.full_like(scale, np.sqrt(np.mean(scale**2 + (mean - center) ** 2)))
            mean = np.full_like(mean, center)
        log_scale = np.log(scale)
        for place, law in marginals.items():
            x = table.values[:, self.modeled[place]]
            y = blurred.spread(x, place, 0)
            log_scale[place] -= np.nanmean(law.log_slope_at(x, y))
        steps = np.array([decimal_step(table.values[:, column]) for column in self.modeled])
        return replace(blurred, mean=mean, scale=scale, log_scale=log_scale, steps=steps)

    def rescaled(
        self, names: Sequence[str], values: FloatArray, tolerance: float
    ) -> "Standardizer":
        """The same map with means and scales of some components measured anew.

        Parameters
        ----------
        names : sequence of str
            Of components.
        values : float array [n_rows, n_columns]
        tolerance : float
            Means that moved less, in standard deviations, and scales whose logarithm did, stay.
        """
        mean, scale, log_scale = self.mean.copy(), self.scale.copy(), self.log_scale.copy()
        known = self._known(values)
        for name in names:
            place = self.modeled_names.index(name)
            y = self.spread(known[:, self.modeled[place]], place, 0)
            y = y[~np.isnan(y)]
            new = float(y.std()) if len(y) else 0.0
            if not new > 0.0:
                continue
            center = float(y.mean())
            ratio = np.log(new / self.scale[place])
            if abs(center - self.mean[place]) > tolerance * self.scale[place] or (
                abs(ratio) > tolerance
            ):
                mean[place], scale[place] = center, new
                log_scale[place] += ratio
        return replace(self, mean=mean, scale=scale, log_scale=log_scale)

    def without(self, names: Sequence[str]) -> "Standardizer":
        """The same map for a table that lacks some columns.

        Parameters
        ----------
        names : sequence of str

        Raises
        ------
        DataError
            If a column that stays is a copy of one of them, or no component is left.
        """
        kept = [j for j, name in enumerate(self.names) if name not in names]
        place = {column: j for j, column in enumerate(kept)}
        for aside in self.set_aside:
            if aside.column in place and aside.reason == "copy" and aside.source not in place:
                raise DataError(
                    f"Column {aside.name!r} is a copy of {self.names[aside.source]!r}, which is to "
                    "be removed.",
                    remedy="Remove both, or fit again without one of them.",
                )
        components = [k for k, column in enumerate(self.modeled.tolist()) if column in place]
        if not components:
            raise DataError("No column that varies is left.", remedy="Keep one.")
        set_aside = tuple(
            replace(aside, column=place[aside.column], source=place.get(aside.source, -1))
            for aside in self.set_aside
            if aside.column in place
        )
        left = [self.names[j] for j in kept]
        return replace(
            self,
            names=tuple(left),
            kinds=tuple(self.kinds[j] for j in kept),
            modeled=np.array([place[self.modeled[k]] for k in components], dtype=np.int64),
            mean=self.mean[components],
            scale=self.scale[components],
            set_aside=set_aside,
            marginals={
                new: self.marginals[old]
                for new, old in enumerate(components)
                if old in self.marginals
            },
            labels={name: texts for name, texts in self.labels.items() if name in left},
            dtypes={name: dtype for name, dtype in self.dtypes.items() if name in left},
            blur=self.blur[components],
            log_scale=self.log_scale[components],
            steps=self.steps[components],
        )

    def renamed(self, names: Sequence[str]) -> "Standardizer":
        """The same map with other names for the columns."""
        new = dict(zip(self.names, names, strict=True))
        return replace(
            self,
            names=tuple(names),
            set_aside=tuple(replace(aside, name=new[aside.name]) for aside in self.set_aside),
            labels={new[name]: texts for name, texts in self.labels.items()},
            dtypes={new[name]: dtype for name, dtype in self.dtypes.items()},
        )

    def joined(self, other: "Standardizer") -> "Standardizer":
        """The map of a table that also has the columns of another map that this one lacks.

        Parameters
        ----------
        other : Standardizer
            Columns that both have are taken from this one; copies of them stay copies.
        """
        more = [j for j, name in enumerate(other.names) if name not in self.names]
        names = (*self.names, *(other.names[j] for j in more))
        place = {name: j for j, name in enumerate(names)}
        components = [k for k, column in enumerate(other.modeled.tolist()) if column in more]
        set_aside = tuple(
            replace(
                aside,
                column=place[aside.name],
                source=-1 if aside.source < 0 else place[other.names[aside.source]],
            )
            for aside in other.set_aside
            if aside.column in more
        )
        both = (
            (mine, theirs[components])
            for mine, theirs in (
                (self.mean, other.mean),
                (self.scale, other.scale),
                (self.blur, other.blur),
                (self.log_scale, other.log_scale),
                (self.steps, other.steps),
            )
        )
        mean, scale, blur, log_scale, steps = (np.concatenate(pair) for pair in both)
        new = [place[other.names[column]] for column in other.modeled[components]]
        laws = {
            self.n_modeled + at: other.marginals[k]
            for at, k in enumerate(components)
            if k in other.marginals
        }
        return Standardizer(
            names,
            (*self.kinds, *(other.kinds[j] for j in more)),
            np.concatenate([self.modeled, np.array(new, dtype=np.int64)]),
            mean,
            scale,
            (*self.set_aside, *set_aside),
            {**self.marginals, **laws},
            {**other.labels, **self.labels},
            {**other.dtypes, **self.dtypes},
            blur,
            log_scale,
            steps,
        )

    @property
    def n_columns(self) -> int:
        """Number of columns of the table."""
        return len(self.names)

    @property
    def n_modeled(self) -> int:
        """Number of components."""
        return len(self.modeled)

    @property
    def modeled_names(self) -> tuple[str, ...]:
        """Names of the components [n_modeled]."""
        return tuple(self.names[j] for j in self.modeled)

    def states(self, name: str) -> tuple[str, ...]:
        """Texts of a column of states or truth values, by code; none for numbers."""
        if self.kinds[self.names.index(name)] == "boolean":
            return ("false", "true")
        return self.labels.get(name, ())

    def text(self, name: str, value: float, digits: int = 6) -> str:
        """A value of a column as the table shows it: a number, or the nearest state."""
        if np.isnan(value):
            return "missing"
        states = self.states(name)
        if states:
            return states[min(max(round(value), 0), len(states) - 1)]
        return f"{value:.{digits}g}"

    def log_slope(self, values: FloatArray) -> FloatArray:
        """log dz/dx of every value [n_rows, n_modeled], to be taken from the nats of its component.

        Probabilities instead of densities where a column has atoms; NaN where a value is missing.
        """
        array = self._checked(values, self.n_columns)
        slope = np.repeat(-np.log(self.scale)[None], len(array), axis=0)
        for place, law in self.marginals.items():
            slope[:, place] += law.log_slope(array[:, self.modeled[place]])
        return slope

    def spread(self, x: FloatArray, place: int, seed: int) -> FloatArray:
        """Gaussian values of a component [n_rows], atoms and rounding spread out by chance."""
        rng = np.random.default_rng([seed, place])
        law = self.marginals.get(place)
        width, deviation = self.blur[place]
        atoms = law.atoms if law is not None else np.zeros(0)
        free = ~np.isin(x, atoms)
        if width or deviation:
            shift = width * (rng.random(len(x)) - 0.5) + deviation * rng.standard_normal(len(x))
            x = np.where(free, x + shift, x)
        return x if law is None else law.forward(x, rng.random(len(x)))

    def training_rows(
        self, values: FloatArray, seed: int = 0, out: np.ndarray | None = None
    ) -> FloatArray:
        """Components of rows to be learned from: as by `standardize`, but spread out by chance.

        Parameters
        ----------
        values : float array [n_rows, n_columns]
        seed : int
        out : array [n_rows, n_modeled], optional
            Where to put them: large tables go to a file, in single precision.

        Returns
        -------
        array [n_rows, n_modeled]
            Columns are contiguous in memory.
        """
        known = self._known(values)
        z = np.empty((len(known), self.n_modeled), order="F") if out is None else out
        spread = self.is_spread
        for place, column in enumerate(self.modeled):
            y = known[:, column]
            if spread[place]:
                y = self.spread(y, place, seed)
            z[:, place] = (y - self.mean[place]) / self.scale[place]
        return z

    @property
    def is_spread(self) -> BoolArray:
        """Which components are spread out by chance, or bent, for learning [n_modeled]."""
        found = np.zeros(self.n_modeled, dtype=bool)
        found[: len(self.blur)] = self.blur.any(axis=1)
        found[list(self.marginals)] = True
        return found

    def judged_rows(self, values: FloatArray, seed: int = 0) -> FloatArray:
        """Components of rows as they are scored, with the stated noise: what normal rows look like.

        Parameters
        ----------
        values : float array [n_rows, n_columns]
        seed : int

        Returns
        -------
        float64 array [n_rows, n_modeled]
        """
        noisy: list[int] = np.flatnonzero(self.blur[:, 1:].sum(axis=1) > 0).tolist()
        if noisy:
            values = np.array(values)
        for place in noisy:
            x = values[:, self.modeled[place]]
            law = self.marginals.get(place)
            free = ~np.isin(x, law.atoms) if law is not None else np.ones(len(x), dtype=bool)
            rng = np.random.default_rng([seed, place, 1])
            x[free] += self.blur[place, 1] * rng.standard_normal(int(free.sum()))
        return self.standardize(values)

    def standardize(self, values: ArrayLike) -> FloatArray:
        """Return the components of rows, in units of their standard deviation.

        Parameters
        ----------
        values : array_like [n_rows, n_columns]
            All columns in the order of ``names``; missing values stay NaN, unless a copy of their
            column tells them.

        Returns
        -------
        float64 array [n_rows, n_modeled]
        """
        known = self._known(values)
        y = known[:, self.modeled]
        for place, law in self.marginals.items():
            y[:, place] = law.forward(y[:, place])
        return np.asarray((y - self.mean) / self.scale)

    def component(self, name: str, x: ArrayLike, place: FloatArray | float = 0.5) -> FloatArray:
        """Standardized values of one column.

        Parameters
        ----------
        name : str
            Of a component.
        x : array_like
            In the units of the table.
        place : float or float array, default 0.5
            Where in the interval of a value that is taken again and again: its lower end is 0.
        """
        j = self.modeled_names.index(name)
        y = np.atleast_1d(np.asarray(x, dtype=np.float64))
        if j in self.marginals:
            y = self.marginals[j].forward(y, place)
        return np.asarray((y - self.mean[j]) / self.scale[j])

    def values_of(self, z: FloatArray, names: Sequence[str]) -> FloatArray:
        """Values in the units of the table.

        Parameters
        ----------
        z : float array [n_rows, n_names]
        names : sequence of str
            Of components.
        """
        index = {name: j for j, name in enumerate(self.modeled_names)}
        places = [index[name] for name in names]
        x = z * self.scale[places] + self.mean[places]
        for k, j in enumerate(places):
            if j in self.marginals:
                x[..., k] = self.marginals[j].inverse(x[..., k])
        return np.asarray(x)

    def _known(self, values: ArrayLike) -> FloatArray:
        """Values, with gaps that a copy of the column tells filled."""
        array = self._checked(values, self.n_columns)
        copies = [aside for aside in self.set_aside if aside.reason == "copy"]
        if copies and np.isnan(array).any():
            array = array.copy()
            for copy in copies:
                gaps = np.isnan(array[:, copy.source])
                known = (array[gaps, copy.column] - copy.intercept) / copy.slope
                array[gaps, copy.source] = known
        return array

    def restore(self, z: ArrayLike, *, round_integers: bool = True) -> FloatArray:
        """Return all columns from components, in the units of the table.

        Parameters
        ----------
        z : array_like [n_rows, n_modeled]
        round_integers : bool, default True
            Round columns of whole numbers and states; pass False for averages.

        Returns
        -------
        float64 array [n_rows, n_columns]
            Constants and copies included.
        """
        components = self._checked(z, self.n_modeled)
        values = np.empty((components.shape[0], self.n_columns))
        values[:, self.modeled] = self.values_of(components, self.modeled_names)
        for aside in self.set_aside:
            values[:, aside.column] = aside.expected(values)
        if round_integers:
            whole = [j for j, kind in enumerate(self.kinds) if kind != "real"]
            values[:, whole] = np.rint(values[:, whole])
        return values

    def departures(self, values: ArrayLike) -> BoolArray:
        """Tell where a column that was set aside no longer obeys its rule.

        A constant that moves, or a copy that leaves its source, has no density to be measured by;
        it is a change whatever its size.

        Parameters
        ----------
        values : array_like [n_rows, n_columns]

        Returns
        -------
        bool array [n_rows, n_set_aside]
            False where a value is missing.

        Examples
        --------
        >>> X = np.array([[1.0, 7.0], [2.0, 7.0], [3.0, 7.0]])
        >>> Standardizer.fit(Table.from_frame(X)).departures([[2.5, 7.0], [2.5, 8.0]])
        array([[False],
               [ True]])
        """
        array = self._checked(values, self.n_columns)
        outside = np.zeros((array.shape[0], len(self.set_aside)), dtype=np.bool_)
        for k, aside in enumerate(self.set_aside):
            gap = np.abs(array[:, aside.column] - aside.expected(array))
            outside[:, k] = gap > aside.tolerance
        return outside

    def to_dict(self) -> dict[str, Any]:
        """Return the map in terms of JSON; `from_dict` restores it to the bit."""
        return {
            "names": list(self.names),
            "kinds": list(self.kinds),
            "modeled": self.modeled.tolist(),
            "mean": self.mean.tolist(),
            "scale": self.scale.tolist(),
            "set_aside": [vars(aside).copy() for aside in self.set_aside],
            "marginals": {str(place): law.to_dict() for place, law in self.marginals.items()},
            "dtypes": dict(self.dtypes),
            "labels": {name: list(texts) for name, texts in self.labels.items()},
            "blur": self.blur.tolist(),
            "log_scale": self.log_scale.tolist(),
            "steps": self.steps.tolist(),
        }

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> "Standardizer":
        """Restore what `to_dict` returned.

        Raises
        ------
        ModelCorrupt
            A part is missing, of the wrong length or not a number.
        """
        try:
            restored = cls(
                tuple(str(name) for name in state["names"]),
                tuple(state["kinds"]),
                np.array(state["modeled"], dtype=np.int64),
                np.array(state["mean"], dtype=np.float64),
                np.array(state["scale"], dtype=np.float64),
                tuple(SetAside(**aside) for aside in state["set_aside"]),
                {int(k): Marginal.from_dict(law) for k, law in state["marginals"].items()},
                {str(k): tuple(map(str, texts)) for k, texts in state["labels"].items()},
                {str(k): str(dtype) for k, dtype in state["dtypes"].items()},
                np.array(state["blur"], dtype=np.float64),
                np.array(state["log_scale"], dtype=np.float64),
                np.array(state["steps"], dtype=np.float64),
            )
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise ModelCorrupt(f"the standardization cannot be restored: {error}.") from error
        restored._require_consistent()
        return restored

    def _require_consistent(self) -> None:
        d, n = self.n_columns, self.n_modeled
        covered = sorted([*self.modeled.tolist(), *(aside.column for aside in self.set_aside)])
        components = set(self.modeled.tolist())
        consistent = (
            len(self.kinds) == d
            and set(self.kinds) <= set(KINDS)
            and covered == list(range(d))
            and all(a.reason == "constant" or a.source in components for a in self.set_aside)
            and self.mean.shape == self.scale.shape == self.log_scale.shape == (n,)
            and self.steps.shape == (n,)
            and bool(np.isfinite(self.steps).all() and (self.steps >= 0).all())
            and self.blur.shape == (n, 2)
            and bool(np.isfinite(self.blur).all() and np.isfinite(self.log_scale).all())
            and set(self.marginals) <= set(range(n))
            and all(
                (kind == "category") == (name in self.labels)
                for name, kind in zip(self.names, self.kinds, strict=True)
            )
            and bool(np.isfinite(self.mean).all() and np.isfinite(self.scale).all())
            and bool((self.scale > 0).all())
        )
        if not consistent:
            raise ModelCorrupt("the standardization contradicts itself: its parts do not match.")

    def _checked(self, values: ArrayLike, width: int) -> FloatArray:
        array: FloatArray = np.asarray(values, dtype=np.float64)
        if array.ndim != 2 or array.shape[1] != width:
            raise DataError(f"found values of shape {array.shape}, expected (n_rows, {width}).")
        return array


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
