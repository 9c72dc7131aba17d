# Everything runs in .venv, which is created here and nowhere else; nothing global is set.
#
#   make demo   fit, draw and score the packaged plant data (DEMO_ARGS are passed on)
#   make test   the test-suite          make slow   the longer statistical checks
#   make check  style, types, layers    make bench  cost and error against dimension
#   make clean  remove what was built

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input --quiet
DEMO_ARGS ?=
BENCH_ARGS ?=
TEST_ARGS ?=
TEST_WORKERS ?= 2

# One thread per process: parallelism comes from processes, and results stay identical to the bit.
ONE_THREAD := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1

.PHONY: demo test slow check bench clean help
.DELETE_ON_ERROR:

help:
	@sed -n 's/^#   //p' Makefile

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

# The stamps make a second call cheap: nothing is installed again until the requirements change.
$(VENV)/.installed: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) install -c constraints.txt -e '.[report]'
	@touch $@

$(VENV)/.installed-dev: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) install -c constraints.txt -e '.[dev]'
	@touch $@ $(VENV)/.installed

demo: $(VENV)/.installed
	$(BIN)/locality demo $(DEMO_ARGS)

test: $(VENV)/.installed-dev
	$(ONE_THREAD) $(BIN)/pytest -n $(TEST_WORKERS) $(TEST_ARGS)

slow: $(VENV)/.installed-dev
	$(ONE_THREAD) $(BIN)/pytest -n $(TEST_WORKERS) -m slow $(TEST_ARGS)

check: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.installed
	$(BIN)/python benchmarks/run.py $(BENCH_ARGS)

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +
