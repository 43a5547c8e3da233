# The doors of this repository. Each sets up what it needs in .venv, once.
#   make demo       train four models on real text, compare them, write runs/demo/report.html
#   make test       every promise, one real case each          make test-all   the long cases too
#   make lint       style and types                            make bench      the benchmarks
#   make docs       the documentation as a site, build/site/index.html
#
# PYTHON names another interpreter (3.11 or newer): make demo PYTHON=python3.12

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
WORKERS ?= 2

.PHONY: demo test test-all lint format bench docs clean

demo: $(VENV)/.installed
	$(BIN)/glassloom demo

test: $(VENV)/.installed-dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -m "not long"

test-all: $(VENV)/.installed-all
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.installed
	$(BIN)/python benchmarks/run.py

docs: $(VENV)/.installed-docs
	$(BIN)/python -m mkdocs build --strict --quiet
	@echo build/site/index.html

clean:
	rm -rf $(VENV) build dist src/*.egg-info

$(VENV)/.installed: pyproject.toml constraints.txt setup.py $(wildcard src/glassloom/native/*.cpp src/glassloom/native/*.h)
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Glassloom needs Python 3.11 or newer, this is " + sys.version.split()[0] + "; name another with: make demo PYTHON=python3.12")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

$(VENV)/.installed-all: $(VENV)/.installed-dev
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev,harness]'
	@touch $@

$(VENV)/.installed-docs: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[docs]'
	@touch $@
