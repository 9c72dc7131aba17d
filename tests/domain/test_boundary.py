"""Boundary classes: every position and slot against the definition."""

import sys

import numpy as np
import pytest

from locality.domain import Axis, DependencyGraph, Domain, boundary_classes
from locality.exceptions import OptionError


def stencils_of(axes, radius, n_nodes=2):
    names = tuple(f"x{k}" for k in range(n_nodes))
    return Domain(DependencyGraph.chain(n_nodes), names, axes).stencils(radius)


CASES = [
    ((Axis("time", window=(3, 0)),), (9,), (False,)),
    ((Axis("time", window=(3, 3)),), (4,), (False,)),
    ((Axis("time", window=(2, 1)),), (1,), (False,)),
    ((Axis("place"),), (5,), (False,)),
    ((Axis("place", extent=5, periodic=True),), (5,), (True,)),
    ((Axis("row"), Axis("column")), (4, 7), (False, False)),
    ((Axis("row"), Axis("angle", extent=6, periodic=True)), (5, 6), (False, True)),
    ((Axis("time", window=(2, 0)), Axis("place"), Axis("depth")), (4, 3, 5), (False,) * 3),
]


@pytest.mark.parametrize("radius", [0, 2])
@pytest.mark.parametrize(("axes", "extent", "periodic"), CASES)
def test_every_position_and_slot(axes, extent, periodic, radius):
    stencils = stencils_of(axes, radius)
    classes, inside = boundary_classes(stencils, extent, periodic)
    place = np.indices(extent).reshape(len(extent), -1).T[:, None, :] + stencils.offset
    fits = ((place >= 0) & (place < np.array(extent))) | np.array(periodic)
    assert (inside[classes] == fits.all(axis=2)).all()
    assert inside[0].all()
    assert len(np.unique(inside, axis=0)) == len(inside)
    assert set(classes.tolist()) | {0} == set(range(len(inside)))


def test_the_interior_leads_even_where_it_is_empty():
    classes, inside = boundary_classes(stencils_of((Axis("t", (2, 2)),), 0), (2,), (False,))
    assert 0 not in classes
    assert inside[0].all()


def test_a_table_is_one_interior_position():
    classes, inside = boundary_classes(stencils_of((), 1), (), ())
    assert classes.tolist() == [0]
    assert inside.tolist() == [[True] * 4]


def lines_run(call):
    """The result of a call, and how many lines of Python ran for it."""
    n_lines, before = 0, sys.gettrace()

    def trace(frame, event, argument):
        nonlocal n_lines
        n_lines += event == "line"
        return trace

    sys.settrace(trace)
    try:
        return call(), n_lines
    finally:
        sys.settrace(before)


def test_a_million_rows_have_few_classes_and_no_loop_of_their_own():
    stencils = stencils_of((Axis("time", window=(8, 8)),), 3, n_nodes=60)
    _, few = lines_run(lambda: boundary_classes(stencils, (1_000,), (False,)))
    (classes, inside), many = lines_run(lambda: boundary_classes(stencils, (1_000_000,), (False,)))
    assert many == few
    assert len(inside) == 17
    assert (classes == 0).sum() == 1_000_000 - 16


def test_boundary_errors():
    with pytest.raises(OptionError, match="1 axes"):
        boundary_classes(stencils_of((Axis("t", (1, 0)),), 0), (3, 3), (False, False))
    with pytest.raises(OptionError, match="at least 1"):
        boundary_classes(stencils_of((Axis("t", (1, 0)),), 0), (0,), (False,))
