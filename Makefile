# Everything AlbumGen needs is set up by these targets; nothing is installed by hand but Python 3.11 or newer.
#
# Variables:
#   PYTHON=python3.12   the interpreter to make the environment with
#   CPU=1               PyTorch's CPU build, from PyTorch's own index (on Linux PyPI's wheels carry CUDA, 3 GB)
#   RUNTIME=1           only what the bot and the command line need: no linters, no tests, no `evaluate audio`
PYTHON ?= python3
CPU ?=
RUNTIME ?=
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
STAMP := $(VENV)/.installed
LOCKS := constraints.txt $(if $(RUNTIME),,constraints-dev.txt)
# Not hashed: the CPU and the CUDA build of one version are different files. The rest is in constraints.txt.
TORCH := torch==2.13.0
TORCH_SOURCE := $(if $(CPU),--index-url https://download.pytorch.org/whl/cpu)
COMPILE := $(BIN)/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes \
	--no-annotate --no-emit-package torch --custom-compile-command "make constraints"
# Names in a file of constraints, as options that leave them out of the next one.
OMIT = $$(sed -nE 's/^([a-z0-9._-]+)==.*/--no-emit-package \1/p' constraints.txt)

.PHONY: help setup demo run test test-fast lint format bench constraints clean

help:
	@echo "make setup        make the environment in $(VENV) (CPU=1: PyTorch's CPU build; RUNTIME=1: no developer tools)"
	@echo "make demo         set up, then hear three example covers (sketch engine, no download, no GPU)"
	@echo "make run          set up, then start the Discord bot"
	@echo "make test         set up, then run linters, type checks and every test"
	@echo "make test-fast    the tests that are not marked slow, without linters"
	@echo "make lint         linters and type checks only"
	@echo "make format       apply what the linter can mend, and the formatter"
	@echo "make bench        the quick benchmarks"
	@echo "make constraints  write constraints*.txt anew from pyproject.toml (UPGRADE=1: with the newest releases)"
	@echo "make clean        remove the environment and what was built"

setup: $(STAMP)

$(STAMP): pyproject.toml $(LOCKS)
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --no-deps --require-hashes $(LOCKS:%=--requirement %)
	$(PIP) install $(TORCH_SOURCE) $(TORCH)
	$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $(STAMP)

demo: $(STAMP)
	@$(BIN)/python examples/demo.py

run: $(STAMP)
	@exec $(BIN)/albumgen-bot

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: lint
	$(BIN)/python -m pytest -n 2 --dist worksteal

test-fast: $(STAMP)
	$(BIN)/python -m pytest -n 2 --dist worksteal -m "not slow"

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(STAMP)
	$(BIN)/python benchmarks/sketch_speed.py
	$(BIN)/python benchmarks/overhead.py

constraints: $(STAMP)
	$(COMPILE) $(if $(UPGRADE),--upgrade) --output-file constraints.txt
	$(COMPILE) $(if $(UPGRADE),--upgrade) --extra dev --constraint constraints.txt $(OMIT) --output-file constraints-dev.txt

clean:
	rm -rf $(VENV) *.egg-info out .pytest_cache .mypy_cache .ruff_cache
