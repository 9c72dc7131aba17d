"""The estimator: a localized diffusion model of a table, by scikit-learn's conventions.

``fit`` standardizes the columns, finds or takes the dependency graph, chooses a radius per
component by held-out nats, and trains one local denoiser per component. The model then draws
samples and says how surprising each value is. Frames come back as they came: same kind, names and
index.

Gottwald, Liu, Marzouk, Reich, Tong, "Localized Diffusion Models", arXiv 2505.04417.
"""

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, Self

from sklearn.base import TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from locality.estimator.fitted import Fitted, Progress, quiet
from locality.estimator.fitting import fit_model
from locality.estimator.options import check_options
from locality.estimator.persistence import parameters_from, restore_names, settings_of
from locality.estimator.rows import read_rows
from locality.estimator.sampling import SamplingMixin
from locality.estimator.scoring import ScoringMixin
from locality.estimator.updating import UpdatingMixin
from locality.store.ledger import FileLedger
from locality.store.store import load_model, save_model
from locality.store.versions import find_version

__all__ = ["LocalizedDiffusion"]

_MIN_ROWS = 5


class LocalizedDiffusion(
    SamplingMixin,
    ScoringMixin,
    UpdatingMixin,
    TransformerMixin,  # type: ignore[misc]
    Fitted,
):
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
    device : str, default "cpu"
        Where networks are trained: "cpu", "cuda" or "cuda:N". A GPU draws the same random numbers
        and rounds differently: results of the CPU are the reference. All else stays on the CPU.
    gpu_share : float, default 0.25
        With Ray and a GPU: share of one that each shard takes.
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
        device: str = "cpu",
        gpu_share: float = 0.25,
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
        self.device = device
        self.gpu_share = gpu_share
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
        self.model_ = fit_model(table, parameters, settings, progress or quiet, ledger)
        self._publish()
        return self

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
        tags.input_tags.allow_nan = True
        return tags
