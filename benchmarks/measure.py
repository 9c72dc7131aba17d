"""Measuring: process CPU time, medians, and the ratio of things timed in turns.

Other programs share the machine and its clock varies, so single times mean little. What is
compared runs in one process, one thread, round after round in turns; figures are medians over the
rounds of the ratio within a round.
"""

import os
import platform
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import process_time
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

__all__ = ["BoolArray", "FloatArray", "Table", "in_turns", "machine", "median_time", "one_core"]

FloatArray: TypeAlias = NDArray[np.float64]
BoolArray: TypeAlias = NDArray[np.bool_]


@dataclass
class Table:
    """A result to be printed: title, column heads, rows of text, and remarks.

    Parameters
    ----------
    title : str
    columns : list of str
    rows : list of list of str
    remarks : list of str
        Printed below, one a line.
    """

    title: str
    columns: list[str]
    rows: list[list[str]]
    remarks: list[str]

    def markdown(self) -> str:
        """The table as Markdown."""
        lines = [f"### {self.title}", "", "| " + " | ".join(self.columns) + " |"]
        lines.append("|" + "---|" * len(self.columns))
        lines += ["| " + " | ".join(row) + " |" for row in self.rows]
        return "\n".join([*lines, "", *(f"- {remark}" for remark in self.remarks), ""])


def one_core() -> None:
    """Numerical libraries use one thread from here on."""
    torch.set_num_threads(1)


def median_time(work: Callable[[], object], n_rounds: int = 3) -> float:
    """Median CPU seconds of some work, after one run that is not counted."""
    work()
    return float(np.median(in_turns({"": work}, n_rounds)[""]))


def in_turns(
    works: dict[str, Callable[[], object]], n_rounds: int, n_repeats: int = 1
) -> dict[str, np.ndarray]:
    """CPU seconds per call of several works, run in turns [n_rounds each].

    A turn is ``n_repeats`` calls, so that caches hold the work's own data and not another's.
    """
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(n_rounds):
        for name, work in works.items():
            start = process_time()
            for _ in range(n_repeats):
                work()
            times[name].append((process_time() - start) / n_repeats)
    return {name: np.array(found) for name, found in times.items()}


def machine() -> str:
    """Processor, number of cores and versions, in one line."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    capability = torch.backends.cpu.get_cpu_capability()
    return f"{os.cpu_count()} cores, {model}, {capability}, torch {torch.__version__}"
