"""The command ``locality``: what it is, and its commands.

Nothing heavy is imported until a command runs, so that help is there at once.
"""

import inspect
from typing import Annotated

import typer

from locality import __version__
from locality.cli.check import check
from locality.cli.demo import demo
from locality.cli.detect import detect
from locality.cli.evaluate import evaluate
from locality.cli.explain import explain
from locality.cli.failures import Commands
from locality.cli.fit import fit
from locality.cli.impute import impute
from locality.cli.info import info
from locality.cli.likelihood import likelihood
from locality.cli.plan import plan
from locality.cli.poc import poc
from locality.cli.sample import sample
from locality.cli.score import score
from locality.cli.update import update
from locality.cli.versions import alias, diff, gc, rollback, versions

__all__ = ["app"]

_HELP = """
Learn how the columns of a table depend on each other, one small neighborhood at a time.

A localized diffusion model of a plant, a sensor network or any wide table of numbers and states:
it learns who depends on whom, draws new rows that look like the recorded ones, and says, in nats,
how surprising every value is given its neighbors.

A typical session:

  locality check plant.parquet -o report/                  # does locality hold here?
  locality plan plant.parquet --lags 2                     # what will a fit cost?
  locality poc plant.parquet --quality 0.95 -o poc/        # prove it on few columns
  locality fit plant.parquet -o plant.locality --lags 2    # learn
  locality info plant.locality                             # what was learned?
  locality score plant.locality new.csv -o surprise.csv    # what is unusual?
  locality detect plant.locality new.csv -o alarms.csv     # what is abnormal, and where?
  locality explain plant.locality new.csv --row 171        # and why?
  locality impute plant.locality gaps.csv -o filled.csv    # what is missing?
  locality likelihood plant.locality new.csv -o log_p.csv  # how likely is it?
  locality sample plant.locality -n 1000 -o drawn.csv      # draw new rows
  locality evaluate plant.locality later.csv               # how good are those?
  locality update plant.locality later.csv --drifted       # learn again what has changed
  locality versions plant.locality                         # and go back: locality rollback

Tables are CSV, Parquet or Feather files with one column per sensor and one row per moment or
case. Try everything on a chemical plant that comes with the package: locality demo
"""


def _flowing(text: str) -> str:
    """Paragraphs as single lines, for the terminal to wrap; indented lines stay as they are."""
    paragraphs = inspect.cleandoc(text).split("\n\n")
    return "\n\n".join(p if p.startswith(" ") else p.replace("\n", " ") for p in paragraphs)


app = typer.Typer(
    cls=Commands,
    help=_flowing(_HELP),
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"locality {__version__}")
        raise typer.Exit


@app.callback()
def options(
    debug: Annotated[
        bool,
        typer.Option(
            "--debug", metavar="", help="Show the traceback of an error (also: LOCALITY_DEBUG=1)."
        ),
    ] = False,
    version: Annotated[
        bool,
        typer.Option(
            "--version", metavar="", help="Show the version.", callback=_show_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Take the options that come before the command."""


for command in (
    check,
    plan,
    poc,
    fit,
    info,
    sample,
    evaluate,
    score,
    detect,
    explain,
    impute,
    likelihood,
    update,
    versions,
    diff,
    rollback,
    alias,
    gc,
    demo,
):
    app.command(help=_flowing(command.__doc__ or ""))(command)
