"""Discovery of the graph: linear, nonlinear and lagged truths, noise, and what it costs.

Linear truths are Gaussian with the partial correlations stated on every edge, of random signs
(chain, grid, random sparse) or equal ones (hubs of nine). Nonlinear truths are groups of nearly
uncorrelated pairs among independent columns; lagged truths are pairs, one column following the
other after 1 to 20 rows. scikit-learn's GraphicalLassoCV, and causal-learn's PC where it is
installed, see the same rows. An edge of the former is any entry of the precision that is not zero;
beside it stands the F1 of the best cut through its partial correlations, which needs the truth.
"""

import resource
import warnings
from collections.abc import Callable
from time import process_time

import networkx as nx
import numpy as np
from sklearn.covariance import GraphicalLassoCV

from locality.domain.dependence import Dependence, learn_graph
from measure import FloatArray, Table, one_core

LEVEL = 0.05
N_ROWS = 1000
Edges = set[tuple[int, int]]


def edges_of(found: Dependence) -> Edges:
    return set(zip(found.i.tolist(), found.j.tolist(), strict=True))


def f1(found: Edges, truth: Edges) -> float:
    return 2 * len(found & truth) / max(1, len(found) + len(truth))


def wrong_share(found: Edges, truth: Edges) -> float:
    return len(found - truth) / max(1, len(found))


def truths(d: int, seed: int) -> dict[str, tuple[nx.Graph, float, bool]]:
    """Graph, partial correlation and whether signs are random, by name."""
    side = {20: 4, 100: 10, 500: 20, 2000: 40}[d]
    hubs = nx.disjoint_union_all([nx.star_graph(9) for _ in range(d // 10)])
    return {
        "chain": (nx.path_graph(d), 0.3, True),
        "grid": (nx.convert_node_labels_to_integers(nx.grid_2d_graph(side, d // side)), 0.25, True),
        "random": (nx.gnm_random_graph(d, d, seed=seed), 0.25, True),
        "hub": (hubs, 0.3, False),
    }


def gaussian(
    graph: nx.Graph, strength: float, signs: bool, n: int, rng: np.random.Generator
) -> tuple[FloatArray, Edges]:
    """Rows whose partial correlation is ± ``strength`` on every edge."""
    adjacency = nx.to_numpy_array(graph)
    sign = np.triu(rng.choice([-1.0, 1.0], size=adjacency.shape)) if signs else 1.0
    upper = np.triu(adjacency) * sign
    precision = np.eye(len(adjacency)) - strength * (upper + upper.T)
    white = rng.standard_normal((len(adjacency), n))
    rows = np.linalg.solve(np.linalg.cholesky(precision).T, white).T
    truth = {(i, j) for i, j in zip(*(k.tolist() for k in np.nonzero(upper)), strict=True)}
    return rows, truth


def lasso(rows: FloatArray) -> tuple[Edges, list[tuple[int, int]]]:
    """Edges of GraphicalLassoCV, and all of them from the strongest to the weakest."""
    scaled = (rows - rows.mean(axis=0)) / rows.std(axis=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        precision = GraphicalLassoCV(cv=3, max_iter=50).fit(scaled).precision_
    scale = np.sqrt(np.diag(precision))
    strength = np.triu(np.abs(precision) / np.outer(scale, scale), k=1)
    i, j = np.nonzero(strength > 1e-8)
    order = np.argsort(-strength[i, j])
    ranked = list(zip(i[order].tolist(), j[order].tolist(), strict=True))
    return set(ranked), ranked


def best_f1(ranked: list[tuple[int, int]], truth: Edges) -> float:
    """F1 of the best number of strongest edges."""
    hits = np.cumsum([pair in truth for pair in ranked])
    return float(np.max(2 * hits / (np.arange(1, len(ranked) + 1) + len(truth)), initial=0.0))


def pc() -> Callable[[FloatArray], Edges] | None:
    """Edges of causal-learn's PC at the same level, if it is installed."""
    try:
        from causallearn.search.ConstraintBased.PC import pc as search
    except ImportError:
        return None

    def skeleton(rows: FloatArray) -> Edges:
        adjacency = search(rows, alpha=LEVEL, show_progress=False).G.graph
        i, j = np.nonzero(np.triu((adjacency != 0) | (adjacency.T != 0), k=1))
        return set(zip(i.tolist(), j.tolist(), strict=True))

    return skeleton


def linear(quick: bool) -> Table:
    """F1 on Gaussian truths."""
    n_seeds = 2 if quick else 5
    other = pc()
    table = []
    for d in (20, 100) if quick else (20, 100, 500, 2000):
        for name in truths(d, 0):
            scores, wrong, seconds, rivals = [], [], [], {}
            for seed in range(n_seeds if d < 500 else 1):
                graph, strength, signs = truths(d, seed)[name]
                rows, truth = gaussian(graph, strength, signs, N_ROWS, np.random.default_rng(seed))
                start = process_time()
                found = edges_of(learn_graph(rows, level=LEVEL))
                seconds.append(process_time() - start)
                scores.append(f1(found, truth))
                wrong.append(wrong_share(found, truth))
                if seed == 0 and d <= 100:
                    start = process_time()
                    theirs, ranked = lasso(rows)
                    spent = process_time() - start
                    rivals["lasso"] = f"{f1(theirs, truth):.2f} ({spent:.1f} s)"
                    rivals["cut"] = f"{best_f1(ranked, truth):.3f}"
                    if other is not None:
                        start = process_time()
                        theirs = other(rows)
                        spent = process_time() - start
                        rivals["pc"] = f"{f1(theirs, truth):.2f} ({spent:.1f} s)"
            table.append(
                [
                    f"{name}, ±{strength}" if signs else f"{name}, {strength}", f"{d:,}",
                    f"{np.mean(scores):.3f}", f"{np.min(scores):.3f}", f"{np.mean(wrong):.3f}",
                    f"{np.mean(seconds):.2f}",
                    *(rivals.get(rival, "–") for rival in ("lasso", "cut", "pc")),
                ]
            )  # fmt: skip
    remarks = [f"N = {N_ROWS:,}, level {LEVEL}; {n_seeds} seeds, one from d = 500 and for rivals."]
    if other is None:
        remarks.append("causal-learn is not installed, so PC was left out.")
    remarks.append("Goal: F1 ≥ 0.95 at d = 100.")
    return Table(
        "Discovery: linear truths",
        ["graph", "d", "F1", "worst", "wrong", "s", "GraphicalLassoCV", "best cut", "PC"],
        table,
        remarks,
    )


def curved(
    d: int, repeats: float, rng: np.random.Generator
) -> tuple[FloatArray, dict[str, Edges], Edges]:
    """Independent columns and groups of uncorrelated, dependent ones; truth by kind.

    Last are the pairs of factors of a product: independent, but not given the product.
    """
    z = rng.standard_normal((N_ROWS, d))
    for t in range(1, N_ROWS if repeats else 0):
        z[t] = repeats * z[t - 1] + np.sqrt(1 - repeats**2) * z[t]
    x = z.copy()
    truth: dict[str, Edges] = {"square": set(), "|x|": set(), "product": set(), "spread": set()}
    factors: Edges = set()
    for b in range(0, d - 11, 12):
        x[:, b + 1] = z[:, b] ** 2 + 0.5 * z[:, b + 1]
        x[:, b + 4] = z[:, b + 2] * z[:, b + 3] + 0.5 * z[:, b + 4]
        x[:, b + 6] = z[:, b + 6] * np.exp(0.5 * z[:, b + 5])
        x[:, b + 8] = np.abs(z[:, b + 7]) + 0.3 * z[:, b + 8]
        truth["square"].add((b, b + 1))
        truth["product"] |= {(b + 2, b + 4), (b + 3, b + 4)}
        truth["spread"].add((b + 5, b + 6))
        truth["|x|"].add((b + 7, b + 8))
        factors.add((b + 2, b + 3))
    return x, truth, factors


def nonlinear(quick: bool) -> Table:
    """Power by kind of dependence and share of wrong edges."""
    n_seeds = 3 if quick else 10
    table = []
    for name, repeats, heavy, missing in (
        ("white", 0.0, False, 0.0),
        ("heavy tails", 0.0, True, 0.0),
        ("autocorrelation 0.8", 0.8, False, 0.0),
        ("20 % missing", 0.0, False, 0.2),
    ):
        power: dict[str, list[float]] = {}
        wrong, correlation, theirs = [], [], []
        for seed in range(n_seeds):
            rng = np.random.default_rng(seed)
            rows, truth, factors = curved(96, repeats, rng)
            every = set().union(*truth.values())
            r = np.corrcoef(rows.T)
            correlation.append(np.mean([abs(r[pair]) for pair in every]))
            if heavy:
                rows = np.sinh(1.5 * rows)
            if missing:
                rows[rng.random(rows.shape) < missing] = np.nan
            found = edges_of(learn_graph(rows, level=LEVEL))
            for kind, pairs in truth.items():
                power.setdefault(kind, []).append(len(found & pairs) / len(pairs))
            wrong.append(wrong_share(found, every | factors))
            if seed == 0 and not missing:
                rival, _ = lasso(rows)
                theirs = [len(rival & every) / len(every), wrong_share(rival, every | factors)]
        table.append(
            [
                name, f"{np.mean(correlation):.2f}",
                *(f"{np.mean(found):.2f}" for found in power.values()),
                f"{np.mean(wrong):.3f} ± {np.std(wrong) / np.sqrt(n_seeds):.3f}",
                "{:.2f}, {:.2f} wrong".format(*theirs) if theirs else "–",
            ]
        )  # fmt: skip
    return Table(
        "Discovery: nonlinear pairs, power by kind",
        ["rows", "mean |r|", *power, "wrong", "GraphicalLassoCV"],
        table,
        [
            f"d = 96, N = {N_ROWS:,}, level {LEVEL}, {n_seeds} seeds.",
            "Goal: power ≥ 0.9, share of wrong edges at most the level.",
        ],
    )


def followers(
    d: int, own: float, squared: bool, rng: np.random.Generator
) -> tuple[FloatArray, dict[tuple[int, int], int]]:
    """Autoregressions of variance about 1, odd columns following the one before; their lags."""
    lag = rng.integers(1, 21, d // 2)
    spread = np.sqrt(1 - own**2)
    x = np.zeros((N_ROWS + 300, d))
    noise = rng.standard_normal(x.shape)
    for t in range(20, len(x)):
        x[t] = own * x[t - 1] + spread * noise[t]
        past = x[t - lag, np.arange(0, d, 2)]
        x[t, 1::2] += 0.5 * spread * (past**2 - 1 if squared else past)
    return x[300:], {(2 * k, 2 * k + 1): int(lag[k]) for k in range(d // 2)}


def lagged(quick: bool) -> Table:
    """How many delays are found exactly."""
    table = []
    n_seeds = 2 if quick else 5
    for own in (0.0, 0.5, 0.9):
        for squared in (False, True):
            share, exact, wrong = [], [], []
            for seed in range(n_seeds):
                rows, truth = followers(20, own, squared, np.random.default_rng(seed))
                found = learn_graph(rows, 20, LEVEL)
                lags = dict(
                    zip(
                        zip(found.i.tolist(), found.j.tolist(), strict=True),
                        found.lag.tolist(),
                        strict=True,
                    )
                )
                share.append(np.mean([pair in lags for pair in truth]))
                exact.append(np.mean([lags.get(pair) == lag for pair, lag in truth.items()]))
                wrong.append(wrong_share(set(lags), set(truth)))
            table.append(
                [
                    f"{own}", "square" if squared else "linear", f"{np.mean(share):.2f}",
                    f"{np.mean(exact):.2f}", f"{np.mean(wrong):.3f}",
                ]
            )  # fmt: skip
    return Table(
        "Discovery: delays of 1 to 20 rows",
        ["own past", "dependence", "found", "delay exact", "wrong"],
        table,
        [
            f"10 pairs, N = {N_ROWS:,}, lags = 20, level {LEVEL}, {n_seeds} seeds.",
            "Goal: delay exact ≥ 0.9.",
        ],
    )


def nothing(quick: bool) -> Table:
    """How often independent columns get any edge."""
    n_tables = 20 if quick else 60
    table = []
    for d, n, own, tails in (
        (50, 1000, 0.0, "Gaussian"),
        (50, 1000, 0.0, "Cauchy"),
        (50, 1000, 0.9, "Gaussian"),
        (200, 100, 0.0, "Gaussian"),
    ):
        n_any = 0
        for seed in range(n_tables):
            rng = np.random.default_rng(seed)
            rows = rng.standard_cauchy((n, d)) if tails == "Cauchy" else rng.standard_normal((n, d))
            for t in range(1, n if own else 0):
                rows[t] += own * rows[t - 1]
            n_any += len(learn_graph(rows, level=LEVEL).i) > 0
        table.append([tails, f"{d}", f"{n:,}", f"{own}", f"{n_any} of {n_tables}"])
    return Table(
        "Discovery: independent columns",
        ["law", "d", "N", "autocorrelation", "tables with an edge"],
        table,
        [f"Goal: at most the level, {LEVEL}, of the tables."],
    )


def scale(quick: bool) -> Table:
    """Seconds and memory; a chain in tens, one square in each."""
    n = 2000 if quick else 10_000
    table = []
    for d in (200, 500) if quick else (200, 500, 1000, 2000):
        rows = np.random.default_rng(0).standard_normal((n, d))
        for j in range(d):
            if j % 10:
                rows[:, j] += 0.5 * rows[:, j - 1] if j % 10 != 5 else rows[:, j - 2] ** 2
        start = process_time()
        found = learn_graph(rows, level=LEVEL)
        seconds = process_time() - start
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        table.append(
            [
                f"{d:,}", f"{n:,}", f"{len(found.i):,}", f"{seconds:.1f}",
                f"{1e3 * seconds / d:.1f}", f"{peak:.2f}",
            ]
        )  # fmt: skip
    return Table(
        "Discovery: cost on one core",
        ["d", "N", "edges", "CPU s", "ms per column", "peak GiB"],
        table,
        ["Goal: 1,000 columns of 10,000 rows in 180 s and 3 GiB; time per column flat."],
    )


def run(quick: bool = False) -> list[Table]:
    """Fewer seeds and smaller graphs with ``quick``."""
    one_core()
    return [part(quick) for part in (scale, linear, nonlinear, lagged, nothing)]
