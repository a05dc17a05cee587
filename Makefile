# Every target first makes what it needs; none needs root, Docker or a running service.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.made-from-requirements
SEED   ?= 1
ROUNDS ?= 10

.PHONY: setup run test check bench faults lock clean

setup: $(STAMP)

$(STAMP): requirements/dev.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

run: setup          ## everything on embedded servers, in the foreground
	$(BIN)/taskfold dev

test: setup         ## all tests, in parallel, with branch coverage
	$(BIN)/pytest -n auto --dist worksteal --cov --cov-report=term -m "not faults"

check: setup        ## formatting, lint, strict types, room rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: setup        ## speed, side by side in one run
	$(BIN)/python -m bench

faults: setup       ## the long fault runs: make faults SEED=7 ROUNDS=50
	TASKFOLD_FAULT_SEED=$(SEED) TASKFOLD_FAULT_ROUNDS=$(ROUNDS) TASKFOLD_HYPOTHESIS_PROFILE=long \
	  $(BIN)/pytest -m "faults or long" tests/faults tests/domain tests/commands

lock:               ## pin the dependencies again (needs uv)
	uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet -o requirements/run.txt
	uv pip compile pyproject.toml --extra embedded --extra dev --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet -o requirements/dev.txt

clean:
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage .coverage.*
