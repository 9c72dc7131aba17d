"""Learned edges against pipes and roads: BATADAL (water, C-Town) and PeMS08 (traffic).

Needs the two data sets in folders ``batadal`` and ``pems08`` of the folder that the environment
variable LOCALITY_DATA names. Columns of one element (flow and status of a pump) and exact copies
count as one node. The k strongest learned pairs of nodes are compared with the k pairs that the
network joins directly; the control moves the nodes of the network about at random, 2,000 times.
"""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from locality.analysis.check.dependences import Dependences
from locality.analysis.check.memory import choose_lags, search_depth
from locality.analysis.check.subject import Subject
from locality.analysis.face import check
from locality.data.table import Table
from measure import FloatArray, one_core
from measure import Table as Result

__all__ = ["run"]

N_SHUFFLES = 2_000
Pairs = set[tuple[str, str]]


def batadal(folder: Path) -> tuple[pd.DataFrame, dict[str, str], Pairs, list[str]]:
    """Readings, element of every column, pairs joined by pipes, cycles."""
    frame = pd.read_parquet(folder / "normal_2014.parquet").drop(columns="attack")
    columns = pd.read_csv(folder / "columns.csv")
    edges = pd.read_csv(folder / "edges.csv").query("direct == 1")
    element = dict(zip(columns["column"], columns["element"].astype(str), strict=True))
    ends = zip(edges["from"].astype(str), edges["to"].astype(str), strict=True)
    return frame, element, {pair(*both) for both in ends}, ["1d", "7d"]


def pems(folder: Path) -> tuple[pd.DataFrame, dict[str, str], Pairs, list[str]]:
    """The same for roads; sensors are their own elements."""
    frame = pd.read_parquet(folder / "flow.parquet")
    edges = pd.read_csv(folder / "edges.csv")
    names = [name for name in frame.columns if name != "timestamp"]
    ends = zip(edges["from"], edges["to"], strict=True)
    joined = {pair(f"s{a:03d}", f"s{b:03d}") for a, b in ends}
    return frame, {name: name for name in names}, joined, ["1d", "7d"]


def pair(a: str, b: str) -> tuple[str, str]:
    """Ends in order."""
    return (a, b) if a < b else (b, a)


def ranked(ties: Dependences, element: dict[str, str]) -> list[tuple[str, str]]:
    """Learned pairs of elements, the strongest first."""
    pairs = [pair(element[e.a], element[e.b]) for e in ties.edges if e.source != "given"]
    return [p for p in dict.fromkeys(pairs) if p[0] != p[1]]


def precision(found: list[tuple[str, str]], joined: Pairs, nodes: list[str]) -> list[str]:
    """At k, that of moved networks, and the share of these that do as well."""
    place = {name: j for j, name in enumerate(nodes)}
    matrix = np.zeros((len(nodes), len(nodes)), dtype=bool)
    for a, b in joined:
        if a in place and b in place:
            matrix[place[a], place[b]] = matrix[place[b], place[a]] = True
    k = min(int(matrix.sum()) // 2, len(found))
    i, j = (np.array([place[p[end]] for p in found[:k]]) for end in (0, 1))
    ours = matrix[i, j].mean()
    rng = np.random.default_rng(0)
    moved = np.empty(N_SHUFFLES)
    for n in range(N_SHUFFLES):
        order = rng.permutation(len(nodes))
        moved[n] = matrix[order[i], order[j]].mean()
    reach = (1 + (moved >= ours).sum()) / (1 + N_SHUFFLES)
    return [f"{k}", f"{ours:.2f}", f"{moved.mean():.2f}", f"{reach:.4f}"]


def compare(name: str, read: Callable[[Path], tuple], folder: Path) -> list[list[str]]:
    """As they are, and with the cycles of the clock taken out."""
    frame, element, joined, cycles = read(folder)
    table = Table.from_frame(frame, time="timestamp")
    rows = []
    for taken in ((), tuple(cycles)):
        subject = Subject.of(table, 0, (), taken)
        z: FloatArray = subject.complete
        depth = search_depth(*z.shape, choose_lags(z))
        ties = Dependences.of(subject.scores, subject.names, table.names, lags=depth)
        nodes = sorted({element[name] for name in subject.names})
        found = ranked(ties, element)
        rows.append(
            [
                f"{name}{', cycles taken out' if taken else ''}", f"{len(subject.names)}",
                f"{len(found)}", *precision(found, joined, nodes),
            ]
        )  # fmt: skip
    return rows


def verdicts(name: str, read: Callable[[Path], tuple], folder: Path) -> list[list[str]]:
    """Of the learned graph, with and without the shared cycle."""
    frame, _, _, cycles = read(folder)
    rows = []
    for taken in ((), tuple(cycles)):
        report = check(frame, time="timestamp", cycles=taken, costs=False, n_jobs=2)
        verdict = report.verdict
        rows.append(
            [
                f"{name}{', cycles taken out' if taken else ''}", verdict.answer,
                f"{verdict.neighbors:.1f}", f"{100 * verdict.share_lost:.1f} %",
                f"{verdict.independent - verdict.local:.1f}",
                f"{sum(c.answer != 'local' for c in report.components)}",
            ]
        )  # fmt: skip
    return rows


def run(quick: bool = False) -> list[Result]:
    """Edges, and verdicts unless ``quick``."""
    one_core()
    folder = Path(os.environ.get("LOCALITY_DATA", ""))
    cases = {
        name: (read, folder / place)
        for name, read, place in (("BATADAL", batadal, "batadal"), ("PeMS08", pems, "pems08"))
        if (folder / place).is_dir() and os.environ.get("LOCALITY_DATA")
    }
    remarks = ["Precision of the k strongest learned pairs, k = pairs that the network joins."]
    if not cases:
        remarks = ["No data: LOCALITY_DATA must name the folder with batadal and pems08."]
    edges = [row for name, (read, at) in cases.items() for row in compare(name, read, at)]
    tables = [
        Result(
            "Learned edges against pipes and roads",
            ["", "columns", "pairs found", "k", "precision", "network moved", "p"],
            edges,
            remarks,
        )
    ]
    if not quick and cases:
        judged = [row for name, (read, at) in cases.items() for row in verdicts(name, read, at)]
        tables.append(
            Result(
                "Verdicts on real networks",
                ["", "verdict", "neighbors", "lost", "nats saved per row", "columns not local"],
                judged,
                ["The graph is learned."],
            )
        )
    return tables
