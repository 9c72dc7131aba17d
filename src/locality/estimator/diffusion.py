"""The estimator: a localized diffusion model of a table, by scikit-learn's conventions.

``fit`` standardizes the columns, finds or takes the dependency graph, chooses a radius per
component by held-out nats, and trains one local denoiser per component. The model then draws
samples, says how surprising each value is, which rows are abnormal and why, fills gaps, and follows
its plant. Frames come back as they came: same kind, names and index. All of it is done elsewhere;
this is where it is asked for.

Gottwald, Liu, Marzouk, Reich, Tong, "Localized Diffusion Models", arXiv 2505.04417.
"""

import warnings
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from locality._typing import FloatArray, IntArray
from locality.data.table import Table
from locality.estimator.fitting import Fit
from locality.estimator.judge import Judge
from locality.estimator.rows import (
    clean_state,
    context_rows,
    context_state,
    read_other_rows,
    read_rows,
    restore_rows,
)
from locality.exceptions import DataError, NotFitted, OptionError
from locality.inference.density.rows import (
    UNSURE,
    log_likelihood_of_rows,
    surprise_of_rows,
    unsure_rows,
)
from locality.inference.judging.detection import Detection
from locality.inference.judging.explanation import Explanation, explanation
from locality.inference.judging.promise import Promise, promise_for
from locality.inference.rows import calibrated, detected, filled
from locality.inference.updating.choice import (
    choose_sensors,
    require_choice,
    require_row_law,
    require_rows,
)
from locality.inference.updating.normal_rows import NormalRows
from locality.inference.updating.outcome import MIN_ROWS, Update
from locality.inference.updating.relearning import Learning
from locality.inference.updating.revision import add_sensors, remove_sensors
from locality.inference.updating.update import update_model
from locality.model.model import Model
from locality.model.settings import Settings
from locality.model.summary import reach
from locality.store.ledger import FileLedger
from locality.store.store import load_model, save_model
from locality.store.versions import (
    Version,
    commit_version,
    find_version,
    list_versions,
    rollback,
    served_digest,
)
from locality.training.execution import MOVED, Execution
from locality.training.executors import one_thread
from locality.training.parameters import renamed
from locality.training.trainer import Progress, quiet

if TYPE_CHECKING:
    from locality.inference.density.differentiable import DifferentiableField
    from locality.inference.sampling.imputation import Imputation

__all__ = ["LocalizedDiffusion"]

_MIN_ROWS = 5
_FALSE_ALARMS = 0.01
_MOST_WAITING = 2 * MIN_ROWS


def _knows_normal_rows(estimator: "LocalizedDiffusion") -> bool:
    """Whether rows can be judged; nobody knows before the fit."""
    return not hasattr(estimator, "model_") or estimator.model_.reference is not None


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
    context : sequence of str, default ()
        Columns that are conditions (recipe, set-point), not modeled.
    time : str, optional
        Column with time stamps; it orders the rows and is not modeled.
    gaussianize : bool, default True
        Give columns laws of their own before standardizing, where held-out nats ask for it:
        logarithm, logit or asinh; counts, states and values taken again and again as intervals of
        a normal variable. If not, all columns are taken as they are.
    noise : float or mapping of str to float, optional
        Standard deviation of measurement noise, of all columns or by name: nothing finer is
        learned. Use it where new rows are rounded more coarsely than those of the fit.
    denoiser : {"neural", "linear"}, default "neural"
        Local networks on top of the closed form, or the closed form alone.
    n_neighbors : int or "auto", default "auto"
        With ``graph="learn"``: strongest neighbors of each column (at most twice as many); "auto"
        takes of 2, 4 and 8 the fewest that held-out rows ask for.
    edge_level : float, default 0.9
        With ``graph="learn"``: tolerated share of false edges. Generous, because the radius is
        judged on held-out rows anyway.
    n_steps : int, default 3000
        Training steps of the networks.
    network : NetworkOptions, optional
        Shape and training of the networks; by default what was found best.
    max_radius : int, optional
        Largest radius that held-out rows are asked about, 24 by default.
    max_slots : int, optional
        Values that a neighborhood may hold at most, 160 by default.
    execution : Execution, optional
        Where shards are learned, by how many, and on which device; here and alone by default. The
        result does not depend on it.
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
    >>> model = LocalizedDiffusion(graph="chain", denoiser="linear", random_state=0).fit(X)
    >>> model.sample(5).shape
    (5, 10)
    >>> bool(model.held_out_nats_.mean() < 1.3)
    True
    """

    model_: Model
    change_: dict[str, Any]
    _home: tuple[Path, str]
    _waiting: Table | None = None

    @renamed(score='denoiser="linear" or denoiser="neural"', given="context=[…]", **MOVED)
    def __init__(
        self,
        *,
        graph: Any = "learn",
        radius: int | str = "auto",
        lags: int = 0,
        series: str = "causal",
        tied: bool = False,
        context: Sequence[str] = (),
        time: str | None = None,
        gaussianize: bool = True,
        noise: float | Mapping[str, float] | None = None,
        denoiser: str = "neural",
        n_neighbors: int | str = "auto",
        edge_level: float = 0.9,
        n_steps: int = 3000,
        network: Any = None,
        max_radius: int | None = None,
        max_slots: int | None = None,
        execution: Execution | None = None,
        random_state: Any = None,
    ) -> None:
        self.graph = graph
        self.radius = radius
        self.lags = lags
        self.series = series
        self.tied = tied
        self.context = context
        self.time = time
        self.gaussianize = gaussianize
        self.noise = noise
        self.denoiser = denoiser
        self.n_neighbors = n_neighbors
        self.edge_level = edge_level
        self.n_steps = n_steps
        self.network = network
        self.max_radius = max_radius
        self.max_slots = max_slots
        self.execution = execution
        self.random_state = random_state

    # -- fitting ------------------------------------------------------------------------------

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
        parameters = self.get_params(deep=False)
        settings, execution = Settings.of(parameters), self._execution()
        execution.require_device()
        self.seed_ = int(check_random_state(self.random_state).randint(2**31 - 1))
        table = read_rows(self, X, reset=True, min_rows=max(_MIN_ROWS, 2 * (self.lags + 1)))
        names = getattr(self, "feature_names_in_", None)
        settings = settings.replace(
            seed=self.seed_, feature_names=None if names is None else tuple(map(str, names))
        )
        ledger = None if work is None else FileLedger(Path(work))
        learn = Fit(settings, self.graph, execution, progress or quiet, ledger)
        self._take(learn(table))
        self._waiting = None
        return self

    def partial_fit(self, X: Any, y: Any = None, *, process_change: str | None = None) -> Self:
        """Fit at first; then let all sensors follow the new rows, starting from what is known.

        Parameters
        ----------
        X : frame or array [n_rows, n_columns]
            Fewer than 60 normal rows wait until enough have come. Rows in alarm are left out.
        y : ignored
        process_change : str, optional
            That the process itself has changed, and why: rows in alarm are learned from, too.

        Returns
        -------
        self
            Earlier rows are not kept: pass those that still matter with the new ones, or to
            ``update`` as ``mix``.

        Raises
        ------
        DataError
            If most rows are in alarm, or what was abnormal would be forgotten. The model stays as
            it is, and the rows are given up.
        """
        if not hasattr(self, "model_"):
            return self.fit(X)
        table = self._table(X)
        if self._waiting is not None:
            table = self._waiting.followed_by(table)
        self._waiting = table if table.n_rows < MIN_ROWS else None
        if self._waiting is None:
            told = self._update(table, "all", None, None, 0.01, None, process_change)
            if told.why and told.n_rows == 0 and table.n_rows < _MOST_WAITING:
                self._waiting = table  # too few of them are normal so far
            elif told.why:
                raise DataError(told.why)
        return self

    # -- drawing and filling ------------------------------------------------------------------

    @renamed(given='condition="flow>120"', method='sampler="heun"', n_jobs=MOVED["n_jobs"])
    def sample(
        self,
        n_samples: int = 1,
        *,
        n_series: int = 1,
        context: Any = None,
        condition: str | Mapping[str, Any] | None = None,
        sampler: Any = "auto",
        levels: Any = None,
        n_evaluations: int = 64,
        trajectory: bool = False,
        execution: Execution | None = None,
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
        context : frame or array [n_samples, n_context], optional
            Values of the context columns, required if there are any; an array has them in the
            order of ``context`` in the constructor.
        condition : str or mapping, optional
            Hold or bound columns: ``"xmv_01=60, flow>120"``, or columns to values or pairs
            (low, high). Models of tables with networks draw by posterior sampling, series and
            linear models from the closed form, whose conditional law is exact.
        sampler : {"auto", "exact", "sde", "dpm", "heun", "churn"} or Sampler class, default "auto"
            How noise is turned into rows; see ``locality.samplers``. "exact" draws a causal series
            without networks from its law, a recursion, hundreds of times faster than a walk
            through noise levels. "auto" is "exact" where that can be, and "sde" elsewhere, or with
            ``levels`` or ``trajectory``.
        levels : LevelSchedule, optional
            Which noise levels it walks down; those of Karras et al. by default.
        n_evaluations : int, default 64
            Evaluations of the denoiser per row; "exact" needs none.
        trajectory : bool, default False
            Also return every state on the way.
        execution : Execution, optional
            By whom large draws are made. The result does not depend on it.
        random_state : int or RandomState, optional
            Default: the seed of the fit, so that a model always draws the same rows.
        progress : callable, optional
            Called with (stage, steps done, steps in all).

        Returns
        -------
        rows : frame or array [n_samples, n_columns]
            All columns of the fitted table in its units: constant columns and copies are
            restored, integer columns are integers, context is as given.
        trajectory : Trajectory
            Only with ``trajectory``: noise levels, and standardized states at each.

        Raises
        ------
        OptionError
            If a number is out of range or context is missing.
        """
        from locality.inference.sampling.draw import Drawing
        from locality.inference.sampling.rows import conditioned, drawn

        check_is_fitted(self)
        model, seed = self.model_, self._seed(random_state)
        drawing = Drawing(n_samples, n_series, sampler, n_evaluations, levels)
        if condition is not None and trajectory:
            raise OptionError("trajectory=True tells of free draws, not of conditioned ones.")
        known = context_state(model, context, n_samples, n_series)
        with one_thread():
            if condition is not None:
                return restore_rows(
                    model, conditioned(model, condition, drawing, seed, known), context
                )
            found = drawn(
                model, drawing, seed, known, execution=execution, progress=progress or quiet,
                every_level=trajectory,
            )  # fmt: skip
        rows = restore_rows(model, found.states[-1].astype(np.float64), context)
        return (rows, found) if trajectory else rows

    def impute(
        self,
        X: Any,
        *,
        draws: int = 0,
        level: float = 0.9,
        random_state: Any = None,
        progress: Progress | None = None,
    ) -> "Imputation":
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
        >>> from locality import LocalizedDiffusion
        >>> from locality.data.synthetic import OrnsteinUhlenbeckChain
        >>> X = OrnsteinUhlenbeckChain(8, correlation=0.9).sample(400, random_state=0)
        >>> model = LocalizedDiffusion(graph="chain", denoiser="linear", random_state=0).fit(X)
        >>> gappy = X[:50].copy()
        >>> gappy[10:20, 3] = float("nan")
        >>> filled = model.impute(gappy)
        >>> bool(abs(filled.mean[10:20, 3] - X[10:20, 3]).mean() < 0.5)
        True
        """
        table, seed = self._table(X), self._seed(random_state)
        return filled(self.model_, table, draws, level, seed, progress or quiet)

    # -- densities ----------------------------------------------------------------------------

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
        table = self._table(X)
        names = self.component_names_
        bands, error = surprise_of_rows(
            self.model_, table, by_band=by_band, progress=progress or quiet
        )
        frames = {label: table.frame(nats, names, keep_rows=True) for label, nats in bands.items()}
        answer = frames if by_band else frames["all"]
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
            ``log_likelihood``), with a warning where the two differ by more than 0.05 nats per
            component: there the model is the score of no density, and neither is sure.
        """
        check_is_fitted(self)
        if method not in ("nats", "ode"):
            raise OptionError(f'method must be "nats" or "ode", found {method!r}.')
        table = self._table(X)
        bands, _ = surprise_of_rows(self.model_, table)
        nats = -np.asarray(np.nansum(bands["all"], axis=1))
        if method == "nats":
            return nats
        value, _ = log_likelihood_of_rows(self.model_, table)
        unsure = unsure_rows(value, nats, len(self.component_names_))
        if unsure.any():
            warnings.warn(
                f"In {unsure.sum():,} of {len(unsure):,} rows the likelihood of the flow and the "
                f"nats of the denoisers differ by more than {UNSURE} per component: there the "
                "model is the score of no density, and neither is sure.",
                stacklevel=2,
            )
        return value

    def score(self, X: Any, y: Any = None) -> float:
        """Mean log-likelihood of a row, in nats of the original units; higher is better.

        Parameters
        ----------
        X : frame or array [n_rows, n_columns]
        y : ignored
        """
        return float(np.mean(self.score_samples(X)))

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
        value, error = log_likelihood_of_rows(self.model_, self._table(X), tolerance)
        return (value, error) if return_error else value

    # -- judging ------------------------------------------------------------------------------

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
        table = self._table(X)
        self.model_ = calibrated(self.model_, table)
        return self

    def judge(
        self, false_alarms: float | str = _FALSE_ALARMS, sampling: str | float | None = None
    ) -> Judge:
        """A judge of rows that arrive in chunks.

        Parameters
        ----------
        false_alarms : float or str, default 0.01
            Accepted share of normal rows with an alarm; or accepted false episodes, as in
            ``"1 per 30 days"`` or ``"1 per 10000 rows"``.
        sampling : str or float, optional
            Time from row to row, as ``"3min"`` or in seconds, where episodes in a time are asked.

        Returns
        -------
        Judge

        Raises
        ------
        OptionError
            If the model does not know how normal rows look, or knows too few to keep the promise.
        """
        check_is_fitted(self)
        return Judge(self.model_, Promise.of(false_alarms, sampling), self._table)

    def detect(
        self,
        X: Any,
        *,
        false_alarms: float | str = _FALSE_ALARMS,
        sampling: str | float | None = None,
    ) -> Detection:
        """Tell which rows are abnormal, since when, and how much each sensor is to blame.

        Parameters
        ----------
        X : frame or array [n_rows, n_columns]
            Rows in order of time; missing values are allowed.
        false_alarms : float or str, default 0.01
            Accepted share of normal rows with an alarm; or accepted false episodes, as in
            ``"1 per 30 days"`` or ``"1 per 10000 rows"``.
        sampling : str or float, optional
            Time from row to row, where episodes in a time are asked for; by default what lies
            between most rows, if the table has a time column.

        Returns
        -------
        Detection
            ``alarm`` and ``p_value`` of every row; ``share`` of the blame of every column (a value
            that is wrong by itself takes the blame of what it does to its neighbors); how far each
            sensor has ``moved``; ``sensor_p_value``; ``episodes``; ``to_frame()``.

        Raises
        ------
        OptionError
            If the model has no law of a row, or does not know how normal rows look.

        Examples
        --------
        >>> from locality import LocalizedDiffusion
        >>> from locality.data.synthetic import OrnsteinUhlenbeckChain
        >>> X = OrnsteinUhlenbeckChain(10, correlation=0.7).sample(600, random_state=0)
        >>> model = LocalizedDiffusion(graph="chain", denoiser="linear", random_state=0)
        >>> new = X[500:].copy()
        >>> new[50, 3] += 6.0
        >>> found = model.fit(X[:500]).detect(new)
        >>> bool(found.alarm[50]), int(found.share[50].argmax()), found.episodes[0].fault
        (True, 3, 'spike')
        """
        table = self._table(X)
        return detected(self.model_, table, promise_for(table, false_alarms, sampling))

    @available_if(_knows_normal_rows)  # type: ignore[untyped-decorator]
    def predict(self, X: Any, *, false_alarms: float = _FALSE_ALARMS) -> IntArray:
        """1 for every row that looks normal, -1 for one with an alarm [n_rows].

        Parameters
        ----------
        X : frame or array [n_rows, n_columns]
        false_alarms : float, default 0.01
            As in ``detect``.
        """
        return np.where(self.detect(X, false_alarms=false_alarms).alarm, -1, 1)

    @available_if(_knows_normal_rows)  # type: ignore[untyped-decorator]
    def decision_function(self, X: Any, *, false_alarms: float = _FALSE_ALARMS) -> FloatArray:
        """log p-value beyond that of an alarm [n_rows]: above 0 a row looks normal.

        Minus infinity where a column that was set aside has departed from its rule, which has no
        probability.

        Parameters
        ----------
        X : frame or array [n_rows, n_columns]
        false_alarms : float, default 0.01
            As in ``detect``.
        """
        found = self.detect(X, false_alarms=false_alarms)
        beyond = found.log_p - np.log(false_alarms)
        beyond[beyond == 0.0] = -np.finfo(float).tiny  # the rate itself is an alarm
        return np.where(found.judgment.departed.any(axis=1), -np.inf, beyond)

    def explain(
        self, X: Any, row: int, *, false_alarms: float | str = _FALSE_ALARMS
    ) -> Explanation:
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
        table = self._table(X)
        with one_thread():
            return explanation(self.model_, table, row, promise_for(table, false_alarms))

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

    # -- between tables, states and scores ----------------------------------------------------

    def to_state(self, X: Any, *, return_log_jacobian: bool = False) -> Any:
        """Rows as the standardized components that the model is about.

        Parameters
        ----------
        X : frame or array [n_rows, n_columns]
        return_log_jacobian : bool, default False
            Also return log |dy/dx| of every component.

        Returns
        -------
        y : float array [n_rows, n_components]
            In the order of ``component_names_``; NaN where a value is missing.
        log_jacobian : float array [n_rows, n_components]
            Only with ``return_log_jacobian``; log p(x) is log p(y) plus its row sum.
        """
        table = self._table(X)
        layout = self.model_.layout
        y = layout.standardizer.standardize(table.values)[:, layout.places]
        return (y, layout.log_slope(table.values)) if return_log_jacobian else y

    def from_state(self, y: Any, *, context: Any = None, return_log_jacobian: bool = False) -> Any:
        """Standardized components as rows of the table, the inverse of ``to_state``.

        Parameters
        ----------
        y : float array [n_rows, n_components]
        context : frame or array [n_rows, n_context], optional
            Needed if the model has context columns.
        return_log_jacobian : bool, default False
            Also return log |dx/dy| of every component.

        Returns
        -------
        rows : frame or array [n_rows, n_columns]
            In the form of the table fitted; whole numbers and states are rounded.
        log_jacobian : float array [n_rows, n_components]
            Only with ``return_log_jacobian``, at the values before they are rounded.

        Raises
        ------
        DataError
            If ``y`` has another width, or a value that is not finite.
        """
        check_is_fitted(self)
        layout = self.model_.layout
        y = np.asarray(y, dtype=np.float64)
        if y.ndim != 2 or y.shape[1] != len(layout.names):
            raise DataError(f"A state has shape (n_rows, {len(layout.names)}), found {y.shape}.")
        if not np.isfinite(y).all():
            i, j = np.argwhere(~np.isfinite(y))[0]
            raise DataError(
                f"A state must be finite, found {y[i, j]} of {layout.names[j]!r}, row {i + 1}."
            )
        rows = restore_rows(self.model_, y, context)
        if not return_log_jacobian:
            return rows
        z = context_rows(self.model_, context, len(y)) if layout.context else None
        return rows, -layout.log_slope(layout.restore(y, z, whole=False))

    def field(self, *, context: Any = None, past: Any = None) -> "DifferentiableField":
        """The learned score as a function of the standardized state, open to autograd.

        Parameters
        ----------
        context : frame or array [1 or n, n_context], optional
            Values of the context columns, needed if there are any: of all samples, or of each.
        past : frame or array [n_rows, n_columns], optional
            Of a series: the rows before, without gaps; as many of the last as the model looks back
            upon. Without them the field is that of a first row.

        Returns
        -------
        DifferentiableField
            ``denoise(y, sigma)``, ``score(y, sigma)``, ``divergence(y, sigma)``.

        Raises
        ------
        OptionError
            If the model is a joint series, whose rows have no score of their own.

        Examples
        --------
        >>> from locality import LocalizedDiffusion
        >>> from locality.data.synthetic import OrnsteinUhlenbeckChain
        >>> X = OrnsteinUhlenbeckChain(6, correlation=0.7).sample(300, random_state=0)
        >>> model = LocalizedDiffusion(graph="chain", denoiser="linear", random_state=0).fit(X)
        >>> model.field().score(model.to_state(X[:2]), 0.3).shape
        (2, 6)
        """
        from locality.inference.density.differentiable import DifferentiableField

        check_is_fitted(self)
        model = self.model_.unrolled
        return DifferentiableField(model.field, clean_state(self, model, context, past))

    # -- following the plant ------------------------------------------------------------------

    def update(
        self,
        X: Any,
        sensors: str | int | Sequence[str] = "drifted",
        *,
        mix: Any = None,
        margin: float | None = 0.01,
        level: float = 0.01,
        process_change: str | None = None,
        progress: Progress | None = None,
    ) -> Update:
        """Learn some sensors again from new rows; all others stay the same, bit for bit.

        Networks start from the present ones. The latest 30 % of the new rows are kept back for a
        gate: unless the sensors that change are no worse on them, with a confidence bound, nothing
        changes.

        Rows in alarm are not learned from, or a fault would be normal ever after. What they looked
        like is kept with the model: unless it still raises an alarm, nothing changes either.

        Parameters
        ----------
        X : frame or array [n_rows, n_columns]
            New rows in order of time, at least 60 of them normal.
        sensors : "drifted", "all", int or list of str, default "drifted"
            Those whose surprise has risen beyond that of normal rows; all; so many whose surprise
            has risen most; or those named.
        mix : frame or array, optional
            Older rows to be learned from as well; without them the sensors follow the new rows.
        margin : float or None, default 0.01
            Nats per component by which the challenger may seem worse; None switches the gate off.
        level : float, default 0.01
            Accepted probability that any sensor is called drifted by mistake.
        process_change : str, optional
            That the process itself has changed, and why: rows in alarm are learned from, too.
        progress : callable, optional
            Called with (stage, shards done, shards in all).

        Returns
        -------
        Update
            What was done, with nats before and after, the sensors that look at one whose scale has
            changed, and the rows that were left out; or ``why`` it was refused.

        Examples
        --------
        >>> from locality import LocalizedDiffusion
        >>> from locality.data.synthetic import OrnsteinUhlenbeckChain
        >>> X = OrnsteinUhlenbeckChain(8, correlation=0.8).sample(1_000, random_state=0)
        >>> model = LocalizedDiffusion(graph="chain", denoiser="linear", random_state=0)
        >>> model = model.fit(X[:500])
        >>> new = X[500:].copy()
        >>> new[:, 3] = 2.0 * new[:, 3] + 1.0
        >>> model.update(new).accepted, model.update(new).n_left_out
        (False, 500)
        >>> told = model.update(new, process_change="x3 was replaced")
        >>> told.accepted, "x3" in told.sensors, told.rescaled
        (True, True, ('x3',))
        """
        older = None if mix is None else self._table(mix)
        return self._update(self._table(X), sensors, older, margin, level, progress, process_change)

    def add_sensors(
        self,
        X: Any,
        names: Sequence[str] | None = None,
        *,
        graph: Any = None,
        margin: float | None = 0.01,
        process_change: str | None = None,
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
        process_change : str, optional
            As in ``update``.
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
        >>> model = LocalizedDiffusion(denoiser="linear", random_state=0).fit(X[:500, :7])
        >>> told = model.add_sensors(X[500:])
        >>> told.added, "x6" in told.sensors, model.n_features_in_
        (('x7',), True, 8)
        """
        check_is_fitted(self)
        table = read_other_rows(self.model_, X, add=names)
        with one_thread():
            model, told = add_sensors(
                self.model_,
                table,
                self._learning(progress),
                graph=graph,
                margin=margin,
                process_change=process_change,
            )
        self._take(model, "add", told)
        return told

    def remove_sensors(
        self,
        X: Any,
        names: Sequence[str],
        *,
        mix: Any = None,
        margin: float | None = 0.01,
        process_change: str | None = None,
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
        process_change : str, optional
            As in ``update``.
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
        >>> model = LocalizedDiffusion(graph="chain", denoiser="linear", random_state=0)
        >>> model = model.fit(X[:500])
        >>> told = model.remove_sensors(X[500:], ["x3"])
        >>> told.removed, model.n_features_in_
        (('x3',), 7)
        """
        check_is_fitted(self)
        names = list(dict.fromkeys(names))
        if not names:
            raise OptionError("No column to be given up was named.", remedy="Name one.")
        table = read_other_rows(self.model_, X, remove=names)
        older = None if mix is None else read_other_rows(self.model_, mix, remove=names)
        with one_thread():
            model, told = remove_sensors(
                self.model_,
                table,
                names,
                self._learning(progress),
                mix=older,
                margin=margin,
                process_change=process_change,
            )
        self._take(model, "remove", told)
        return told

    # -- the model on disk --------------------------------------------------------------------

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
        self._home, self.change_ = (Path(path), served_digest(path)), {}

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
        digest = served_digest(path)
        model = load_model(path, number)
        settings = model.settings
        graph = model.domain.graph if settings.graph is None else settings.graph
        estimator = cls(**(settings.parameters | {"graph": graph}))
        estimator._home = (Path(path), digest)
        estimator._take(model)
        return estimator

    def versions(self, path: str | PathLike[str] | None = None) -> list[Version]:
        """All versions of a model folder, the oldest first.

        Parameters
        ----------
        path : path, optional
            By default the folder that the model was saved to or loaded from.
        """
        return list_versions(self._folder(path))

    def commit(
        self,
        path: str | PathLike[str] | None = None,
        *,
        note: Mapping[str, Any] | None = None,
        serve: bool = True,
    ) -> int:
        """Add the model to a folder as a new version; files of unchanged shards are shared.

        Parameters
        ----------
        path : path, optional
            By default the folder that the model was saved to or loaded from, which must still serve
            that version.
        note : mapping, optional
            What to keep with the version, as JSON, beside what was done since.
        serve : bool, default True
            Serve it from now on; otherwise it gets the alias "challenger".

        Returns
        -------
        int
            Its number.

        Raises
        ------
        VersionConflict
            If the folder serves another version by now. Nothing has changed.
        """
        check_is_fitted(self)
        folder = self._folder(path)
        home, digest = getattr(self, "_home", (None, None))
        change = {"kind": "commit"} | getattr(self, "change_", {}) | dict(note or {})
        parent = digest if folder == home else None
        number = commit_version(self.model_, folder, change=change, parent=parent, serve=serve)
        self._home, self.change_ = (folder, served_digest(folder)), {}
        return number

    def rollback(self, version: int | str, path: str | PathLike[str] | None = None) -> Self:
        """Serve another version from now on, and become it; nothing is deleted.

        Parameters
        ----------
        version : int or str
            Number or alias.
        path : path, optional
            By default the folder that the model was saved to or loaded from.

        Returns
        -------
        self
        """
        folder = self._folder(path)
        rollback(folder, version)
        again = type(self).load(folder)
        self.set_params(**again.get_params(deep=False) | {"execution": self.execution})
        self._home = again._home
        self._take(again.model_)
        return self

    def __sklearn_tags__(self) -> Any:
        """Missing values are allowed."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    @renamed(score='denoiser="linear" or denoiser="neural"', given="context=[…]", **MOVED)
    def set_params(self, **parameters: Any) -> Self:
        """Change parameters by name, for the next ``fit``.

        Returns
        -------
        self
        """
        super().set_params(**parameters)
        return self

    # -- inside -------------------------------------------------------------------------------

    def _table(self, X: Any) -> Table:
        """Rows with the columns that were fitted."""
        check_is_fitted(self)
        return read_rows(self, X, reset=False)

    def _seed(self, random_state: Any) -> int:
        """A number for a random state; that of the fit for None."""
        if random_state is None:
            return self.seed_
        return int(check_random_state(random_state).randint(2**31 - 1))

    def _execution(self) -> Execution:
        if self.execution is None:
            return Execution()
        if not isinstance(self.execution, Execution):
            raise OptionError(
                "The 'execution' parameter of LocalizedDiffusion must be an Execution, "
                f"found {self.execution!r}."
            )
        return self.execution

    def _update(
        self,
        table: Table,
        sensors: str | int | Sequence[str],
        older: Table | None,
        margin: float | None,
        level: float,
        progress: Progress | None,
        process_change: str | None,
    ) -> Update:
        model = self.model_
        require_row_law(model)
        require_rows(table)
        require_choice(model, sensors)
        with one_thread():
            rows = NormalRows.of(model, table, process_change)
            mix = None if older is None else NormalRows.of(model, older, older=True)
            if rows.n_normal < MIN_ROWS:
                return Update.without_rows(model, margin, rows)
            chosen = choose_sensors(model, rows, sensors, level)
            if not len(chosen):
                return Update.nothing(model, margin).about(rows, mix)
            model, told = update_model(
                model, rows, chosen, self._learning(progress), mix=mix, margin=margin
            )
        self._take(model, "update", told)
        return told

    def _learning(self, progress: Progress | None) -> Learning:
        settings = Settings.of(self.get_params(deep=False))
        return Learning(settings, self._execution(), progress or quiet)

    def _folder(self, path: str | PathLike[str] | None) -> Path:
        if path is not None:
            return Path(path)
        if not hasattr(self, "_home"):
            raise NotFitted(
                "The model was neither saved nor loaded, so it has no folder.",
                remedy="Name one, or save it.",
            )
        return self._home[0]

    def _take(self, model: Model, kind: str = "", told: Update | None = None) -> None:
        """Become a model: learned attributes, and parameters that name its columns."""
        settings = model.settings
        if told is not None and told.accepted:
            self.change_ = {"kind": kind} | told.to_dict()
            if settings != self.model_.settings:  # columns came or went
                graph = model.domain.graph if settings.graph is None else settings.graph
                self.set_params(graph=graph, context=settings.context, noise=settings.noise)
        names = settings.feature_names
        if names is not None:  # the time column was among them once
            names = tuple(name for name in names if name != settings.time)
            self.feature_names_in_ = np.array(names, dtype=object)
        self.model_, self.seed_ = model, settings.seed
        self.n_features_in_ = len(names or model.standardizer.names)
        self.component_names_ = model.layout.names
        self.radius_ = reach(model)
        self.band_radius_ = model.gather("radius")
        self.held_out_nats_ = model.gather("held_out")
        self.set_aside_ = {aside.name: aside.reason for aside in model.standardizer.set_aside}
        self.seconds_ = model.seconds
