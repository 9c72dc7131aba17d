"""The plan counts what it says it counts; its seconds are judged by a benchmark."""

import numpy as np
import pytest

from locality import LocalizedDiffusion
from locality.analysis.check.memory import related_columns
from locality.analysis.planning.piece import Piece
from locality.analysis.planning.plan import plan
from locality.data.synthetic import OrnsteinUhlenbeckChain
from locality.data.table import Table
from locality.exceptions import DataError, OptionError


@pytest.fixture(scope="module")
def rows() -> np.ndarray:
    return OrnsteinUhlenbeckChain(70, 0.7).sample(200, 0)


def test_shards_edges_and_stages(rows: np.ndarray) -> None:
    made = plan(rows, graph="chain", workers=(1, 2, 4))
    assert (made.n_rows, made.n_columns, made.n_shards, made.n_edges) == (200, 70, 3, 69)
    assert {cost.workers for cost in made.costs} == {1, 2, 4}
    low, high = made.range(1)
    assert 0 < low < high
    assert made.range(2)[1] < high
    by_stage = {(c.stage, c.workers): c.seconds for c in made.costs}
    most = by_stage["networks, at most", 1]
    assert by_stage["networks, at most", 2] == pytest.approx(most / 2)
    assert by_stage["networks, at most", 4] == pytest.approx(most / 3)  # no more than shards
    assert made.to_dict()["n_shards"] == 3


def test_the_closed_form_has_no_networks(rows: np.ndarray) -> None:
    made = plan(rows, graph="chain", denoiser="linear", workers=(1,))
    assert [cost.stage for cost in made.costs] == [
        "table",
        "graph",
        "closed form",
        "reference",
    ]
    assert made.range(1)[0] == made.range(1)[1]


def test_the_disk_is_that_of_the_model(rows: np.ndarray, tmp_path: object) -> None:
    made = plan(rows, graph="chain", denoiser="linear", workers=(1,))
    model = LocalizedDiffusion(graph="chain", denoiser="linear", random_state=0).fit(rows)
    actual = sum(
        array.nbytes
        for shard in model.model_.shards
        for array in vars(shard).values()
        if isinstance(array, np.ndarray)
    )
    assert actual / 2 < made.costs[0].disk_bytes < 2 * actual


def test_actual_times_stand_beside(rows: np.ndarray) -> None:
    model = LocalizedDiffusion(graph="chain", denoiser="linear", random_state=0).fit(rows)
    made = plan(rows, graph="chain", denoiser="linear", workers=(1,), model=model)
    actual = {cost.stage: cost.actual_seconds for cost in made.costs}
    assert actual["closed form"] == model.seconds_["closed form"]


def test_large_tables_are_cut_down_to_what_belongs_together() -> None:
    rows = OrnsteinUhlenbeckChain(900, 0.9).sample(60, 0)
    piece = Piece.of(Table.from_frame(rows), LocalizedDiffusion(graph="chain").get_params())
    assert piece.n_targets == 900
    assert piece.n_edges == 899
    assert piece.domain.n_nodes == 640
    assert piece.domain.graph.n_edges == 639  # in one piece
    assert piece.row_share == 1.0
    order = related_columns((rows - rows.mean(axis=0)) / rows.std(axis=0), 20)
    assert np.ptp(order) < 60


def test_long_tables_are_cut_down() -> None:
    rows = np.random.default_rng(0).standard_normal((9000, 5))
    piece = Piece.of(Table.from_frame(rows), LocalizedDiffusion(graph="chain").get_params())
    assert piece.n_examples == 4000
    assert piece.row_share == pytest.approx(4 / 9)
    assert piece.rows(10).shape == (5, 10)


def test_errors(rows: np.ndarray) -> None:
    with pytest.raises(OptionError, match="'color' is no parameter"):
        plan(rows, color="red")
    with pytest.raises(OptionError, match="workers"):
        plan(rows, workers=(0,))
    with pytest.raises(OptionError, match="radius"):
        plan(rows, radius=-1)
    with pytest.raises(DataError, match="NaN"):
        plan(np.where(rows > 2, np.nan, rows))
