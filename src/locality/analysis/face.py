"""The check as it is called: it knows the check and the plan, which do not know each other."""

from collections.abc import Iterable, Sequence
from typing import Any, Unpack

from locality._typing import FloatArray
from locality.analysis.check.check import examine
from locality.analysis.check.findings import CostFinding
from locality.analysis.check.question import Question, Work
from locality.analysis.check.report import LocalityReport
from locality.analysis.planning.plan import plan
from locality.domain import DependencyGraph
from locality.training.parameters import renamed

__all__ = ["check"]


@renamed(given="context=[…]")
def check(
    X: Any,
    *,
    graph: Any = None,
    merge: bool = False,
    k_nearest: int | None = None,
    lags: int | str = "auto",
    level: float = 0.05,
    columns: Iterable[str] | None = None,
    drop: Iterable[str] = (),
    context: Sequence[str] = (),
    cycles: Sequence[str] = (),
    time: str | None = None,
    **work: Unpack[Work],
) -> LocalityReport:
    """Does locality hold in a table?

    Parameters
    ----------
    X : pandas, polars or pyarrow frame, or array [n_rows, n_columns]
        Numbers; missing values are allowed. Rows in order of time if they have one.
    graph : path, networkx graph, scipy matrix, DependencyGraph, "chain" or "ring", optional
        What you know of who depends on whom; learned by default. It is compared with the data, and
        the verdict is about locality in this graph.
    merge : bool, default False
        Judge the given graph and the dependences found in the data together.
    k_nearest : int, optional
        Of a file with distances: pairs where either is among the other's nearest.
    lags : int or "auto", default "auto"
        Rows of the past that each row may depend on; 0 for rows in no order.
    level : float, default 0.05
        Accepted share of false edges, and error level of the tests.
    columns, drop : iterables of str, optional
        Columns to check, and to leave out.
    context, cycles : sequences of str
        Columns known to drive the others (load, recipe, weather), and lengths of cycles that all
        columns share ("1d", "7d", or numbers in the unit of a numeric time): taken out first.
    time : str, optional
        Column with the time of each row, which is left out; cycles need it.
    **work
        ``title`` of the report ("table"); ``costs``: tell what a fit would cost, in a few seconds
        more (True); ``n_jobs`` worker processes, without effect on the result (1);
        ``random_state`` of the draws that fill gaps (0); ``progress``, called with (stage, done,
        total).

    Returns
    -------
    LocalityReport

    Raises
    ------
    DataError
        The table has fewer than 40 rows, or fewer than two columns that vary.
    GraphError
        The graph does not fit the columns.
    OptionError
        A parameter is out of range.

    Notes
    -----
    The graph is learned from all rows, held-out ones included, at the stated level of false edges:
    with few rows its nats are slightly optimistic.

    Examples
    --------
    >>> from locality.data.synthetic import OrnsteinUhlenbeckChain
    >>> rows = OrnsteinUhlenbeckChain(12, correlation=0.7).sample(400, random_state=0)
    >>> check(rows, graph="chain", lags=0, costs=False).verdict.answer
    'local'
    """
    names = None if columns is None else tuple(columns)
    known = graph, merge, k_nearest, lags, level
    return examine(X, Question(*known, names, tuple(drop), context, cycles, time), _price, **work)


def _price(rows: FloatArray, graph: DependencyGraph, lags: int) -> tuple[CostFinding, ...]:
    """What a fit to these rows on this graph costs."""
    return plan(rows, workers=(1, 2), graph=graph, lags=lags).costs
