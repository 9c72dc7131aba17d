"""Advice: what to do next, and what to know about the data, as statements."""

from collections.abc import Sequence
from typing import Any

from locality.analysis.check.dependences import Dependences
from locality.analysis.check.errors import ErrorCurves
from locality.analysis.check.findings import Verdict
from locality.analysis.pages.words import Statement

__all__ = ["next_steps", "remarks"]

_LISTED = 3


def next_steps(
    verdict: Verdict, ties: Dependences, lags: int, merged: bool, options: str
) -> tuple[Statement, ...]:
    """What to do with the answer, the most important first.

    Parameters
    ----------
    verdict : Verdict
    ties : Dependences
    lags : int
        Rows of the past that were taken into account.
    merged : bool
        Whether a given graph was judged together with what was found.
    options : str
        Of the command line, that a fit needs as well.
    """
    steps = []
    missed = [pair for pair in ties.missed if pair[2] > 1]
    if missed and not merged and verdict.answer != "local":
        steps.append(Statement("next_merge", {"count": len(missed), "names": _pairs(missed)}))
    if verdict.answer == "not local":
        steps.append(Statement("next_global"))
        steps.append(Statement("next_context"))
    else:
        if verdict.answer == "partly local" and not (missed and not merged):
            steps.append(Statement("next_partly"))
        steps.append(Statement("next_fit", {"lags": lags, "options": options}))
    curved = sum(edge.kind == "nonlinear" for edge in ties.edges)
    if curved:
        steps.append(Statement("next_neural", {"count": curved}))
    late = [edge for edge in ties.edges if abs(edge.lag) > lags]
    if late:
        longest = max(late, key=lambda edge: abs(edge.lag))
        rows = {"count": len(late), "lags": lags, "delay": abs(longest.lag)}
        steps.append(Statement("next_lags", {**rows, "a": longest.a, "b": longest.b}))
    if verdict.answer != "not local":
        steps.append(Statement("next_poc"))
    return tuple(steps)


def remarks(
    ties: Dependences, curves: ErrorCurves, lags: int, n_rows: int
) -> tuple[Statement, ...]:
    """What is worth knowing besides the verdict."""
    found = []
    if lags:
        found.append(Statement("note_lags", {"lags": lags}))
    if ties.given is not None:
        supported = sum(edge.source == "both" for edge in ties.edges)
        total = supported + len(ties.unsupported)
        found.append(Statement("note_given", {"supported": supported, "total": total}))
        for key, pairs in (("note_unsupported", ties.unsupported), ("note_missed", ties.missed)):
            if pairs:
                found.append(Statement(key, {"count": len(pairs), "names": _pairs(pairs)}))
    if curves.n_sizes > 1:
        radii = [curves.best_radius(n) for n in (n_rows / 2, n_rows, 2 * n_rows)]
        found.append(
            Statement("note_radius", {"radius": radii[1], "halved": radii[0], "doubled": radii[2]})
        )
    length = curves.decay_length
    if length is not None:
        found.append(Statement("note_decay", {"length": length}))
    return tuple(found)


def _pairs(pairs: Sequence[tuple[Any, ...]]) -> str:
    """The first few, in words."""
    told = ", ".join(f"{pair[0]}–{pair[1]}" for pair in pairs[:_LISTED])
    return told + (", …" if len(pairs) > _LISTED else "")
