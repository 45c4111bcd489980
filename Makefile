# Everything AlbumGen needs is set up by these targets; nothing is installed by hand but Python 3.11 or newer.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: help setup demo run test lint format bench clean

help:
	@echo "make demo    set up, then hear three example covers (sketch engine, no download, no GPU)"
	@echo "make run     set up, then start the Discord bot"
	@echo "make test    set up, then run linters, type checks and every test"
	@echo "make lint    linters and type checks only"
	@echo "make bench   the quick benchmarks"
	@echo "make clean   remove the environment and what was built"

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $(STAMP)

demo: $(STAMP)
	@$(BIN)/python examples/demo.py

run: $(STAMP)
	@$(BIN)/albumgen-bot

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: lint
	$(BIN)/python -m pytest -n 2 --dist worksteal

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(STAMP)
	$(BIN)/python benchmarks/sketch_speed.py
	$(BIN)/python benchmarks/overhead.py

clean:
	rm -rf $(VENV) *.egg-info out .pytest_cache .mypy_cache .ruff_cache
