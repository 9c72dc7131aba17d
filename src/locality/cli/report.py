"""The report on a model: what a process engineer asks of it, in the order of asking.

What went in, who depends on whom, what the neighbors are worth (in nats), which radius and why,
and how long it took. ``fit``, ``info`` and ``demo`` print it alike.
"""

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from locality.cli.terminal import Report, counted, seconds_text

if TYPE_CHECKING:
    from locality.model.summary import ModelSummary

__all__ = ["describe", "describe_components", "describe_nats", "describe_radii", "describe_times"]

_MAX_LISTED = 12
_GAUSSIAN_ALONE = 0.5 * math.log(2 * math.pi * math.e)  # nats of a standardized Gaussian

_KINDS = {
    "table": "rows in no order",
    "causal series": "time series, each row given the {lags} before it",
    "joint series": "time series, each row with {lags} before and {lags} after it",
    "lattice": "columns in line that share one law",
}

_GRAPHS = {
    "learn": "learned from partial correlations",
    "chain": "chain in the order of the columns",
    "ring": "ring in the order of the columns",
    "complete": "complete: every column sees every other",
}

_STAGES = {
    "table": "reading and standardizing",
    "graph": "dependency graph",
    "neighborhoods": "neighborhoods",
    "radius": "comparing radii",
    "closed form": "closed forms",
    "reference": "reference for alarms",
    "networks": "networks",
}


def describe(report: Report, summary: "ModelSummary") -> None:
    """All of a model except its single components."""
    kind = _KINDS[summary.kind].format(lags=counted(summary.lags, "row"))
    graph = _GRAPHS.get(summary.graph, f"from {summary.graph}")
    modeled = f"{summary.n_components:,} modeled"
    if summary.n_components == summary.n_columns:
        modeled = "all modeled"
    facts = [
        ("rows", f"{summary.n_rows:,} ({kind})"),
        ("columns", f"{summary.n_columns:,}, {modeled}"),
    ]
    if summary.context:
        facts.append(("context", _listed(summary.context)))
    if summary.set_aside:
        reasons = [f"{name} ({reason})" for name, reason in summary.set_aside.items()]
        facts.append(("set aside", f"{_listed(reasons)}; samples contain them all the same"))
    facts.append(
        (
            "graph",
            f"{counted(summary.n_edges, 'edge')}, {summary.mean_neighbors:.1f} neighbors per "
            f"column on average, {graph}",
        )
    )
    report.facts(facts)
    describe_nats(report, summary)
    describe_radii(report, summary)
    describe_times(report, summary.seconds)


def describe_nats(report: Report, summary: "ModelSummary") -> None:
    """What the neighbors and the networks are worth on held-out rows."""
    report.heading("Surprise on held-out rows, in nats (less is better)")
    n = summary.n_components
    grades = [
        ("independent: every column alone, Gaussian", summary.independent),
        ("local linear: with its neighborhood", summary.linear),
    ]
    if summary.denoiser == "neural":
        helped = f"networks in {counted(summary.n_networks, 'column')}, where they help"
        grades.append((f"local neural: {helped}", summary.model))
    report.table(
        ("model", "per column", "per row", "saved per row"),
        [
            (name, f"{nats / n:.3f}", f"{nats:.2f}", _saved(summary.independent - nats))
            for name, nats in grades
        ],
    )
    report.line(_plain(summary))
    if summary.denoiser == "neural":
        report.line(_verdict(summary))


def describe_radii(report: Report, summary: "ModelSummary") -> None:
    """Which radius was chosen, how often, and why."""
    radii = summary.radii
    if summary.radius_setting != "auto":
        report.line(f"\nRadius {summary.radius_setting}, as asked for.")
        return
    report.heading("Radius: how many steps along the graph a column sees")
    best = min(radii, key=lambda entry: entry.linear)
    header = ["one radius for all", "linear nats per row", "above best"]
    columns: list[Callable[[int], str]] = [
        lambda i: str(radii[i].radius),
        lambda i: f"{radii[i].linear:.2f}",
        lambda i: "best" if radii[i] is best else f"+{radii[i].linear - best.linear:.2f}",
    ]
    if summary.denoiser == "neural":
        header += ["networks trained", "saving nats per row", "networks kept"]
        columns += [
            lambda i: str(radii[i].n_tried),
            lambda i: f"{radii[i].gain:.2f}" if radii[i].n_tried else "–",
            lambda i: str(radii[i].n_networks),
        ]
    rows = [[column(i) for column in columns] for i in range(len(radii))]
    report.table(header, rows, words=0)
    report.line(_reason(summary))
    report.table(
        ("noise", "radius chosen, mean", "smallest", "largest", "saves nats per row"),
        [
            (
                part.band,
                f"{part.mean_radius:.1f}",
                str(part.smallest_radius),
                str(part.largest_radius),
                f"{part.saved:.2f}",
            )
            for part in summary.bands
        ],
    )
    report.line(_own_radii(summary))


def describe_times(report: Report, seconds: dict[str, float], heading: str = "Time") -> None:
    """How long each stage took."""
    report.heading(f"{heading}: {seconds_text(sum(seconds.values()))}")
    report.facts([(_STAGES.get(name, name), seconds_text(t)) for name, t in seconds.items()])


def describe_components(report: Report, summary: "ModelSummary") -> None:
    """One line per column."""
    report.heading("Columns")
    report.table(
        (
            "column",
            "law",
            "radius",
            "by noise",
            "neighbors",
            "given",
            "alone",
            "linear",
            "model",
            "network",
        ),
        [
            (
                part.name,
                part.law,
                str(part.radius),
                " ".join(map(str, part.band_radii)),
                str(part.n_neighbors),
                str(part.n_given),
                f"{part.independent:.3f}",
                f"{part.linear:.3f}",
                f"{part.model:.3f}",
                f"radius {part.network_radius}" if part.has_network else "",
            )
            for part in summary.components
        ],
        words=2,
    )


def _plain(summary: "ModelSummary") -> str:
    """Nats in one sentence without nats."""
    per_column = (summary.independent - summary.model) / summary.n_components
    if per_column < 0.005:
        return "Neighbors explain nothing here: the columns look independent of each other."
    typical = math.exp(per_column)
    return (
        f"In plain words: knowing its neighborhood narrows a column's spread to 1/{typical:.1f} "
        f"of its own, on (geometric) average; a Gaussian column alone costs "
        f"{_GAUSSIAN_ALONE:.3f} nats."
    )


def _verdict(summary: "ModelSummary") -> str:
    gain = summary.linear - summary.model
    if not summary.n_networks:
        return "No network beats the closed form on held-out rows: a linear model is all it takes."
    helped = sorted(
        (part for part in summary.components if part.has_network),
        key=lambda part: part.model - part.linear,
    )
    names = ", ".join(f"{p.name} ({p.linear - p.model:.2f})" for p in helped[:4])
    return (
        f"Networks save {gain:.2f} ± {summary.error:.2f} nats a row beyond linear, most in "
        f"{names}; all other columns keep their closed form."
    )


def _reason(summary: "ModelSummary") -> str:
    """Why this radius, from the two errors that trade off."""
    radii = summary.radii
    best = min(radii, key=lambda entry: entry.linear)
    sentences = [f"Radius {best.radius} is best for the linear model as a whole."]
    smaller = [entry for entry in radii if entry.radius < best.radius]
    if smaller:
        lost = smaller[-1].linear - best.linear
        sentences.append(f"One step less leaves dependence out: {lost:.2f} nats a row worse.")
    widest = radii[-1]
    if widest is not best:
        lost = widest.linear - best.linear
        sentences.append(
            f"Radius {widest.radius} asks more of {summary.n_rows:,} rows than they can tell: "
            f"{lost:.2f} worse."
        )
    elif smaller:
        sentences.append("It is the widest that the graph and the number of rows support.")
    return " ".join(sentences)


def _own_radii(summary: "ModelSummary") -> str:
    best = min(entry.linear for entry in summary.radii)
    return (
        "σ is the noise added, in standard deviations of a column: coarse noise leaves what moves "
        "together, fine noise what fits closely. At each level every column has the radius that "
        f"held-out rows speak for: {summary.linear:.2f} nats per row, {best - summary.linear:.2f} "
        "below the best single radius."
    )


def _saved(nats: float) -> str:
    return "–" if nats == 0 else f"{nats:.2f}"


def _listed(items: Sequence[str]) -> str:
    more = f" and {len(items) - _MAX_LISTED} more" if len(items) > _MAX_LISTED else ""
    return ", ".join(items[:_MAX_LISTED]) + more
