"""Run the benchmarks: all, or those named on the command line.

python benchmarks/run.py                   # all
python benchmarks/run.py engine plant      # some
python benchmarks/run.py --quick engine    # fewer rounds, seeds and steps
python benchmarks/run.py --markdown        # tables as in RESULTS.md
"""

import argparse
import os
import sys
import warnings
from importlib import import_module
from time import perf_counter

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")  # before NumPy and torch are loaded

NAMES = (
    "engine",
    "sampling",
    "banded",
    "double_well",
    "plant",
    "series",
    "discovery",
    "verdict",
    "networks",
    "scale",
    "sparing",
    "global_model",
    "likelihood",
    "conditional",
    "missing",
    "imputation",
    "detection",
    "promise",
    "safe_learning",
    "currency",
    "small_tables",
)


def main(arguments: list[str]) -> int:
    """Print the tables of the benchmarks asked for."""
    parser = argparse.ArgumentParser(description="Speed and quality, measured.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"any of {', '.join(NAMES)}")
    parser.add_argument("--quick", action="store_true", help="fewer rounds, seeds and steps")
    parser.add_argument("--markdown", action="store_true", help="tables as in RESULTS.md")
    options = parser.parse_args(arguments)
    unknown = sorted(set(options.names) - set(NAMES))
    if unknown:
        parser.error(f"unknown benchmark {unknown[0]!r}, choose from {', '.join(NAMES)}")
    warnings.filterwarnings("ignore", category=FutureWarning)
    from measure import machine
    from report import show

    print(machine())
    for name in options.names or NAMES:
        start = perf_counter()
        for table in import_module(name).run(quick=options.quick):
            show(table, markdown=options.markdown)
        print(f"[{name}: {perf_counter() - start:.0f} s]\n", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
