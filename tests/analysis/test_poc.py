"""The proof of concept, and the fidelity it judges by."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from locality import LocalizedDiffusion
from locality.analysis.pages.words import LANGUAGES, say
from locality.analysis.planning.concept import ProofOfConcept
from locality.analysis.planning.poc import poc
from locality.analysis.quality.fidelity import fidelity
from locality.data.synthetic import OrnsteinUhlenbeckChain
from locality.domain import DependencyGraph
from locality.exceptions import DataError, OptionError, OutputExists

pytestmark = pytest.mark.usefixtures("few_trees")


def chain(n: int = 900) -> pd.DataFrame:
    rows = OrnsteinUhlenbeckChain(14, 0.7).sample(n, 0)
    return pd.DataFrame(rows, columns=[f"s{j:02d}" for j in range(14)])


@pytest.fixture(scope="module")
def found() -> ProofOfConcept:
    return poc(chain(), quality=0.9, lags=0, start="s07")


def test_a_group_is_a_stretch_of_the_chain_around_its_start(found: ProofOfConcept) -> None:
    assert found.met
    assert found.short == ()
    place = sorted(int(name[1:]) for name in found.columns)
    assert place == list(range(place[0], place[-1] + 1))
    assert found.columns[0] == "s07"
    assert len(place) < 14
    assert found.denoiser == "linear"  # a Gaussian chain needs no networks


def test_groups_grow_until_the_target_is_reached(found: ProofOfConcept) -> None:
    sizes = [trial.n_columns for trial in found.trials]
    assert sizes == sorted(set(sizes))
    assert all(trial.quality < 0.9 for trial in found.trials[:-1])
    assert found.quality == found.trials[-1].quality >= 0.9


def test_quality_is_the_share_that_a_stretch_keeps(found: ProofOfConcept) -> None:
    """Cut out of a chain, a stretch of m columns loses what its two ends know of the outside."""
    m, rho = len(found.columns), 0.7
    inner = -0.5 * np.log((1 - rho**2) / (1 + rho**2))  # given both neighbors
    outer = -0.5 * np.log(1 - rho**2)  # given one
    # in nats of the local score model ends lose less than that; the order must be right
    lower = ((m - 2) * inner + 2 * outer) / (m * inner)
    assert lower - 0.05 < found.quality < 1.05


def test_it_can_be_kept_and_used(found: ProofOfConcept, tmp_path: Path) -> None:
    folder = found.save(tmp_path / "poc")
    record = json.loads((folder / "poc.json").read_text())
    assert record["columns"] == list(found.columns)
    assert record["shares"] == found.shares
    model = LocalizedDiffusion.load(folder / "model.locality")
    assert set(model.component_names_) == set(found.columns)
    edges = pd.read_csv(folder / "graph.csv")
    assert len(edges) == found.graph.n_edges
    with pytest.raises(OutputExists, match="overwrite"):
        found.save(folder)
    found.save(folder, overwrite=True)
    (folder / "precious.txt").write_text("mine")
    with pytest.raises(OutputExists, match="not just"):
        found.save(folder, overwrite=True)


def test_advice_in_both_languages(found: ProofOfConcept) -> None:
    for language in LANGUAGES:
        for statement in found.next_steps("poc"):
            assert "{" not in say(statement, language)


def test_what_falls_short_is_named() -> None:
    rows = chain(400)
    rows["s08"] += 20 * np.sign(rows["s08"])  # two humps far apart, which no law of a column has
    found = poc(rows, quality=0.95, lags=0, start="s08", denoiser="linear")
    assert not found.met
    assert "classifier" in found.short
    assert any("--start" in say(step) for step in found.next_steps("poc"))


def test_states_survive_and_are_compared_by_their_texts() -> None:
    rows = chain(600).iloc[:, 6:11].copy()
    texts = np.array(["shut", "half", "open"])  # not in the order of the alphabet
    rows["s08"] = texts[np.digitize(rows["s08"], [-0.7, 0.7])]
    rows["s10"] = rows["s10"] > 0
    rows["s09"] = rows["s09"].astype(np.float32)
    found = poc(rows, quality=0.8, lags=0, start="s08", denoiser="linear")
    assert {"s08", "s09", "s10"} <= set(found.columns)
    assert found.model.model_.standardizer.labels["s08"] in (tuple(texts), tuple(texts[::-1]))
    for drawn in (found.synthetic, found.kept_back):
        assert set(drawn["s08"]) == set(texts)
        assert drawn["s10"].dtype == bool
        assert drawn["s09"].dtype == np.float32
    assert found.shares["margins"] > 0.9
    assert found.shares["classifier"] > 0.8


@pytest.mark.parametrize(
    ("change", "options", "kind", "message"),
    [
        (lambda x: x, {"quality": 1.0}, OptionError, "quality"),
        (lambda x: x, {"start": "oil"}, DataError, "'oil': there is no such column"),
        (lambda x: x.assign(s03=1.0), {"start": "s03"}, DataError, "set aside"),
        (lambda x: x.mask(x > 2), {}, DataError, "NaN"),
        (lambda x: x[:40], {}, DataError, "40 rows.*at least 50"),
        (lambda x: x, {"lags": 50}, OptionError, "at most 8"),
        (lambda x: x, {"lags": 1.5}, OptionError, "lags"),
        (lambda x: x, {"denoiser": "magic"}, OptionError, "denoiser"),
    ],
)
def test_errors(change: Any, options: dict[str, Any], kind: type, message: str) -> None:
    with pytest.raises(kind, match=message):
        poc(change(chain(200)), **{"lags": 0} | options)


@pytest.mark.parametrize(
    ("bug", "figure"),
    [
        (lambda x: 1.3 * x, "margins"),
        (lambda x: np.column_stack([x[:, :3], np.roll(x[:, 3], 7)]), "edges"),
        (lambda x: x + 0.5 * x[:, [0]], "others"),
        (lambda x: np.where(x > 2, 2, x) + 0.8, "auc"),
    ],
)
def test_planted_bugs_are_caught(bug: Any, figure: str) -> None:
    graph = DependencyGraph.chain(4)
    law = OrnsteinUhlenbeckChain(4, 0.8)
    kept, good = law.sample(600, 1), law.sample(600, 2)
    fair, wrong = fidelity(good, kept, graph), fidelity(bug(good), kept, graph)
    if figure == "auc":
        assert abs(fair.auc - 0.5) < 4 * fair.auc_error
        assert wrong.auc > 0.5 + 6 * wrong.auc_error
    else:
        assert getattr(fair, figure) > 0.93
        assert getattr(wrong, figure) < getattr(fair, figure) - 0.02
