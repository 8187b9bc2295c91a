# Everything starts from a bare Debian or Ubuntu: python3 (3.11 or newer), python3-venv,
# make and git. Versions are pinned in constraints.txt.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip install --quiet --constraint constraints.txt

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) --editable .
	touch $@

$(VENV)/dev: $(VENV)/installed
	$(PIP) --editable '.[train]' hatchling hypothesis matplotlib mypy pytest ruff
	touch $@

.PHONY: poem test fuzz check check-long lint types docs bench clean

poem: $(VENV)/installed  ## a poem, now
	@$(BIN)/poetgen generate --start 日 --temp 0.8

test: $(VENV)/dev  ## the fast tests
	$(BIN)/python -m pytest

fuzz: $(VENV)/dev  ## new counterexamples, for a while: make fuzz [SECONDS=100] [SEED=…]
	$(BIN)/python -m tests.fuzz $(or $(SECONDS),100) $(SEED)

lint: $(VENV)/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/dev
	$(BIN)/mypy

check: lint types test  ## what CI runs

check-long: $(VENV)/dev  ## the checks that take minutes
	$(BIN)/python -m pytest -m long

docs: $(VENV)/dev  ## docs/commands.md, from the help of the program
	$(BIN)/python -m tests.write_commands

bench: $(VENV)/dev  ## speed, as ratios measured in one run
	$(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
