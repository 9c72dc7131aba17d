"""``locality evaluate``: how good are the rows that a model draws?"""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from locality.cli.options import AsJson, Language, ModelArgument, Overwrite, Seed
from locality.cli.outputs import require_free_page
from locality.cli.tables import read_model_rows
from locality.cli.terminal import Report, print_json, progress_bar

if TYPE_CHECKING:
    from locality.analysis.quality.quality import Quality

__all__ = ["evaluate"]


def evaluate(
    model: ModelArgument,
    table: Annotated[
        Path,
        typer.Argument(
            metavar="REAL", help="Rows that the model was not fitted to, with its columns."
        ),
    ],
    train: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The rows it was fitted to: adds the privacy check."),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN", help="Also learn this column from the others, on drawn rows."
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="PAGE.html", help="Page with pictures to write."),
    ] = None,
    language: Annotated[
        Language, typer.Option(help="Of the page, at first; it can switch.")
    ] = Language.en,
    seed: Seed = 0,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Compare rows that the model draws with real ones.

    Real rows are cut into halves. Drawn rows and the earlier half are both compared with the later
    half: no model can be asked for more than real rows of another time reach.

    [bold]Example:[/bold] locality evaluate plant.locality later.parquet --train plant.parquet
    -o quality.html
    """
    if output is not None:
        require_free_page(output, overwrite)
    from locality import LocalizedDiffusion
    from locality import evaluate as judge

    fitted = LocalizedDiffusion.load(model)
    rows = read_model_rows(table, fitted.model_).table
    learned = None if train is None else read_model_rows(train, fitted.model_).table
    with progress_bar(f"Comparing with {table.name}"):
        found = judge(
            fitted, rows, train=learned, target=target, title=table.name, random_state=seed
        )
        if output is not None:
            found.to_html(output, language.value)
    if as_json:
        print_json({"model": str(model), "table": str(table)} | found.to_dict())
        return
    _tell(found, target)
    if output is not None:
        Report().line(f"\nThe page is {output}.")


def _tell(found: "Quality", target: str | None) -> None:
    from locality.analysis.pages.words import Statement, say

    page = Report()
    page.heading(say(Statement(found.grade)).capitalize())
    page.heading(f"{found.n_drawn:,} drawn rows and as many earlier real ones, against later ones")
    drawn, real = found.drawn, found.real
    lines = [
        ("columns: agreement of distributions", drawn.margins, real.margins),
        ("pairs with an edge: agreement of correlations", drawn.edges, real.edges),
        ("pairs without", drawn.others, real.others),
        ("tails: share beyond 1 % and 99 % (0.02)", found.beyond, found.real_beyond),
        (
            f"told apart by a random forest (0.5, ± {drawn.auc_error:.3f})",
            drawn.auc,
            real.auc,
        ),
        ("autocorrelation: difference", found.autocorrelation, found.real_autocorrelation),
        (f"R² of {target} learned from them", found.r2, found.real_r2),
    ]
    page.table(
        ("", "drawn", "real"),
        [(name, f"{a:.3f}", f"{b:.3f}") for name, a, b in lines if not math.isnan(a)],
    )
    if not math.isnan(found.privacy):
        page.line(
            f"{found.privacy:.0%} of the drawn rows lie closer to a training row than to a later "
            "one; 50 % if nothing was learned by heart."
        )
    page.heading("Columns that differ most (mean difference of quantiles, in standard deviations)")
    page.table(
        ("column", "drawn", "real", "beyond 1 % and 99 %"),
        [
            (c.name, f"{c.distance:.3f}", f"{c.real_distance:.3f}", f"{c.beyond:.3f}")
            for c in found.columns[:8]
        ],
    )
