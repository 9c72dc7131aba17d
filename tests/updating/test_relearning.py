"""Learning again: levels only widen, rows need their past, and who looks is judged."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from locality import LocalizedDiffusion
from locality.data.synthetic import OrnsteinUhlenbeckChain
from locality.data.table import Table
from locality.exceptions import DataError
from locality.inference.updating.normal_rows import NormalRows
from locality.inference.updating.relearning import Learning, lookers, wider_levels
from locality.inference.updating.update import update_model
from locality.local.field import ScoreField
from locality.model.model import Model
from locality.noise.levels import NoiseLevels

D = 6


def _chain(n_rows: int, seed: int) -> np.ndarray:
    return OrnsteinUhlenbeckChain(D, correlation=0.8).sample(n_rows, random_state=seed)


@pytest.fixture(scope="module", params=[0, 2], ids=["rows", "series"])
def model(request: pytest.FixtureRequest) -> Model:
    found = LocalizedDiffusion(graph="chain", denoiser="linear", lags=request.param, random_state=0)
    return found.fit(_chain(400, 0)).model_


def test_levels_only_ever_widen(model: Model) -> None:
    """Shards that stay were made for the levels of before, new ones for their own."""
    own = wider_levels(model.domain, NoiseLevels(0.1, 0.2), model.shards)
    assert own == model.field.needed_levels
    for known in (NoiseLevels(1e-4, 1.0), NoiseLevels(0.3, 499.0), NoiseLevels(1e-4, 499.0)):
        found = wider_levels(model.domain, known, model.shards)
        assert found.sigma_min == min(known.sigma_min, own.sigma_min)
        assert found.sigma_max == max(known.sigma_max, own.sigma_max)


def test_rows_too_far_apart_to_have_a_past_are_refused(model: Model) -> None:
    """With two lags nothing is left where every third row is in alarm; of every fourth 52 runs."""
    n_lags, table = model.layout.n_lags, Table.from_frame(_chain(300, 1))

    def n_learned(period: int) -> int:
        rows = NormalRows(table, np.arange(300) % period > 0, n_lags)
        learning = Learning(model.settings)
        return update_model(model, rows, np.array([0]), learning, margin=None)[1].n_rows

    assert n_learned(4) == (3 * 52 if n_lags else 225 - 67)
    if n_lags:
        with pytest.raises(DataError, match="no 3 normal ones follow each other"):
            n_learned(3)


def test_networks_look_as_closed_forms_do(
    table_model: Model, make_field: Callable[..., ScoreField]
) -> None:
    """Closed forms of a chain see one hop far, the networks of three components two."""
    domain = table_model.domain
    near, far = (
        make_field(domain, radius, lambda s: np.eye(s.n_sources), strength=strength).shards[0]
        for radius, strength in ((1, 0.0), (2, 0.3))
    )
    both = replace(near, networks=far.networks.keep(np.arange(6) >= 3))
    for shard, expected in ((near, [1, 2, 3]), (both, [1, 2, 3, 4]), (far, [0, 1, 2, 3, 4])):
        model = replace(table_model, field=ScoreField(domain, (shard,)))
        np.testing.assert_array_equal(lookers(model, np.array([2])), expected)
