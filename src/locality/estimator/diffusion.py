"""The estimator: a localized diffusion model of a table, by scikit-learn's conventions.

``fit`` standardizes the columns, finds or takes the dependency graph, chooses a radius per
component by held-out nats, and trains one local denoiser per component. The model then draws
samples and says how surprising each value is. Frames come back as they came: same kind, names and
index.

Gottwald, Liu, Marzouk, Reich, Tong, "Localized Diffusion Models", arXiv 2505.04417.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from locality._typing import FloatArray
from locality.artifact.ledger import FileLedger
from locality.artifact.model import Model
from locality.artifact.store import load_model, save_model
from locality.artifact.summary import reach
from locality.artifact.versions import find_version
from locality.data.cells import Kind
from locality.estimator.answers import log_likelihood_of, nats_of
from locality.estimator.conditions import conditional_rows, parse_conditions
from locality.estimator.detection import calibration, detection
from locality.estimator.explanation import Explanation, explanation
from locality.estimator.fitting import fit_model
from locality.estimator.imputation import Imputation, fill
from locality.estimator.layout import from_state
from locality.estimator.options import check_options
from locality.estimator.persistence import parameters_from, restore_names, settings_of
from locality.estimator.revision import add_sensors, remove_sensors
from locality.estimator.rows import context_state, read_other_rows, read_rows, restore_rows
from locality.estimator.update import Update, choose_sensors, update_model
from locality.exceptions import OptionError
from locality.inference.draw import Drawing
from locality.noise.levels import band_labels
from locality.training.executors import executor, one_thread

__all__ = ["LocalizedDiffusion"]

Progress = Callable[[str, int, int], None]
_MIN_ROWS = 5


class LocalizedDiffusion(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Generative model of a table, in which each component depends directly on few others.

    Parameters
    ----------
    graph : "learn", "chain", "ring", "complete", path, DependencyGraph, networkx or scipy graph
        Who depends on whom. ``"learn"`` takes shrunk partial correlations; ``"chain"`` and
        ``"ring"`` join columns in their order; a path names an edge list (columns from, to).
    radius : "auto" or int, default "auto"
        How far a component sees along the graph. ``"auto"`` chooses per component by held-out
        nats.
    lags : int, default 0
        Rows of the past each row depends on; 0 for rows in no order.
    series : {"causal", "joint"}, default "causal"
        With lags: model each row given the past, or whole windows at once, past and future.
    tied : bool, default False
        One law for all columns along the chain or ring (a homogeneous field): multiplies data.
    given : sequence of str, default ()
        Context columns (recipe, set-point): conditions, not modeled.
    time : str, optional
        Column with time stamps; it orders the rows and is not modeled.
    gaussianize : bool, default True
        Give columns laws of their own before standardizing, where held-out nats ask for it:
        logarithm, logit or asinh; counts, states and values taken again and again as intervals of
        a normal variable. If not, all columns are taken as they are.
    noise : float or mapping of str to float, optional
        Standard deviation of measurement noise, of all columns or by name: nothing finer is
        learned. Use it where new rows are rounded more coarsely than those of the fit.
    score : {"neural", "linear"}, default "neural"
        Local networks on top of the closed form, or the closed form alone.
    n_neighbors : int, default 8
        With ``graph="learn"``: strongest neighbors of each column (at most twice as many).
    edge_level : float, default 0.9
        With ``graph="learn"``: tolerated share of false edges. Generous, because the radius is
        judged on held-out rows anyway.
    n_steps : int, default 3000
        Training steps of the networks.
    n_jobs : int, default 1
        Worker processes, one core each. The result does not depend on it.
    engine : str, default "auto"
        Where shards are learned: "inline", "processes" of this machine, "ray" (started here) or
        "ray:ADDRESS" (a running cluster); "auto": inline for one job, processes for more.
    random_state : int, RandomState or None, default None
        Seed of training, and of sampling where none is given.

    Attributes
    ----------
    model_ : Model
        Everything learned.
    feature_names_in_ : array of str [n_features_in_]
        If fitted to a frame.
    n_features_in_ : int
    component_names_ : tuple of str [n_components]
        Modeled columns: all but context, constants and copies.
    radius_ : int array [n_components]
        How far each component sees: nothing farther away has any influence on its score.
    band_radius_ : int array [n_components, n_bands]
        Chosen radius by noise band, from the coarsest to the finest.
    held_out_nats_ : float array [n_components]
        Held-out nats in standardized units; 1.419 for a Gaussian seen alone.
    set_aside_ : dict
        Columns not modeled, with the reason.
    seconds_ : dict
        Time of each stage.

    Examples
    --------
    >>> import numpy as np
    >>> from locality import LocalizedDiffusion
    >>> from locality.data.synthetic import OrnsteinUhlenbeckChain
    >>> X = OrnsteinUhlenbeckChain(10, correlation=0.7).sample(300, random_state=0)
    >>> model = LocalizedDiffusion(graph="chain", score="linear", random_state=0).fit(X)
    >>> model.sample(5).shape
    (5, 10)
    >>> bool(model.held_out_nats_.mean() < 1.3)
    True
    """

    def __init__(
        self,
        *,
        graph: Any = "learn",
        radius: int | str = "auto",
        lags: int = 0,
        series: str = "causal",
        tied: bool = False,
        given: Sequence[str] = (),
        time: str | None = None,
        gaussianize: bool = True,
        noise: float | Mapping[str, float] | None = None,
        score: str = "neural",
        n_neighbors: int = 8,
        edge_level: float = 0.9,
        n_steps: int = 3000,
        n_jobs: int = 1,
        engine: str = "auto",
        random_state: Any = None,
    ) -> None:
        self.graph = graph
        self.radius = radius
        self.lags = lags
        self.series = series
        self.tied = tied
        self.given = given
        self.time = time
        self.gaussianize = gaussianize
        self.noise = noise
        self.score = score
        self.n_neighbors = n_neighbors
        self.edge_level = edge_level
        self.n_steps = n_steps
        self.n_jobs = n_jobs
        self.engine = engine
        self.random_state = random_state

    def fit(
        self,
        X: Any,
        y: Any = None,
        *,
        progress: Progress | None = None,
        work: str | PathLike[str] | None = None,
    ) -> Self:
        """Learn the model from a table.

        Parameters
        ----------
        X : pandas, polars or pyarrow frame, or array [n_rows, n_columns]
            Numeric columns; rows in time order if ``lags`` is set. Where values are missing, the
            others train the model.
        y : ignored
        progress : callable, optional
            Called with (stage, shards done, shards in all).
        work : path, optional
            Folder in which finished shards are kept, so that a fit that was interrupted only works
            on the rest when it is started again.

        Returns
        -------
        self

        Raises
        ------
        DataError
            Naming the column and row of what cannot be modeled.
        GraphError
            If the graph does not fit the columns.
        OptionError
            If a parameter is out of range.
        """
        check_options(self)
        self.seed_ = int(check_random_state(self.random_state).randint(2**31 - 1))
        table = read_rows(self, X, reset=True, min_rows=max(_MIN_ROWS, 2 * (self.lags + 1)))
        parameters, settings = self.get_params(deep=False), settings_of(self)
        ledger = None if work is None else FileLedger(Path(work))
        self.model_ = fit_model(table, parameters, settings, progress or _quiet, ledger)
        self._publish()
        return self

    def sample(
        self,
        n_samples: int = 1,
        *,
        n_series: int = 1,
        context: Any = None,
        given: str | Mapping[str, Any] | None = None,
        method: str = "sde",
        n_evaluations: int = 64,
        n_jobs: int = 1,
        random_state: Any = None,
        progress: Progress | None = None,
    ) -> Any:
        """Draw rows.

        Parameters
        ----------
        n_samples : int, default 1
            Rows in all.
        n_series : int, default 1
            For time series: draw this many independent stretches of n_samples / n_series rows,
            one after the other in the result.
        context : frame or array [n_samples, n_given], optional
            Values of the ``given`` columns, required if there are any; an array has them in the
            order of ``given``.
        given : str or mapping, optional
            Hold or bound columns: ``"xmv_01=60, flow>120"``, or columns to values or pairs
            (low, high). Models of tables with networks draw by posterior sampling, series and
            linear models from the closed form, whose conditional law is exact.
        method : {"sde", "dpm", "heun", "churn"}, default "sde"
        n_evaluations : int, default 64
            Evaluations of the denoiser per row.
        n_jobs : int, default 1
            Worker processes for large draws. The result does not depend on it.
        random_state : int or RandomState, optional
            Default: the seed of the fit, so that a model always draws the same rows.
        progress : callable, optional
            Called with (stage, steps done, steps in all).

        Returns
        -------
        frame or array [n_samples, n_columns]
            All columns of the fitted table in its units: constant columns and copies are
            restored, integer columns are integers, context is as given.

        Raises
        ------
        OptionError
            If a number is out of range or context is missing.
        """
        check_is_fitted(self)
        model = self.model_
        drawing = Drawing(n_samples, n_series, method, n_evaluations)
        seed = self.seed_
        if random_state is not None:
            seed = int(check_random_state(random_state).randint(2**31 - 1))
        if given is not None:
            return self._sample_given(given, drawing, context, seed)
        known = context_state(self, context, n_samples, n_series)
        spread = None if n_jobs == 1 else executor(n_jobs).map
        with one_thread():
            state = drawing(
                model.field, model.levels, model.extent, seed, known, progress or _quiet, spread
            )
        rows = from_state(state.astype(np.float64), model.domain, bool(model.extent))
        return restore_rows(self, rows[:n_samples], context)

    def _sample_given(
        self, given: str | Mapping[str, Any], drawing: Drawing, context: Any, seed: int
    ) -> Any:
        """Rows in which columns are held or bounded."""
        model = self.model_
        if drawing.n_series > 1 or model.is_lattice:
            raise OptionError(
                "given= draws rows of a table, or one stretch of a series.",
                remedy="Leave n_series at 1, and fit without tied=True.",
            )
        known = context_state(self, context, drawing.n_samples, 1)
        standardizer = model.standardizer
        kinds = zip(standardizer.names, standardizer.kinds, strict=True)
        truth_values = [name for name, kind in kinds if kind == "boolean"]
        with one_thread():
            rows = conditional_rows(
                model, parse_conditions(given, standardizer.labels, truth_values), drawing,
                None if known is None else known.reshape(len(known), -1), seed,
            )  # fmt: skip
        return restore_rows(self, rows.T, context)

    def impute(
        self,
        X: Any,
        *,
        draws: int = 0,
        level: float = 0.9,
        random_state: Any = None,
        progress: Progress | None = None,
    ) -> Imputation:
        """Fill gaps: single values, blocks in time, dead sensors.

        Parameters
        ----------
        X : frame or array [n_rows, n_columns]
            NaN where a value is missing; rows in order of time for a series.
        draws : int, default 0
            Joint draws of all missing values, beside expectations and intervals.
        level : float, default 0.9
            Probability that an interval holds the value.
        random_state : int or RandomState, optional
            Default: the seed of the fit.
        progress : callable, optional
            Called with (stage, done, total).

        Returns
        -------
        Imputation
            ``mean``, ``low``, ``high`` and ``draws``, in the form and units of ``X``, whatever
            the pattern of gaps. A model of a table with networks fills by posterior sampling,
            series and linear models by the closed form.

        Examples
        --------
        >>> from locality.data.synthetic import OrnsteinUhlenbeckChain
        >>> X = OrnsteinUhlenbeckChain(8, correlation=0.9).sample(400, random_state=0)
        >>> model = LocalizedDiffusion(graph="chain", score="linear", random_state=0).fit(X)
        >>> gappy = X[:50].copy()
        >>> gappy[10:20, 3] = float("nan")
        >>> filled = model.impute(gappy)
        >>> bool(abs(filled.mean[10:20, 3] - X[10:20, 3]).mean() < 0.5)
        True
        """
        check_is_fitted(self)
        table = read_rows(self, X, reset=False, min_rows=0)
        seed = self.seed_
        if random_state is not None:
            seed = int(check_random_state(random_state).randint(2**31 - 1))
        with one_thread():
            return fill(self.model_, table, draws, level, seed, progress or _quiet)

    def log_likelihood(self, X: Any, *, tolerance: float = 1e-4, return_error: bool = False) -> Any:
        """Exact log-likelihood of the deterministic sampler, row by row [n_rows].

        ``score_samples`` integrates denoising errors; this follows the probability flow of the
        same model with its exact divergence. For a perfect model both agree, so their difference
        tells how far the model is from being the score of any density.

        Parameters
        ----------
        X : frame or array [n_rows, n_columns]
        tolerance : float, default 1e-4
            Of each step of the solver; about the error in nats per component.
        return_error : bool, default False
            Also return the accumulated error estimate of every row.

        Returns
        -------
        log_likelihood : float array [n_rows]
            In nats of the original units; of each row given the rows before it, for a series.
        error : float array [n_rows]
            Only with ``return_error``.
        """
        check_is_fitted(self)
        table = read_rows(self, X, reset=False, min_rows=0)
        table.require_complete()
        with one_thread():
            value, error = log_likelihood_of(
                self.model_, self.component_names_, table.values, tolerance
            )
        return (value, error) if return_error else value

    def surprise(
        self,
        X: Any,
        *,
        by_band: bool = False,
        return_error: bool = False,
        progress: Progress | None = None,
    ) -> Any:
        """Nats by which each value surprises, given its neighborhood.

        Parameters
        ----------
        X : frame or array [n_rows, n_columns]
            Columns as fitted.
        by_band : bool, default False
            Tell noise bands apart: coarse bands ask whether a value is usual at all, fine ones
            whether it fits its neighbors now.
        return_error : bool, default False
            Also return the Monte-Carlo standard error of every value.
        progress : callable, optional
            Called with (stage, shards done, shards in all).

        Returns
        -------
        surprise : frame or array [n_rows, n_components]
            In nats of the original units; the row sum is −log p. NaN where a value is missing; its
            neighbors are judged with what is expected in its place. With ``by_band`` a dict of
            such frames, from the coarsest band to the finest, which add up to the surprise.
        error : frame or array [n_rows, n_components]
            Only with ``return_error``.
        """
        check_is_fitted(self)
        table = read_rows(self, X, reset=False, min_rows=0)
        names = self.component_names_
        bands, error = nats_of(self.model_, names, table, by_band, progress or _quiet)
        frames = [table.frame(band, names, keep_rows=True) for band in bands]
        answer: Any = frames[0]
        if by_band:
            answer = dict(zip(band_labels(), frames, strict=True))
        return (answer, table.frame(error, names, keep_rows=True)) if return_error else answer

    def score_samples(self, X: Any, y: Any = None, *, method: str = "nats") -> FloatArray:
        """Log-likelihood of every row, in nats of the original units [n_rows].

        Higher is more normal. For a time series, of each row given the rows before it.

        Parameters
        ----------
        X : frame or array [n_rows, n_columns]
        y : ignored
        method : {"nats", "ode"}, default "nats"
            Minus the sum of surprises, or the exact likelihood of the probability flow (see
            ``log_likelihood``).
        """
        check_is_fitted(self)
        if method not in ("nats", "ode"):
            raise OptionError(f'method must be "nats" or "ode", found {method!r}.')
        if method == "ode":
            return np.asarray(self.log_likelihood(X))
        table = read_rows(self, X, reset=False, min_rows=0)
        bands, _ = nats_of(self.model_, self.component_names_, table, False, _quiet)
        return -np.asarray(np.nansum(bands[0], axis=1))

    def calibrate(self, X: Any) -> Self:
        """Learn how normal rows look from rows that the model was not fitted to.

        Alarms are measured against held-out rows of the fit by default. Fresh normal rows are
        better where the plant has moved since, or was fitted to few rows.

        Parameters
        ----------
        X : frame or array [n_rows, n_columns]
            Normal rows in order of time, at least 20; missing values are allowed.

        Returns
        -------
        self
        """
        check_is_fitted(self)
        table = read_rows(self, X, reset=False, min_rows=0)
        with one_thread():
            self.model_ = replace(self.model_, reference=calibration(self.model_, table))
        return self

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
        >>> from locality.data.synthetic import OrnsteinUhlenbeckChain
        >>> X = OrnsteinUhlenbeckChain(8, correlation=0.8).sample(1_000, random_state=0)
        >>> model = LocalizedDiffusion(graph="chain", score="linear", random_state=0).fit(X[:500])
        >>> new = X[500:].copy()
        >>> new[:, 3] = 2.0 * new[:, 3] + 1.0
        >>> told = model.update(new)
        >>> told.accepted, "x3" in told.sensors, told.rescaled
        (True, True, ('x3',))
        """
        check_is_fitted(self)
        table = read_rows(self, X, reset=False, min_rows=0)
        older = None if mix is None else read_rows(self, mix, reset=False, min_rows=0)
        model = self.model_
        with one_thread():
            chosen = choose_sensors(model, table, sensors, level)
            if not len(chosen):
                return Update.nothing(model, margin)
            self.model_, told = update_model(
                model, table, chosen, self.get_params(deep=False), progress or _quiet,
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
                self.model_, table, self.get_params(deep=False), progress or _quiet,
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
        >>> from locality.data.synthetic import OrnsteinUhlenbeckChain
        >>> X = OrnsteinUhlenbeckChain(8, correlation=0.8).sample(1_000, random_state=0)
        >>> model = LocalizedDiffusion(graph="chain", score="linear", random_state=0).fit(X[:500])
        >>> told = model.remove_sensors(X[500:], ["x3"])
        >>> told.removed, model.n_features_in_
        (('x3',), 7)
        """
        check_is_fitted(self)
        table = read_other_rows(self, X, remove=names)
        older = None if mix is None else read_other_rows(self, mix, remove=names)
        with one_thread():
            model, told = remove_sensors(
                self.model_, table, names, self.get_params(deep=False), progress or _quiet,
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
            return self.fit(X)
        self.update(X, "all", margin=None)
        return self

    def detect(self, X: Any, *, false_alarms: float = 0.01, by_sensor: bool = False) -> Any:
        """Tell which rows are abnormal, and how much each sensor is to blame.

        Parameters
        ----------
        X : frame or array [n_rows, n_columns]
            Rows in order of time; missing values are allowed.
        false_alarms : float, default 0.01
            Accepted share of normal rows with an alarm.
        by_sensor : bool, default False
            Also return the p-value of every sensor alone, given its neighborhood without wrong
            values.

        Returns
        -------
        rows : frame or array [n_rows, 2 + n_columns]
            ``alarm`` (0 or 1), ``p_value``, and the share of the blame of each column that is
            modeled or was set aside; shares sum to 1, or are 0 where nothing is unusual. A value
            that is wrong by itself takes the blame of what it does to its neighbors.
        p_values : frame or array [n_rows, n_components]
            Only with ``by_sensor``.

        Raises
        ------
        OptionError
            If the model has no law of a row, or does not know how normal rows look.

        Examples
        --------
        >>> from locality.data.synthetic import OrnsteinUhlenbeckChain
        >>> X = OrnsteinUhlenbeckChain(10, correlation=0.7).sample(600, random_state=0)
        >>> model = LocalizedDiffusion(graph="chain", score="linear", random_state=0).fit(X[:500])
        >>> new = X[500:].copy()
        >>> new[50, 3] += 6.0
        >>> found = model.detect(new)
        >>> int(found[50, 0]), int(found[50, 2:].argmax())
        (1, 3)
        """
        check_is_fitted(self)
        table = read_rows(self, X, reset=False, min_rows=0)
        with one_thread():
            found = detection(self.model_, table, false_alarms)
        names = [name for name in self.model_.standardizer.names if name not in self.given]
        kinds: list[Kind] = ["integer"]
        kinds += ["real"] * (1 + len(names))
        keep = [self.model_.standardizer.names.index(name) for name in names]
        rows = table.frame(
            np.column_stack([found.alarm, found.p_value, found.share[:, keep]]),
            ["alarm", "p_value", *names],
            kinds=kinds,
            keep_rows=True,
        )
        if not by_sensor:
            return rows
        return rows, table.frame(found.sensor_p_value, self.component_names_, keep_rows=True)

    def explain(self, X: Any, row: int, *, false_alarms: float = 0.01) -> Explanation:
        """Tell why a row is unusual: sensors, expectations, neighbors, kind of fault.

        Parameters
        ----------
        X : frame or array [n_rows, n_columns]
            The row and the rows before it, in order of time.
        row : int
            Position from 0.
        false_alarms : float, default 0.01
            As in ``detect``.

        Returns
        -------
        Explanation
        """
        check_is_fitted(self)
        table = read_rows(self, X, reset=False, min_rows=0)
        with one_thread():
            return explanation(self.model_, table, row, false_alarms)

    def transform(self, X: Any) -> Any:
        """Surprise as features for what comes next in a pipeline; see ``surprise``.

        Parameters
        ----------
        X : frame or array [n_rows, n_columns]

        Returns
        -------
        frame or array [n_rows, n_components]
            In the form chosen by ``set_output``, if any.
        """
        return self.surprise(X)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Names of the components, the columns of ``transform`` [n_components]."""
        check_is_fitted(self)
        return np.array(self.component_names_, dtype=object)

    def save(self, path: str | PathLike[str], *, overwrite: bool = False) -> None:
        """Write the model to a folder.

        Parameters
        ----------
        path : path
        overwrite : bool, default False
            Replace a model that is there already.

        Raises
        ------
        OutputExists
            If the folder exists.
        """
        check_is_fitted(self)
        save_model(self.model_, path, overwrite=overwrite)

    @classmethod
    def load(cls, path: str | PathLike[str], version: int | str | None = None) -> Self:
        """Read a model from a folder.

        Parameters
        ----------
        path : path
        version : int or str, optional
            Number or alias of another version than the one that is served.

        Raises
        ------
        ModelCorrupt
            Naming the file that is damaged or missing.
        """
        number = None if version is None else find_version(path, version)
        model = load_model(path, number)
        estimator = cls(**parameters_from(model))
        estimator.model_ = model
        restore_names(estimator)
        estimator._publish()
        return estimator

    def __sklearn_tags__(self) -> Any:
        """Missing values are allowed."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = not self.tied
        return tags

    def _revise(self, model: Model) -> None:
        """Take a model of other columns, and the parameters that name columns."""
        self.model_ = model
        changed = parameters_from(model)
        self.set_params(**{name: changed[name] for name in ("graph", "given", "noise")})
        restore_names(self)
        self._publish()

    def _publish(self) -> None:
        """Learned attributes from the model."""
        model = self.model_
        names = model.standardizer.modeled_names
        self.component_names_ = tuple(name for name in names if name not in self.given)
        self.radius_ = reach(model)
        self.band_radius_ = model.gather("radius")
        self.held_out_nats_ = model.gather("held_out")
        self.set_aside_ = {aside.name: aside.reason for aside in model.standardizer.set_aside}
        self.seconds_ = model.seconds


def _quiet(stage: str, done: int, total: int) -> None:
    """No progress is shown."""
