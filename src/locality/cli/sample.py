"""``locality sample``: rows drawn from a model, into a table."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any, TypeAlias

import typer

from locality import Execution, OptionError
from locality.cli.options import (
    AsJson,
    ModelArgument,
    OutputTable,
    Overwrite,
    Seed,
    whole_number,
)
from locality.cli.outputs import require_free_file
from locality.cli.settings import taking
from locality.cli.tables import read_model_rows
from locality.cli.terminal import Report, counted, print_json, progress_bar, seconds_text

__all__ = ["sample"]


class SamplerName(StrEnum):
    """How rows are drawn."""

    auto = "auto"
    exact = "exact"
    sde = "sde"
    dpm = "dpm"
    heun = "heun"
    churn = "churn"


class Levels(StrEnum):
    """Which noise levels a sampler walks down."""

    karras = "karras"
    geometric = "geometric"
    lognormal = "lognormal"


_NRows: TypeAlias = Annotated[
    int,
    typer.Option("--n-rows", "-n", parser=whole_number(1), metavar="N", help="Rows to draw."),
]
_SeriesCount: TypeAlias = Annotated[
    int,
    typer.Option(
        parser=whole_number(1),
        metavar="N",
        help="Of a time series: independent stretches, one after the other in the file.",
    ),
]
_Context: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="Values of the context columns, one row per row to be drawn."
    ),
]
_Condition: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="CONDITIONS",
        help='Hold or bound columns: "xmv_01=60, flow>120, mode=auto".',
    ),
]


@dataclass(frozen=True)
class _Solver:
    """How rows are drawn, and how finely."""

    sampler: Annotated[
        SamplerName,
        typer.Option(
            help="Solver: sde is most faithful, dpm needs the fewest evaluations; exact draws a "
            "series without networks from its law itself. auto: exact where it can be, else sde."
        ),
    ] = SamplerName.auto
    levels: Annotated[
        Levels | None,
        typer.Option(
            help="How noise levels are spaced, from noise to data.",
            show_default=Levels.karras.value,
        ),
    ] = None
    evaluations: Annotated[
        int,
        typer.Option(
            parser=whole_number(2),
            metavar="N",
            help="Evaluations of the model per row: more is finer.",
        ),
    ] = 64

    def parameters(self) -> dict[str, Any]:
        """As ``LocalizedDiffusion.sample`` takes them."""
        from locality.inference.sampling.schedules import (
            GeometricLevels,
            KarrasLevels,
            LogNormalLevels,
        )

        schedules = KarrasLevels(), GeometricLevels(), LogNormalLevels()
        schedule = self.levels and dict(zip(Levels, schedules, strict=True))[self.levels]
        return {
            "sampler": self.sampler.value,
            "levels": schedule,
            "n_evaluations": self.evaluations,
        }


@taking(execution=("n_jobs",), n_jobs=1)
def sample(
    model: ModelArgument,
    output: OutputTable,
    *,
    n_rows: _NRows = 1000,
    seed: Seed = 0,
    series_count: _SeriesCount = 1,
    solver: _Solver,
    context: _Context = None,
    condition: _Condition = None,
    execution: Execution,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Draw rows that look like the recorded ones, in their units.

    Constant columns and copies are restored, whole numbers are whole, states are those recorded,
    and near-equal sensors stay near-equal.

    [bold]Example:[/bold] locality sample plant.locality -n 1000 -o synthetic.parquet
    """
    require_free_file(output, overwrite)
    if series_count > n_rows:
        raise OptionError(
            f"--series-count is {series_count}, but only {n_rows} rows are drawn.",
            remedy="Draw at least one row per stretch.",
        )
    from locality import LocalizedDiffusion
    from locality.data.files import write_frame

    fitted = LocalizedDiffusion.load(model)
    needs = fitted.model_.layout.context
    if needs and context is None:
        raise OptionError(
            f"The model needs values of its context columns {', '.join(needs)}.",
            remedy=f"Pass them in a table of {n_rows} rows (--context).",
        )
    if context is not None and not needs:
        raise OptionError("The model has no context columns, so --context has no use.")
    known = None if context is None else read_model_rows(context, fitted.model_, needs).table
    start = perf_counter()
    with progress_bar("Loading the model") as progress:
        rows = fitted.sample(
            n_rows,
            n_series=series_count,
            context=known,
            condition=condition,
            execution=execution,
            random_state=seed,
            progress=progress,
            **solver.parameters(),
        )
    seconds = perf_counter() - start
    write_frame(_named(rows, fitted), output, overwrite=overwrite)
    if as_json:
        content = {"model": str(model), "output": str(output), "n_rows": n_rows}
        print_json(content | {"seed": seed, "seconds": seconds})
    stretches = f", {series_count} stretches" if series_count > 1 else ""
    Report(quiet=as_json).line(
        f"{counted(n_rows, 'row')}{stretches} drawn in {seconds_text(seconds)} (seed {seed}): "
        f"{output}"
    )


def _named(rows: Any, fitted: Any) -> Any:
    """Rows in a table; those of a model that was fitted to an array have states without names."""
    import numpy as np
    import pandas as pd

    if isinstance(rows, np.ndarray) and rows.dtype == object:
        names = list(fitted.model_.standardizer.names)
        return pd.DataFrame(rows, columns=names).infer_objects()
    return rows
