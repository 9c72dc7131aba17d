"""Mutation testing: change the source in one place at a time, and see whether a test notices.

    python benchmarks/mutation.py src/locality/training/engine.py --sample 40

Heavy libraries are imported once; every mutant is a fork that imports a copy of the package with
one file changed and runs the tests of its room until one fails. A mutant that takes much longer
than the tests do counts as caught. Survivors are read by people: some are the same program.
"""

import argparse
import ast
import copy
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HEAVY = (
    "hypothesis", "joblib", "matplotlib", "networkx", "numpy", "pandas", "polars",
    "pyarrow.parquet", "pytest", "rich", "scipy.optimize", "scipy.signal",
    "scipy.sparse.linalg",
    "scipy.stats", "sklearn.ensemble", "sklearn.linear_model", "threadpoolctl", "torch", "typer",
)  # fmt: skip

COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.Gt), ast.LtE: (ast.Lt, ast.Gt), ast.Gt: (ast.GtE, ast.Lt),
    ast.GtE: (ast.Gt, ast.Lt), ast.Eq: (ast.NotEq,), ast.NotEq: (ast.Eq,), ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,), ast.In: (ast.NotIn,), ast.NotIn: (ast.In,),
}  # fmt: skip
OPERATORS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.Pow: ast.Mult,
    ast.FloorDiv: ast.Mult, ast.Mod: ast.Mult, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
    ast.And: ast.Or, ast.Or: ast.And,
}  # fmt: skip
PAIRS = (
    ("min", "max"), ("minimum", "maximum"), ("argmin", "argmax"), ("any", "all"),
    ("floor", "ceil"), ("zeros", "ones"), ("mean", "sum"), ("clamp_min", "clamp_max"),
    ("exp", "expm1"), ("log", "log1p"),
)  # fmt: skip
NAMES = {a: b for pair in PAIRS for a, b in (pair, pair[::-1])}


@dataclass
class Mutation:
    """Another child for one place of a syntax tree."""

    parent: ast.AST
    field: str
    index: int | None
    new: ast.AST
    line: int

    def swap(self) -> None:
        """Put the new child in its place, or the old one back."""
        found = getattr(self.parent, self.field)
        if self.index is None:
            setattr(self.parent, self.field, self.new)
            self.new = found
        else:
            self.new, found[self.index] = found[self.index], self.new

    def __str__(self) -> str:
        by_statement = self.index is not None and self.field in ("body", "orelse", "finalbody")
        texts = []
        for _ in "01":
            whole = getattr(self.parent, self.field)[self.index] if by_statement else self.parent
            texts.append(" ".join(ast.unparse(whole).split()))
            self.swap()
        differ = (k for k, (a, b) in enumerate(zip(*texts, strict=False)) if a != b)
        same = max(0, next(differ, 0) - 40)
        return " → ".join("…" * (same > 0) + text[same : same + 80] for text in texts)


def variants(node: ast.AST) -> Iterator[ast.AST]:
    """What may stand in place of a node."""
    match node:
        case ast.cmpop():
            yield from (kind() for kind in COMPARISONS[type(node)])
        case ast.operator() | ast.boolop() if type(node) in OPERATORS:
            yield OPERATORS[type(node)]()
        case ast.Constant(value=bool()):
            yield ast.Constant(not node.value)
        case ast.Constant(value=int()):
            yield ast.Constant(node.value + 1)
        case ast.Constant(value=float()):
            yield ast.Constant(node.value * 1.1 or 1.0)
        case ast.UnaryOp(op=ast.Not() | ast.USub() | ast.Invert()):
            yield node.operand
        case ast.IfExp():
            yield ast.IfExp(node.test, node.orelse, node.body)
        case ast.Call(func=ast.Attribute(attr="where"), args=[test, one, other]):
            yield ast.Call(node.func, [test, other, one], node.keywords)
        case ast.Attribute() if node.attr in NAMES:
            yield ast.Attribute(node.value, NAMES[node.attr], node.ctx)
        case ast.Name() if node.id in ("min", "max", "any", "all"):
            yield ast.Name(NAMES[node.id], node.ctx)
        case ast.AugAssign() | ast.Expr(value=ast.Call()) | ast.Continue() | ast.Break():
            yield ast.Pass()
        case ast.Assign(targets=[ast.Subscript() | ast.Attribute()]):
            yield ast.Pass()
        case ast.If():
            other = copy.copy(node)
            other.test = ast.UnaryOp(ast.Not(), node.test)
            yield other
        case ast.For():  # the first round only
            other = copy.copy(node)
            other.body = [*node.body, ast.Break()]
            yield other
        case ast.FunctionDef(body=[_, _, *_]) if not any(
            isinstance(n, ast.Return | ast.Yield | ast.YieldFrom) and n.value
            for n in ast.walk(node)
        ):
            other = copy.copy(node)
            other.body = [ast.Return(None)]
            yield other


def mutations(tree: ast.AST, line: int = 0) -> Iterator[Mutation]:
    """All of a tree, except in annotations, decorators and errors that are raised."""
    for field, value in ast.iter_fields(tree):
        if field in ("annotation", "returns", "decorator_list") or isinstance(tree, ast.Raise):
            continue
        for index, child in enumerate(value if isinstance(value, list) else [value]):
            if isinstance(child, ast.AST):
                at = getattr(child, "lineno", line)
                place = index if isinstance(value, list) else None
                for new in variants(child):
                    yield Mutation(tree, field, place, new, at)
                yield from mutations(child, at)


def tests_of(file: Path) -> list[str]:
    """Tests of the file of this name first, then those of its room."""
    room = file.relative_to(ROOT / "src" / "locality").parts[:-1]
    folder = ROOT / "tests" / (room[-1] if room and room[0] == "inference" else (room or ("",))[0])
    return [str(t) for t in (folder / f"test_{file.stem}.py", folder) if t.exists()]


def run_tests(source: Path, tests: Sequence[str]) -> None:
    """End this process with pytest's status."""
    os.setpgid(0, 0)
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    os.dup2(nothing, 2)
    sys.path.insert(0, str(source))
    os.environ["PYTHONPATH"] = str(source)
    import pytest

    ini = ["-c", str(ROOT / "pyproject.toml"), "--rootdir", str(ROOT), "-p", "no:cacheprovider"]
    os._exit(int(pytest.main([*ini, "--assert=plain", "-x", "-q", *tests])))


def passes(source: Path, tests: Sequence[str], limit: float | None) -> tuple[bool, float]:
    """Whether all tests pass within some seconds, and how many it took."""
    start = time.monotonic()
    process = get_context("fork").Process(target=run_tests, args=(source, tests))
    process.start()
    process.join(limit)
    status = process.exitcode
    if status is None and process.pid:
        os.killpg(process.pid, signal.SIGKILL)
        process.join()
    return status == 0, time.monotonic() - start


def main() -> None:
    """Read the command line, and print what survives."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--sample", type=int, help="how many mutants of each file; all by default")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--tests", nargs="+", help="instead of those of the file's room")
    parser.add_argument("--patience", type=float, default=3.0, help="times the unchanged tests")
    options = parser.parse_args()
    for name in HEAVY:
        __import__(name)
    n_caught = n_all = 0
    with tempfile.TemporaryDirectory() as folder:
        source = Path(shutil.copytree(ROOT / "src", Path(folder) / "src"))
        for file in (file.resolve() for file in options.files):
            tests = options.tests or tests_of(file)
            copied = source / file.relative_to(ROOT / "src")
            text = file.read_text()
            tree = ast.parse(text)
            found = list(mutations(tree))
            chosen = random.Random(options.seed).sample(range(len(found)), len(found))
            chosen = sorted(chosen[: options.sample])
            clean, seconds = passes(source, tests, None)
            if not clean:
                sys.exit(f"{file}: its tests fail as it is: {' '.join(tests)}")
            print(f"{file.relative_to(ROOT)}: {len(chosen)} of {len(found)} mutants", flush=True)
            for number, mutation in enumerate(found[k] for k in chosen):
                mutation.swap()
                copied.write_text(ast.unparse(ast.fix_missing_locations(tree)))
                os.utime(copied, times=(number, number))  # no stale bytecode
                mutation.swap()
                survived, _ = passes(source, tests, 5.0 + options.patience * seconds)
                n_all, n_caught = n_all + 1, n_caught + (not survived)
                verdict = "SURVIVED" if survived else "caught"
                print(f"{verdict:8} {file.name}:{mutation.line} {mutation}", flush=True)
            copied.write_text(text)
    print(f"caught {n_caught} of {n_all}, {100 * n_caught / max(n_all, 1):.0f} %")


if __name__ == "__main__":
    main()
