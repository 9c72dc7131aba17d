"""How a fitted model follows its plant: sensors learned again, added and removed."""

from collections.abc import Sequence
from typing import Any, Self

from sklearn.utils.validation import check_is_fitted

from locality.estimator.fitted import Fitted, Progress, quiet
from locality.estimator.persistence import parameters_from, restore_names
from locality.estimator.rows import read_other_rows
from locality.exceptions import OptionError
from locality.inference.updating.revision import add_sensors, remove_sensors
from locality.inference.updating.update import Update, choose_sensors, update_model
from locality.model.model import Model
from locality.training.executors import one_thread

__all__ = ["UpdatingMixin"]


class UpdatingMixin(Fitted):
    """``update``, ``add_sensors``, ``remove_sensors`` and ``partial_fit`` of
    `LocalizedDiffusion`.
    """

    def update(
        self,
        X: Any,
        sensors: str | int | Sequence[str] = "drifted",
        *,
        mix: Any = None,
        margin: float | None = 0.01,
        level: float = 0.01,
        progress: Progress | None = None,
    ) -> Update:
        """Learn some sensors again from new rows; all others stay the same, bit for bit.

        Networks start from the present ones. The latest 30 % of the new rows are kept back for a
        gate: unless the sensors that change are no worse on them, with a confidence bound, nothing
        changes.

        Parameters
        ----------
        X : frame or array [n_rows, n_columns]
            New rows in order of time, at least 60.
        sensors : "drifted", "all", int or list of str, default "drifted"
            Those whose surprise has risen beyond that of normal rows; all; so many whose surprise
            has risen most; or those named.
        mix : frame or array, optional
            Older rows to be learned from as well; without them the sensors follow the new rows.
        margin : float or None, default 0.01
            Nats per component by which the challenger may seem worse; None switches the gate off.
        level : float, default 0.01
            Accepted probability that any sensor is called drifted by mistake.
        progress : callable, optional
            Called with (stage, shards done, shards in all).

        Returns
        -------
        Update
            What was done, with nats before and after, and the sensors that look at one whose scale
            has changed.

        Examples
        --------
        >>> from locality import LocalizedDiffusion
        >>> from locality.data.synthetic import OrnsteinUhlenbeckChain
        >>> X = OrnsteinUhlenbeckChain(8, correlation=0.8).sample(1_000, random_state=0)
        >>> model = LocalizedDiffusion(graph="chain", score="linear", random_state=0).fit(X[:500])
        >>> new = X[500:].copy()
        >>> new[:, 3] = 2.0 * new[:, 3] + 1.0
        >>> told = model.update(new)
        >>> told.accepted, "x3" in told.sensors, told.rescaled
        (True, True, ('x3',))
        """
        table = self._table(X)
        older = None if mix is None else self._table(mix)
        model = self.model_
        with one_thread():
            chosen = choose_sensors(model, table, sensors, level)
            if not len(chosen):
                return Update.nothing(model, margin)
            self.model_, told = update_model(
                model, table, chosen, self.get_params(deep=False), progress or quiet,
                mix=older, margin=margin,
            )  # fmt: skip
        self._publish()
        return told

    def add_sensors(
        self,
        X: Any,
        names: Sequence[str] | None = None,
        *,
        graph: Any = None,
        margin: float | None = 0.01,
        progress: Progress | None = None,
    ) -> Update:
        """Model further columns; only their neighbors are learned again with them.

        A gate asks whether the neighbors are no worse for it; otherwise they stay as they are and
        do not look at the new columns. Nor do the new ones look at them, if what was learned of
        that does not hold in the latest rows.

        Parameters
        ----------
        X : frame or array [n_rows, n_columns]
            New rows in order of time: all columns fitted, and new ones. Rows before the first
            value of the new ones are left out; at least 100 must follow.
        names : list of str, optional
            The new columns; by default all that were not fitted.
        graph : path, networkx graph, DependencyGraph or matrix, optional
            As in the constructor, over all modeled columns: who the neighbors of the new ones are.
            By default they are learned.
        margin : float or None, default 0.01
            Nats by which the neighbors may seem worse.
        progress : callable, optional
            Called with (stage, shards done, shards in all).

        Returns
        -------
        Update
            ``sensors`` were learned, ``added`` are the new ones.

        Examples
        --------
        >>> from locality import LocalizedDiffusion
        >>> from locality.data.synthetic import OrnsteinUhlenbeckChain
        >>> X = OrnsteinUhlenbeckChain(8, correlation=0.8).sample(1_000, random_state=0)
        >>> model = LocalizedDiffusion(score="linear", random_state=0).fit(X[:500, :7])
        >>> told = model.add_sensors(X[500:])
        >>> told.added, "x6" in told.sensors, model.n_features_in_
        (('x7',), True, 8)
        """
        check_is_fitted(self)
        table = read_other_rows(self, X, add=names)
        with one_thread():
            model, told = add_sensors(
                self.model_, table, self.get_params(deep=False), progress or quiet,
                graph=graph, margin=margin,
            )  # fmt: skip
        self._revise(model)
        return told

    def remove_sensors(
        self,
        X: Any,
        names: Sequence[str],
        *,
        mix: Any = None,
        margin: float | None = 0.01,
        progress: Progress | None = None,
    ) -> Update:
        """Give up columns; only those that looked at them are learned again.

        They are first integrated out of the closed forms, without which networks that saw them are
        lost. Learning again replaces that where it is no worse.

        Parameters
        ----------
        X : frame or array [n_rows, n_columns]
            New rows in order of time, at least 100; the columns to be given up are not needed in
            a frame, and not looked at.
        names : list of str
            Columns to be given up.
        mix : frame or array, optional
            Older rows to be learned from as well.
        margin : float or None, default 0.01
            Nats by which what was learned again may seem worse.
        progress : callable, optional
            Called with (stage, shards done, shards in all).

        Returns
        -------
        Update
            ``sensors`` were learned again, ``removed`` are gone.

        Examples
        --------
        >>> from locality import LocalizedDiffusion
        >>> from locality.data.synthetic import OrnsteinUhlenbeckChain
        >>> X = OrnsteinUhlenbeckChain(8, correlation=0.8).sample(1_000, random_state=0)
        >>> model = LocalizedDiffusion(graph="chain", score="linear", random_state=0).fit(X[:500])
        >>> told = model.remove_sensors(X[500:], ["x3"])
        >>> told.removed, model.n_features_in_
        (('x3',), 7)
        """
        check_is_fitted(self)
        names = list(dict.fromkeys(names))
        if not names:
            raise OptionError("No column to be given up was named.", remedy="Name one.")
        table = read_other_rows(self, X, remove=names)
        older = None if mix is None else read_other_rows(self, mix, remove=names)
        with one_thread():
            model, told = remove_sensors(
                self.model_, table, names, self.get_params(deep=False), progress or quiet,
                mix=older, margin=margin,
            )  # fmt: skip
        self._revise(model)
        return told

    def partial_fit(self, X: Any, y: Any = None) -> Self:
        """Fit at first; then let all sensors follow the new rows, starting from what is known.

        Parameters
        ----------
        X : frame or array [n_rows, n_columns]
        y : ignored

        Returns
        -------
        self
            Earlier rows are not kept: pass those that still matter with the new ones, or to
            ``update`` as ``mix``.
        """
        if not hasattr(self, "model_"):
            self.fit(X)
            return self
        self.update(X, "all", margin=None)
        return self

    def _revise(self, model: Model) -> None:
        """Take a model of other columns, and the parameters that name columns."""
        self.model_ = model
        changed = parameters_from(model)
        self.set_params(**{name: changed[name] for name in ("graph", "given", "noise")})
        restore_names(self)
        self._publish()
