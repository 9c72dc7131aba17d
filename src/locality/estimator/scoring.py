"""What a fitted model says of rows: how surprising, how likely, how abnormal, and why."""

from dataclasses import replace
from typing import Any, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted

from locality._typing import FloatArray
from locality.data.kinds import Kind
from locality.estimator.answers import log_likelihood_of, nats_of
from locality.estimator.fitted import Fitted, Progress, quiet
from locality.exceptions import OptionError
from locality.inference.judging.detection import calibration, detection
from locality.inference.judging.explanation import Explanation, explanation
from locality.noise.levels import band_labels
from locality.training.executors import one_thread

__all__ = ["ScoringMixin"]


class ScoringMixin(Fitted):
    """``surprise``, ``score_samples``, ``log_likelihood``, ``detect`` and ``explain`` of
    `LocalizedDiffusion`.
    """

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
        bands, error = nats_of(self.model_, names, table, by_band, progress or quiet)
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
        table = self._table(X)
        bands, _ = nats_of(self.model_, self.component_names_, table, False, quiet)
        return -np.asarray(np.nansum(bands[0], axis=1))

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
        table = self._table(X)
        table.require_complete()
        with one_thread():
            value, error = log_likelihood_of(
                self.model_, self.component_names_, table.values, tolerance
            )
        return (value, error) if return_error else value

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
        with one_thread():
            self.model_ = replace(self.model_, reference=calibration(self.model_, table))
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
        >>> from locality import LocalizedDiffusion
        >>> from locality.data.synthetic import OrnsteinUhlenbeckChain
        >>> X = OrnsteinUhlenbeckChain(10, correlation=0.7).sample(600, random_state=0)
        >>> model = LocalizedDiffusion(graph="chain", score="linear", random_state=0).fit(X[:500])
        >>> new = X[500:].copy()
        >>> new[50, 3] += 6.0
        >>> found = model.detect(new)
        >>> int(found[50, 0]), int(found[50, 2:].argmax())
        (1, 3)
        """
        table = self._table(X)
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
        table = self._table(X)
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
