"""How many neighbors a learned graph keeps, judged by rows that taught it nothing."""

import numpy as np
import pytest

from locality import LocalizedDiffusion
from locality.data.folds import N_FOLDS, fold_of_row
from locality.data.synthetic import DoubleWellChain, OrnsteinUhlenbeckChain
from locality.model import thinning
from locality.model.record import record_of
from locality.model.thinning import NUMBERS

D = 24


def fitted(rows: np.ndarray, **options) -> LocalizedDiffusion:
    return LocalizedDiffusion(denoiser="linear", random_state=0, **options).fit(rows)


def edges_of(model: LocalizedDiffusion) -> set[tuple[int, int]]:
    i, j, _ = model.model_.domain.graph.edges()
    return set(zip(i.tolist(), j.tolist(), strict=True))


@pytest.mark.parametrize("law", [OrnsteinUhlenbeckChain(D, 0.8), DoubleWellChain(D)])
def test_a_chain_keeps_its_edges_and_few_others(law) -> None:
    """Fresh nats are no worse than those of the many, and less is promised beyond them."""
    rows, fresh = law.sample(400, 0), law.sample(4_000, 1)
    few, many = fitted(rows), fitted(rows, n_neighbors=8)
    chain = {(j, j + 1) for j in range(D - 1)}
    assert chain <= edges_of(few)
    assert len(edges_of(few)) < 1.2 * D < 3 * D < len(edges_of(many))
    nats = [model.surprise(fresh).mean() for model in (few, many)]
    assert nats[0] < nats[1]
    promised = [model.held_out_nats_.mean() for model in (few, many)]
    assert nats[0] - promised[0] < nats[1] - promised[1]


def test_more_are_kept_where_they_are_needed() -> None:
    """Totals of ten flows each: with degrees of at most four most of a total is noise."""
    rng = np.random.default_rng(0)
    flows = rng.standard_normal((1_000, 3, 10))
    totals = flows.sum(axis=2) + 0.5 * rng.standard_normal((1_000, 3))
    rows = np.hstack([totals, flows.reshape(1_000, 30)])
    open_, two, many = (fitted(rows, n_neighbors=n) for n in ("auto", 2, 8))
    nats = [model.held_out_nats_.mean() for model in (open_, two, many)]
    assert nats[0] < nats[1] - 0.05
    assert nats[0] < nats[2] + 0.002
    assert len(edges_of(two)) < len(edges_of(open_)) < len(edges_of(many))


@pytest.mark.parametrize("options", [{}, {"lags": 1}], ids=["table", "series"])
def test_the_number_found_could_have_been_told(options) -> None:
    rows = OrnsteinUhlenbeckChain(8, 0.8).sample(200, 0)
    open_ = fitted(rows, **options)
    same = [
        number
        for number in NUMBERS
        if edges_of(fitted(rows, n_neighbors=number, **options)) == edges_of(open_)
    ]
    assert same
    told = fitted(rows, n_neighbors=same[0], **options)
    for group, arrays in record_of(open_.model_)[1].items():
        for name, array in arrays.items():
            np.testing.assert_array_equal(array, record_of(told.model_)[1][group][name])
    assert open_.model_.settings.n_neighbors == "auto"


def test_rows_that_judge_teach_the_graph_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pairs that go together in the judged folds alone are in none of the graphs."""
    rng = np.random.default_rng(2)
    rows = rng.standard_normal((500, 6))
    judged = np.isin(fold_of_row(500), (0, N_FOLDS - 1))
    rows[judged, 1] = rows[judged, 0]
    rows = (rows - rows.mean(axis=0)) / rows.std(axis=0)
    seen = []
    really = thinning.learned_domains

    def watched(z, *rest):
        seen.append(z)
        return really(z, *rest)

    monkeypatch.setattr(thinning, "learned_domains", watched)
    fitted(rows, gaussianize=False)
    (taught,) = seen
    assert len(taught) == np.count_nonzero(~judged)
    assert abs(np.corrcoef(taught[:, 0], taught[:, 1])[0, 1]) < 0.2


def test_gaps_are_filled_before_it_is_asked() -> None:
    rows = OrnsteinUhlenbeckChain(12, 0.8).sample(400, 0)
    rows[np.random.default_rng(1).random(rows.shape) < 0.05] = np.nan
    found = edges_of(fitted(rows))
    assert {(j, j + 1) for j in range(11)} <= found
    assert len(found) < 24


def test_of_few_rows_nothing_is_asked() -> None:
    rows = OrnsteinUhlenbeckChain(12, 0.8).sample(30, 0)
    assert edges_of(fitted(rows)) == edges_of(fitted(rows, n_neighbors=8))
