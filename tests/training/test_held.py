"""Series that hold their value keep the closed form, however well a network could repeat them."""

import numpy as np

from locality import LocalizedDiffusion


def test_a_held_series_gets_no_network_but_its_free_twin_does() -> None:
    rng = np.random.default_rng(0)
    # two-sided jumps: strongly non-Gaussian, so that networks gain on whatever may have one
    free = rng.choice([-1.0, 1.0], size=450) + 0.15 * rng.normal(size=450)
    held = np.repeat(rng.choice([-1.0, 1.0], size=150) + 0.15 * rng.normal(size=150), 3)
    model = LocalizedDiffusion(lags=1, n_steps=150, random_state=0).fit(
        np.column_stack([held, free])
    )
    np.testing.assert_array_equal(model.model_.shards[0].has_network, [False, True])


def test_an_isolated_column_reports_radius_zero() -> None:
    rng = np.random.default_rng(1)
    chain = np.cumsum(rng.normal(size=(400, 4)), axis=1)
    matrix = np.zeros((5, 5))
    matrix[[0, 1, 2], [1, 2, 3]] = 1
    model = LocalizedDiffusion(graph=matrix + matrix.T, denoiser="linear", random_state=0)
    model.fit(np.column_stack([chain, rng.normal(size=400)]))
    assert model.radius_[4] == 0
    assert model.radius_[:4].min() >= 1


def test_the_reach_counts_networks_too() -> None:
    """x_j = ±|x_{j−1}| + noise: uncorrelated, so that only networks look beyond the column."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1500, 4))
    for j in range(1, 4):
        sign = rng.choice([-1.0, 1.0], size=1500)
        x[:, j] = sign * np.abs(x[:, j - 1]) + 0.15 * rng.normal(size=1500)
    model = LocalizedDiffusion(graph="chain", n_steps=200, random_state=0).fit(x)
    shard = model.model_.shards[0]
    assert len(shard.networks)
    seen = np.zeros(4, dtype=int)
    seen[shard.target[shard.networks.unit]] = shard.networks.radius
    assert (model.radius_ >= seen).all()
    assert model.radius_.max() >= 1
