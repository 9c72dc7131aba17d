"""Laws of rows are learned from rows: whichever they are, and from no others."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.covariance import oas

from locality.domain import Axis, DependencyGraph, Domain
from locality.inference.laws import learning
from locality.inference.laws.conditional import ConditionalLaw
from locality.inference.laws.learning import LawMoments
from locality.inference.laws.relearned import Relearned
from locality.inference.laws.row_law import RowLaw
from locality.inference.laws.sequential import SequentialLaw

D = 5
PART = np.repeat(np.arange(3), [60, 50, 70])
ROWS = np.random.default_rng(0).standard_normal((D, 180))
ROWS[1:] += 0.7 * ROWS[:-1]
ROWS[:, 1:] += 0.5 * ROWS[:, :-1]


def relearned(before, field, values, chosen):
    """From all rows, none of them left out."""
    none = np.zeros(len(values), dtype=np.int64)
    return Relearned.of(before, field, values, chosen, none, none > 0).law()


def field_of(make_field, n_lags: int, context: tuple[int, ...] = ()):
    axes = (Axis("t", (n_lags, 0)),) if n_lags else ()
    domain = Domain(DependencyGraph.chain(D), tuple("abcde"), axes, context)
    return make_field(domain, 1, lambda s: np.eye(s.n_sources), n_shards=2)


def same(mine: RowLaw, theirs: RowLaw, tolerance: float = 1e-10) -> None:
    for name, array in mine.arrays().items():
        np.testing.assert_allclose(array, theirs.arrays()[name], rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("local", [False, True])
@pytest.mark.parametrize("n_lags", [0, 2])
def test_without_a_part_it_is_the_law_of_the_other_rows(make_field, n_lags, local) -> None:
    """Rows of the left-out part change nothing but what first rows of the next look back upon."""
    field, units = field_of(make_field, n_lags), (np.zeros(D), np.ones(D))
    moments = LawMoments.of(field, ROWS, PART, local=local)
    for k in range(3):
        law = moments.law(*units, without=k)
        other = np.flatnonzero(k != PART)
        at = other[other >= n_lags]
        windows = np.concatenate([ROWS[:, at - lag] for lag in range(n_lags, -1, -1)])
        second = windows @ windows.T / len(at)
        if local:
            shards = []
            for shard in field.shards:
                place = shard.source_node + D * (n_lags + shard.source_offset.sum(axis=1))
                shards.append(replace(shard, covariance=second[np.ix_(place, place)]))
            expected = SequentialLaw.of(replace(field, shards=tuple(shards)))
        else:
            weight = moments.less * learning._usual_weight(second, len(at))
            expected = moments._seeing_all(learning._shrunk(second, weight))
        for mine, theirs in zip(law.laws, expected, strict=True):
            np.testing.assert_allclose(mine.scale, theirs.scale, rtol=1e-10)
            np.testing.assert_allclose(mine.within.toarray(), theirs.within.toarray(), atol=1e-10)
            for before, after in zip(mine.past, theirs.past[: len(mine.past)], strict=True):
                np.testing.assert_allclose(before.toarray(), after.toarray(), atol=1e-10)


@pytest.mark.parametrize("context", [(), (1, 3)])
@pytest.mark.parametrize("n_lags", [0, 2])
def test_where_all_is_seen_the_law_has_the_shrunk_moments(make_field, n_lags, context) -> None:
    """Of the past, context and the row, jointly: x given the rest is regression on all of it."""
    moments = LawMoments.of(field_of(make_field, n_lags, context), ROWS, PART)
    (second,), n_rows = moments._covariances(None)
    weight = moments.less * learning._usual_weight(second, n_rows)
    shrunk = (1 - weight) * second + weight * np.trace(second) / len(second) * np.eye(len(second))
    law = moments.law(np.zeros(D), np.ones(D))
    x, c = law.targets, law.context
    np.testing.assert_array_equal(c, context)
    for n_past, part in enumerate(law.laws):
        first, now = D * (n_lags - n_past), D * n_lags
        given = np.concatenate([np.arange(first, now), now + c])
        gain = np.linalg.solve(shrunk[np.ix_(given, given)], shrunk[np.ix_(given, now + x)]).T
        left = shrunk[np.ix_(now + x, now + x)] - gain @ shrunk[np.ix_(given, now + x)]
        root = np.linalg.solve(part.within.toarray(), np.diag(part.scale))
        np.testing.assert_allclose(root @ root.T, left, atol=1e-9)
        at_once = np.zeros((len(x), (n_past + 1) * D))
        for lag in range(n_past + 1):
            at = (n_past - lag) * D
            at_once[:, at + c] = part.context[lag].toarray()
            if lag:
                at_once[:, at + x] = part.past[lag - 1].toarray()
        weights = np.linalg.solve(part.within.toarray(), at_once)
        np.testing.assert_allclose(weights[:, given - first], gain, atol=1e-9)
        assert (np.delete(weights, given - first, axis=1) == 0).all()
        # a sweep: nothing of later sensors
        assert (np.triu(part.within.toarray()[np.ix_(*[np.argsort(law.order)] * 2)], 1) == 0).all()


def test_the_usual_weight_is_that_of_independent_normal_rows() -> None:
    """Closest to the truth of all weights on average: 40 samples of 30 rows, within a tenth."""
    rng = np.random.default_rng(1)
    truth = 0.5 ** np.abs(np.subtract.outer(np.arange(12), np.arange(12)))
    root, losses, found = np.linalg.cholesky(truth), [], []
    grid = np.linspace(0, 1, 201)
    for _ in range(40):
        x = root @ rng.standard_normal((12, 30))
        s = x @ x.T / 30
        target = np.trace(s) / 12 * np.eye(12)
        losses.append([((w * target + (1 - w) * s - truth) ** 2).sum() for w in grid])
        w = learning._usual_weight(s, 30)
        found.append(((learning._shrunk(s, w) - truth) ** 2).sum())
        assert w == pytest.approx(oas(x.T, assume_centered=True)[1])
    assert np.mean(found) < 1.1 * np.mean(losses, axis=0).min()
    assert learning._usual_weight(np.eye(4), 10) == 1.0  # nothing to be told from the identity


def test_tight_relations_are_not_shrunk_away_and_noise_is(make_field) -> None:
    """A copy but for 0.001 of a deviation stays one; independent columns are shrunk as usual."""
    rng = np.random.default_rng(2)
    level = rng.standard_normal(300)
    tight = np.stack([level, *(level + 0.001 * rng.standard_normal((4, 300)))])
    part = np.arange(300) // 100
    field, units = field_of(make_field, 0), (np.zeros(D), np.ones(D))
    law = LawMoments.of(field, tight, part).law(*units)
    assert np.sort(law.laws[0].scale)[:-1] == pytest.approx(np.full(4, 0.001), rel=0.5)
    assert LawMoments.of(field, rng.standard_normal((D, 300)), part).less == 1.0
    assert LawMoments.of(field, tight, 0 * part).less == 1.0  # no part tells of another


def test_many_sensors_look_at_their_neighborhoods(make_field, monkeypatch) -> None:
    field = field_of(make_field, 2)
    monkeypatch.setattr(learning, "MOST_SEEN", 3 * D)
    assert not LawMoments.of(field, ROWS, PART).is_local
    monkeypatch.setattr(learning, "MOST_SEEN", 3 * D - 1)
    moments = LawMoments.of(field, ROWS, PART)
    assert moments.is_local
    (first, *_) = moments.law(np.zeros(D), np.ones(D)).laws
    assert (np.abs(np.subtract.outer(np.arange(D), np.arange(D)))[first.within.toarray() != 0]
            <= 1).all()  # fmt: skip


def test_expectations_given_neighbors_are_those_of_the_moments(make_field) -> None:
    """x_j given its neighbors of this row and of those before, by least squares over the rows."""
    moments = LawMoments.of(field_of(make_field, 1), ROWS, PART, local=True)
    laws: tuple[ConditionalLaw, ...] = moments.conditionals(without=1)
    at = np.flatnonzero(PART != 1)[1:]
    for j in range(D):
        near = [k for k in (j - 1, j + 1) if 0 <= k < D]
        past = laws[1].weights[1][[j]].nonzero()[1]
        seen = np.concatenate([ROWS[np.ix_(near, at)], ROWS[np.ix_(past, at - 1)]])
        weights = np.linalg.lstsq(seen.T, ROWS[j, at], rcond=None)[0]
        found = [laws[1].weights[0][j, k] for k in near]
        found += [laws[1].weights[1][j, k] for k in past]
        np.testing.assert_allclose(found, weights, atol=1e-6)
        left = ROWS[j, at] - weights @ seen
        assert laws[1].scale[j] == pytest.approx(np.sqrt((left**2).mean()), rel=1e-6)


@pytest.mark.parametrize("n_lags", [0, 1])
def test_only_chosen_equations_are_learned_again(make_field, n_lags) -> None:
    field, units = field_of(make_field, n_lags), (ROWS.mean(axis=1), ROWS.std(axis=1))
    before = LawMoments.of(field, (ROWS - units[0][:, None]) / units[1][:, None], PART).law(*units)
    rng = np.random.default_rng(3)
    values = 10.0 + 3.0 * ROWS.T + rng.standard_normal((180, D))
    chosen = np.array([1, 4])
    after = relearned(before, field, values, chosen)
    rest = np.array([0, 2, 3])
    np.testing.assert_array_equal(after.center[rest], before.center[rest])
    np.testing.assert_array_equal(after.unit[rest], before.unit[rest])
    np.testing.assert_allclose(after.center[chosen], values.mean(axis=0)[chosen])
    np.testing.assert_allclose(after.unit[chosen], values.std(axis=0)[chosen])
    np.testing.assert_array_equal(after.order, before.order)
    z = ((values - after.center) / after.unit).T
    fresh = LawMoments.of(field, z, 0 * PART, local=True).law(after.center, after.unit)
    for old, new, found in zip(before.laws, fresh.laws, after.laws, strict=True):
        pairs = [(old.within, new.within, found.within)]
        pairs += zip(old.past, new.past, found.past, strict=True)
        for mine, theirs, joined in pairs:
            np.testing.assert_array_equal(joined.toarray()[rest], mine.toarray()[rest])
            np.testing.assert_array_equal(joined.toarray()[chosen], theirs.toarray()[chosen])
        np.testing.assert_array_equal(found.scale[rest], old.scale[rest])
        np.testing.assert_array_equal(found.scale[chosen], new.scale[chosen])
    still = np.where(np.arange(D) == 1, 7.0, values)  # a sensor that does not move keeps its unit
    assert relearned(before, field, still, chosen).unit[1] == before.unit[1]


@pytest.mark.parametrize("context", [(), (2,)])
def test_arrays_are_all_there_is_of_a_law(make_field, context) -> None:
    moments = LawMoments.of(field_of(make_field, 2, context), ROWS, PART)
    law = moments.law(np.arange(D) * 1.0, np.ones(D) * 2)
    again = RowLaw.from_arrays(law.arrays())
    same(law, again, 0.0)
    rows = np.random.default_rng(4).standard_normal((6, D))
    for n_past in range(3):
        found = (each.innovations(rows, n_past, n_past) for each in (law, again))
        np.testing.assert_array_equal(*found)


@pytest.mark.parametrize(
    "damage",
    [
        lambda a: a.pop("center"),
        lambda a: a.pop("1.scale") is a.pop("0.scale"),
        lambda a: a.pop("1.within.0.data"),
        lambda a: a.update({"0.scale": a["0.scale"] * 0}),
        lambda a: a.update({"0.scale": a["0.scale"][:-1]}),
        lambda a: a.update({"unit": -a["unit"]}),
        lambda a: a.update({"1.past.0.data": a["1.past.0.data"] * np.nan}),
        lambda a: a.update({"1.past.0.indices": a["1.past.0.indices"] + D}),
        lambda a: a.update({"1.past.0.indices": a["1.past.0.indices"] - D}),
        lambda a: a.update({"1.within.0.indptr": a["1.within.0.indptr"][:-1]}),
        lambda a: a.update({"1.within.0.indptr": a["1.within.0.indptr"][::-1].copy()}),
    ],
)
def test_arrays_of_no_law_are_refused(make_field, damage) -> None:
    law = LawMoments.of(field_of(make_field, 1), ROWS, PART).law(np.zeros(D), np.ones(D))
    arrays = {name: np.array(array) for name, array in law.arrays().items()}
    damage(arrays)
    with pytest.raises((KeyError, ValueError)):
        RowLaw.from_arrays(arrays)


def test_values_are_judged_in_units_of_the_table() -> None:
    """(x − center)/unit, context taken away, over the scale: by hand, on two sensors."""
    part = SequentialLaw(
        sp.csr_array(np.array([[1.0, 0.0], [-0.5, 1.0]])), (),
        (sp.csr_array(np.array([[2.0], [0.0]])),), np.array([0.1, 4.0]),
    )  # fmt: skip
    which, given = np.array([0, 2]), np.array([1])
    law = RowLaw((part,), np.array([1.0, 2.0, 3.0]), np.array([2.0, 1.0, 4.0]), which, given, which)
    z = law.plain(np.array([[5.0, 3.0, 11.0]]))
    np.testing.assert_array_equal(z, [[2.0, 1.0, 2.0]])
    np.testing.assert_allclose(law.innovations(z, 0, 0), [[(2.0 - 2.0) / 0.1, (2.0 - 1.0) / 4.0]])
