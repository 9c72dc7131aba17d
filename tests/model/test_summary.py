"""The summary adds up: over components, positions and radii."""

import json

import numpy as np
import pandas as pd
import pytest

from locality import LocalizedDiffusion
from locality.data.synthetic import OrnsteinUhlenbeckChain
from locality.model.summary import expected_surprise, summarize


def _rows(n_columns: int = 8) -> np.ndarray:
    return OrnsteinUhlenbeckChain(n_columns, correlation=0.8).sample(400, random_state=0)


def test_totals_are_sums_over_components() -> None:
    model = LocalizedDiffusion(graph="chain", denoiser="linear", random_state=0).fit(_rows()).model_
    summary = summarize(model)
    for grade in ("independent", "linear", "model"):
        parts = [getattr(component, grade) for component in summary.components]
        assert getattr(summary, grade) == pytest.approx(sum(parts))
    assert summary.model == pytest.approx(model.gather("held_out").sum())
    assert summary.linear == summary.model < summary.independent
    assert len(summary.components) == summary.n_components == 8
    at_zero = summary.radii[0].linear
    assert sum(band.saved for band in summary.bands) == pytest.approx(at_zero - summary.linear)
    for number, band in enumerate(summary.bands):
        radii = [component.band_radii[number] for component in summary.components]
        assert band.mean_radius == pytest.approx(np.mean(radii))
        assert (band.smallest_radius, band.largest_radius) == (min(radii), max(radii))
    assert (summary.n_edges, summary.mean_neighbors) == (7, 14 / 8)
    json.dumps(summary.to_dict(), allow_nan=False)


def test_a_lattice_counts_every_position() -> None:
    model = LocalizedDiffusion(graph="ring", tied=True, denoiser="linear", random_state=0)
    summary = summarize(model.fit(_rows()).model_)
    assert summary.kind == "lattice"
    assert summary.n_components == 8
    assert len(summary.components) == 1
    assert summary.model == pytest.approx(8 * summary.components[0].model)
    assert summary.radii[0].linear == pytest.approx(8 * summary.components[0].independent, rel=0.02)
    assert (summary.n_edges, summary.mean_neighbors) == (8, 2.0)


def test_expected_surprise_is_in_units_of_the_table() -> None:
    """Scaling a column by c adds log c to its nats and to nothing else."""
    rows = _rows()
    scales = np.geomspace(0.01, 100.0, 8)
    plain, scaled = (
        LocalizedDiffusion(graph="chain", denoiser="linear", random_state=0).fit(x)
        for x in (rows, rows * scales)
    )
    gap = expected_surprise(scaled.model_) - expected_surprise(plain.model_)
    assert np.allclose(gap, np.log(scales), atol=1e-9)
    # and it is what surprise averages to, up to overfitting and sampling error
    mean = scaled.surprise(rows * scales).mean(axis=0)
    assert np.allclose(mean, expected_surprise(scaled.model_), atol=0.1)


def test_context_constants_and_copies_are_no_components() -> None:
    frame = pd.DataFrame(_rows(4), columns=list("abcd")).assign(e=2.5, f=lambda t: 3 * t["b"])
    model = LocalizedDiffusion(context=["a"], denoiser="linear", random_state=0).fit(frame).model_
    summary = summarize(model)
    assert model.layout.names == ("b", "c", "d")
    assert summary.context == ("a",)
    assert summary.set_aside == {"e": "constant at 2.5", "f": "copy of b"}
    assert [component.name for component in summary.components] == ["b", "c", "d"]
    assert len(expected_surprise(model)) == 3


def test_networks_are_counted_where_they_are() -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((600, 3))
    x[:, 1] = np.sign(x[:, 1]) * (2 + 0.1 * x[:, 0])  # two modes: no Gaussian
    model = LocalizedDiffusion(graph="chain", radius=1, n_steps=300, random_state=0).fit(x).model_
    summary = summarize(model)
    flags = [component.has_network for component in summary.components]
    assert flags[1]
    assert summary.n_networks == sum(flags) == summary.radii[0].n_networks
    assert summary.model < summary.linear - 0.3
    assert all((c.model < c.linear) == c.has_network for c in summary.components)
