"""Alarms measured anew: rows that are mixed in teach the law, and are not judged by it."""

import numpy as np

from locality import LocalizedDiffusion
from locality.data.synthetic import OrnsteinUhlenbeckChain
from locality.data.table import Table
from locality.inference.updating.remeasured import relearned_reference
from locality.model.reference import Reference


def _chain(n_rows: int, seed: int) -> np.ndarray:
    return OrnsteinUhlenbeckChain(6, correlation=0.8).sample(n_rows, random_state=seed)


def test_older_rows_are_learned_from_but_not_judged() -> None:
    """Three times as wide, they change the law; what new rows leave to neighbors stays the same."""
    model = LocalizedDiffusion(graph="chain", denoiser="linear", random_state=0).fit(_chain(400, 0))
    known = model.model_.reference
    assert isinstance(known, Reference)
    new, older = Table.from_frame(_chain(400, 1)), Table.from_frame(3.0 * _chain(200, 2))
    alone, mixed = (
        relearned_reference(known, model.model_, parts, n_older, np.arange(6))
        for parts, n_older in (([new], 0), ([older, new], 1))
    )
    assert (alone.spread != mixed.spread).all()
    assert alone.n_rows == mixed.n_rows
    for name in ("surprise", "surprise_deviation", "residual", "sensors"):
        np.testing.assert_array_equal(getattr(mixed, name), getattr(alone, name))
