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
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from locality._typing import BoolArray, FloatArray, IntArray
from locality.data.kinds import KINDS, Kind
from locality.data.marginal import Marginal
from locality.data.redundancy import SetAside
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
    >>> from locality.data.table import Table
    >>> from locality.data.transforms_fit import fit_standardizer
    >>> X = np.array([[1.0, 7.0, 10.0], [2.0, 7.0, 20.0], [3.0, 7.0, 30.0]])
    >>> standardizer = fit_standardizer(Table.from_frame(X))
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
        known = self.known(values)
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

    def measured(self, values: FloatArray, seed: int = 0) -> FloatArray:
        """Values with the stated noise: what normal rows look like to those who score them.

        Parameters
        ----------
        values : float array [n_rows, n_columns]
        seed : int

        Returns
        -------
        float64 array [n_rows, n_columns]
        """
        noisy: list[int] = np.flatnonzero(self.blur[:, 1:].sum(axis=1) > 0).tolist()
        if noisy:
            values = np.array(values, dtype=np.float64)
        for place in noisy:
            x = values[:, self.modeled[place]]
            law = self.marginals.get(place)
            free = ~np.isin(x, law.atoms) if law is not None else np.ones(len(x), dtype=bool)
            rng = np.random.default_rng([seed, place, 1])
            x[free] += self.blur[place, 1] * rng.standard_normal(int(free.sum()))
        return values

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
        known = self.known(values)
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

    def known(self, values: ArrayLike) -> FloatArray:
        """Values [n_rows, n_columns], with gaps that a copy of the column tells filled."""
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
        >>> from locality.data.table import Table
        >>> from locality.data.transforms_fit import fit_standardizer
        >>> X = np.array([[1.0, 7.0], [2.0, 7.0], [3.0, 7.0]])
        >>> fit_standardizer(Table.from_frame(X)).departures([[2.5, 7.0], [2.5, 8.0]])
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
