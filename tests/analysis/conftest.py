"""Reports made by hand, so that tests judge how they are shown."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from locality.analysis.check.findings import (
    BandFinding,
    ComponentFinding,
    CostFinding,
    EdgeFinding,
    FactorFinding,
    GroupFinding,
    LearningPoint,
    RadiusFinding,
    RowsNeeded,
    Verdict,
)
from locality.analysis.check.report import LocalityReport
from locality.analysis.pages.words import Statement

ODD_NAMES = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "<b>bold</b> & {braces} %{x} $a$",
    "流量, 入口",
    '\' OR "1"="1',
    "x" * 180,
    "2020-01-01",
    "17",
    "</script><script>alert(2)</script>",
    "{{ 7 * 7 }} {% raw %}",
)
ANSWERS = ("local", "partly local", "not local")


def made_up(
    n_columns: int = 24, odd: bool = True, answer: int = 1, n_groups: int = 3, seed: int = 0
) -> LocalityReport:
    """A report with something in every part: a ring in each group, bridges, odd names."""
    rng = np.random.default_rng(seed)
    names = [f"sensor {k:02d}" for k in range(n_columns)]
    if odd:
        names[: len(ODD_NAMES)] = ODD_NAMES[:n_columns]
    members = [tuple(map(str, part)) for part in np.array_split(np.array(names, object), n_groups)]
    pairs = [(a, b) for part in members for a, b in pairwise(part)]
    pairs += [(part[0], part[-1]) for part in members if len(part) > 2]
    pairs += [(a[0], b[0]) for a, b in pairwise(members)]
    kinds = ("linear", "linear", "linear", "nonlinear", "lagged")
    edges = []
    for number, (a, b) in enumerate(pairs):
        kind = kinds[number % len(kinds)]
        lag = int(rng.choice([-3, 2, 7])) if kind == "lagged" else 0
        source = ("data", "both", "given")[0 if number % 7 else number // 7 % 3]
        weight, confidence = rng.uniform(0.08, 0.9), rng.uniform(0.95, 1)
        edges.append(EdgeFinding(a, b, float(weight), kind, lag, float(confidence), source))
    groups = tuple(GroupFinding(part[0], part) for part in members)
    group_of = {name: group.name for group in groups for name in group.members}
    components = []
    for number, name in enumerate(names):
        level = 2 if number == 3 else 1 if number % 6 == 5 else 0
        beyond = float(rng.uniform(0.02, 0.2)) * (level > 0)
        components.append(
            ComponentFinding(
                name=name,
                group=group_of[name],
                answer=ANSWERS[level],
                n_neighbors=float(rng.uniform(1, 9)),
                radius=int(rng.integers(1, 4)),
                band_radii=(1, 2, 2, 1, 1, 0),
                independent=1.4189,
                local=float(rng.uniform(0.4, 1.3)),
                beyond=beyond,
                p_value=1e-6 if level else float("nan") if number == 8 else 0.4,
                partner=names[-1 - number] if level else "",
            )
        )
    radii = [
        RadiusFinding(r, 20 + 9 * 0.4**r + 0.3 * r, 0.1 if r != 2 else 0.0, 9 * 0.4**r, 0.3 * r)
        for r in range(6)
    ]
    learning = [
        LearningPoint(n, model, base + scale / n, 0.2, 1.5 if model == "local" else 0.0)
        for model, base, scale in (("independent", 33, 20), ("local", 20, 900), ("global", 20, 9e3))
        for n in (250, 500, 1000, 2000, 4000)
    ]
    bands = ("σ>2", "0.7<σ≤2", "0.24<σ≤0.7", "0.085<σ≤0.24", "0.03<σ≤0.085", "σ≤0.03")
    return LocalityReport(
        title="plant.parquet <east> & west",
        n_rows=4000,
        n_columns=n_columns,
        lags=7,
        level=0.05,
        verdict=Verdict(
            answer=ANSWERS[answer],
            summary=(Statement(ANSWERS[answer]), Statement("graph.none")),
            reasons=(Statement("radius.lead"), Statement("number.lost"), Statement("bands.lead")),
            independent=33.4,
            local=20.5,
            best_global=20.1,
            local_error=0.1,
            share_lost=0.031,
            neighbors=4.25,
        ),
        edges=tuple(edges),
        groups=groups,
        radii=tuple(radii),
        radius=2,
        components=tuple(components),
        bands=tuple(
            BandFinding(band, 2.4 - 0.3 * k, 3, 4.0 - 0.5 * k, 0.2 * k, ANSWERS[k // 2])
            for k, band in enumerate(bands)
        ),
        learning=tuple(learning),
        rows_needed=(
            RowsNeeded(0.8, 400, 3000),
            RowsNeeded(0.9, 900, 9000),
            RowsNeeded(0.95, 2100, None),
            RowsNeeded(0.99, None, None),
        ),
        factors=tuple(FactorFinding(n, 33 - 9 * (1 - 0.6**n)) for n in (0, 1, 2, 4, 8)),
        costs=(
            CostFinding("closed form", 1, 0.42, 210_000_000, 3_400_000, 0.51),
            CostFinding("networks", 1, 840.0, 900_000_000, 12_000_000),
            CostFinding("networks", 4, 231.0, 2_100_000_000, 12_000_000),
            CostFinding("something <new>", 1, 9e6, 800, 0),
        ),
        next_steps=(
            Statement("factors.lead"),
            Statement("page.table", {"n_rows": 1, "n_columns": 2}),
        ),
        notes=(Statement("check.title", {"title": names[0]}),),
    )


@pytest.fixture
def make_report() -> Callable[..., LocalityReport]:
    return made_up


@pytest.fixture
def bare_report() -> LocalityReport:
    """One column and nothing to say about it."""
    verdict = Verdict("local", (), (), 1.4, 1.4, 1.4, 0.0, float("nan"), 0.0)
    full = made_up(1, n_groups=1)
    parts = ("edges", "groups", "radii", "components", "bands", "learning", "rows_needed")
    parts += ("factors", "costs", "next_steps", "notes")
    return replace(full, verdict=verdict, radius=0, lags=0, **dict.fromkeys(parts, ()))
