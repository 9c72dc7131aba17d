"""Printing tables, for people or for RESULTS.md."""

from rich.console import Console
from rich.table import Table as Grid

from measure import Table

__all__ = ["show"]


def show(table: Table, *, markdown: bool = False) -> None:
    """Print a table.

    Parameters
    ----------
    table : Table
    markdown : bool, default False
        As Markdown; otherwise drawn for a terminal.
    """
    if markdown:
        print(table.markdown(), flush=True)
        return
    grid = Grid(title=table.title, title_justify="left")
    for number, column in enumerate(table.columns):
        grid.add_column(column, justify="right" if number else "left")
    for row in table.rows:
        grid.add_row(*row)
    console = Console(width=110)
    console.print(grid)
    for remark in table.remarks:
        console.print(f"  {remark}", highlight=False)
