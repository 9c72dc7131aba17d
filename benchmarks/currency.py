"""The currency: does what held-out rows promise of networks hold on rows that chose nothing?

Models are fitted twice, with networks and without, and judged on fresh rows: of another split, of
the same law, or later ones of the same file. Needs the data sets in folders ``smd``, ``asd`` and
``pems08`` of the folder that the environment variable LOCALITY_DATA names; without it only tables
that are at hand are judged.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from time import process_time

import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine

from locality import LocalizedDiffusion
from locality.data.synthetic import DoubleWellChain
from measure import Table, one_core

__all__ = ["run"]

SPLITS, SEEDS = 5, 3
N_SERIES, N_LATER, N_TRAFFIC = 1_500, 5_000, 59
TABLES = {"wine": load_wine, "diabetes": load_diabetes, "breast cancer": load_breast_cancer}


@dataclass(frozen=True)
class Case:
    """Rows to learn from, and fresh ones."""

    name: str
    train: pd.DataFrame
    fresh: pd.DataFrame
    lags: int = 0


def splits(n: int) -> Iterator[Case]:
    """Two thirds of a small table, and the rest."""
    for name, load in TABLES.items():
        whole = load(as_frame=True).data
        if name == "diabetes":
            whole = whole.drop(columns="sex")
        for seed in range(n):
            rows = whole.sample(frac=1, random_state=seed).reset_index(drop=True)
            cut = 2 * len(rows) // 3
            yield Case(name, rows[:cut], rows[cut:])


def wells(n: int) -> Iterator[Case]:
    """A chain of 40, the graph to be learned."""
    law = DoubleWellChain(40)
    for seed in range(n):
        parts = (law.sample(size, at) for size, at in ((500, seed), (4_000, 100 + seed)))
        yield Case("double wells", *(pd.DataFrame(part).add_prefix("x") for part in parts))


def series(folder: Path) -> Iterator[Case]:
    """The first rows of a file, and later ones."""
    for group in ("smd", "asd"):
        for file in sorted((folder / group).glob("*_train.parquet")):
            rows = pd.read_parquet(file).filter(regex=r"^m\d+$").astype(float)
            train = rows[:N_SERIES]
            moving = train.columns[train.std() > 0]
            later = rows[moving][N_SERIES : N_SERIES + N_LATER]
            name = f"{group.upper()} {file.name.removesuffix('_train.parquet')}"
            yield Case(name, train[moving], later, 1)
    flow = pd.read_parquet(folder / "pems08" / "flow.parquet").drop(columns="timestamp")
    flow = flow.iloc[:, :N_TRAFFIC].astype(float)
    yield Case("PeMS08", flow[:N_SERIES], flow[N_SERIES : N_SERIES + N_LATER], 1)


def judged(case: Case) -> tuple[float, np.ndarray, int, float]:
    """Promised change of nats per component, that of every fresh cell, networks, CPU seconds."""
    start = process_time()
    linear, neural = (
        LocalizedDiffusion(denoiser=kind, lags=case.lags, random_state=0).fit(case.train)
        for kind in ("linear", "neural")
    )
    seconds = process_time() - start
    promised = [
        np.concatenate([shard.held_out for shard in model.model_.shards])
        for model in (linear, neural)
    ]
    fresh = [np.asarray(model.surprise(case.fresh)) for model in (linear, neural)]
    n_networks = sum(len(shard.networks) for shard in neural.model_.shards)
    return float((promised[1] - promised[0]).mean()), fresh[1] - fresh[0], n_networks, seconds


def run(quick: bool = False) -> list[Table]:
    """All cases; the first of each kind with ``quick``."""
    one_core()
    cases = [*splits(1 if quick else SPLITS), *wells(1 if quick else SEEDS)]
    if os.environ.get("LOCALITY_DATA") and not quick:
        cases += series(Path(os.environ["LOCALITY_DATA"]))
    lines = []
    for case in cases:
        promised, change, n_networks, seconds = judged(case)
        columns = np.nanmean(change, axis=0)
        lines.append(
            [
                case.name, f"{len(case.train):,} × {case.train.shape[1]}", f"{n_networks}",
                f"{promised:+.4f}", f"{columns.mean():+.4f}", f"{columns.max():+.3f}",
                f"{np.nanmax(change):.1f}", f"{seconds:.0f}",
            ]
        )  # fmt: skip
    return [
        Table(
            "Nats per component of networks against the closed form",
            ["rows", "n × columns", "networks", "promised", "on fresh rows", "worst column",
             "worst cell", "CPU s"],
            lines,
            ["Negative is better. Small tables: splits; double wells: seeds; series: later rows."],
        )
    ]  # fmt: skip
