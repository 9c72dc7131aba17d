"""What a fitted model makes up: new rows, rows in which columns are held, and gaps."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from locality.estimator.fitted import Fitted, Progress, quiet
from locality.estimator.rows import context_state, restore_rows
from locality.exceptions import OptionError
from locality.inference.sampling.conditions import conditional_rows, parse_conditions
from locality.inference.sampling.draw import Drawing
from locality.inference.sampling.imputation import Imputation, fill
from locality.model.layout import from_state
from locality.training.executors import executor, one_thread

__all__ = ["SamplingMixin"]


class SamplingMixin(Fitted):
    """``sample`` and ``impute`` of `LocalizedDiffusion`."""

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
        seed = self._seed(random_state)
        if given is not None:
            return self._sample_given(given, drawing, context, seed)
        known = context_state(self, context, n_samples, n_series)
        spread = None if n_jobs == 1 else executor(n_jobs).map
        with one_thread():
            drawn = drawing(
                model.field, model.levels, model.extent, seed, known, progress or quiet, spread
            )
        rows = from_state(drawn.draws.astype(np.float64), model.domain, bool(model.extent))
        return restore_rows(self, rows[:n_samples], context)

    def _sample_given(
        self, given: str | Mapping[str, Any], drawing: Drawing, context: Any, seed: int
    ) -> Any:
        """Rows in which columns are held or bounded."""
        model = self.model_.unrolled
        if drawing.n_series > 1:
            raise OptionError(
                "given= draws rows of a table, or one stretch of a series.",
                remedy="Leave n_series (--series-count) at 1.",
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
        >>> from locality import LocalizedDiffusion
        >>> from locality.data.synthetic import OrnsteinUhlenbeckChain
        >>> X = OrnsteinUhlenbeckChain(8, correlation=0.9).sample(400, random_state=0)
        >>> model = LocalizedDiffusion(graph="chain", score="linear", random_state=0).fit(X)
        >>> gappy = X[:50].copy()
        >>> gappy[10:20, 3] = float("nan")
        >>> filled = model.impute(gappy)
        >>> bool(abs(filled.mean[10:20, 3] - X[10:20, 3]).mean() < 0.5)
        True
        """
        table = self._table(X)
        seed = self._seed(random_state)
        with one_thread():
            return fill(self.model_.unrolled, table, draws, level, seed, progress or quiet)
