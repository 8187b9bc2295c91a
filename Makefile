# Everything starts from a bare Debian or Ubuntu: python3 (3.11 or newer), python3-venv,
# make and git. Versions are pinned in constraints.txt.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip install --quiet --constraint constraints.txt
.DEFAULT_GOAL := help

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) --editable .
	touch $@

$(VENV)/dev: $(VENV)/installed
	$(PIP) --editable '.[card,office,train]' hatchling hypothesis matplotlib mypy pytest ruff
	touch $@

.PHONY: help poem test fuzz check check-long lint types docs bench clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

poem: $(VENV)/installed  ## a poem, now
	@$(BIN)/poetgen generate --start 日 --temp 0.8

test: $(VENV)/dev  ## the fast tests
	$(BIN)/python -m pytest

fuzz: $(VENV)/dev  ## a hunt for new counterexamples: make fuzz [SECONDS=100] [SEED=…]
	$(BIN)/python -m tests.fuzz $(or $(SECONDS),100) $(SEED)

lint: $(VENV)/dev  ## style and layout of the code
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/dev  ## mypy --strict on the package
	$(BIN)/mypy

check: lint types test  ## lint, types and test: what CI runs

check-long: $(VENV)/dev  ## the checks that take minutes
	$(BIN)/python -m pytest -m long

docs: $(VENV)/dev  ## docs/commands.md, from the help of the program
	$(BIN)/python -m tests.write_commands

bench: $(VENV)/dev  ## speed, as ratios measured in one run
	$(BIN)/python -m benchmarks

clean:  ## remove .venv and all caches; corpora and models stay
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
