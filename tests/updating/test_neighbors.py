"""Neighbors of sensors that come or go: from which rows they are learned, and who sees what."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from locality.domain import DependencyGraph
from locality.inference.updating.neighbors import learned_links, neighbors_of
from locality.local.field import ScoreField
from locality.model.model import Model
from locality.model.settings import Settings


@pytest.mark.parametrize("n_gappy", [40, 50, 51])
def test_links_are_learned_from_whole_rows_if_more_than_half_are_whole(n_gappy: int) -> None:
    """Otherwise gaps count as means."""
    rng = np.random.default_rng(0)
    z = np.cumsum(rng.normal(size=(100, 5)), axis=1)
    z[rng.permutation(100)[:n_gappy], 3] = np.nan
    whole, filled = z[~np.isnan(z[:, 3])], np.nan_to_num(z)
    found, same, other = (
        np.column_stack(
            learned_links(
                rows, np.array([0, 2, 3, 4]), Settings(), DependencyGraph.chain(5)
            ).edges()
        )
        for rows in (z, *((whole, filled) if n_gappy < 50 else (filled, whole)))
    )
    np.testing.assert_allclose(found, same, rtol=1e-9)
    assert found.shape != other.shape or not np.allclose(found, other, rtol=1e-3)


@pytest.mark.parametrize(("strength", "beside"), [(0.0, [1, 3]), (0.3, [0, 1, 3, 4])])
def test_networks_that_see_a_lost_sensor_are_learned_again(
    table_model: Model, make_field: Callable[..., ScoreField], strength: float, beside: list[int]
) -> None:
    """Two hops away they do, though no link joins them; closed forms integrate it out."""
    field = make_field(
        table_model.domain, 2, lambda s: np.eye(s.n_sources), n_shards=2, strength=strength
    )
    assert neighbors_of(replace(table_model, field=field), np.array([2])).tolist() == beside
