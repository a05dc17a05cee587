# Every target first makes what it needs; none needs root, Docker or a running service.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.made-from-requirements
SEED   ?= 1

.PHONY: setup run test check audit sbom check-alerts bench bench-scale bench-rebuild bench-memory faults \
        faults-contract faults-exports faults-histories faults-import faults-keys faults-random faults-redis \
        faults-revocations lock clean

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

check: setup        ## formatting, lint, strict types, room rules, security scans
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/bandit --quiet --configfile pyproject.toml --recursive api commands domain projections
	git ls-files -z | xargs -0 $(BIN)/detect-secrets-hook --disable-plugin KeywordDetector \
	  --exclude-files '^requirements/|package-lock\.json$$' --exclude-lines '//user:password@'
	$(BIN)/python .ci/audit

audit: setup        ## known vulnerabilities of what the program depends on; says so where nobody can be asked
	$(BIN)/python .ci/audit

sbom: setup         ## what the program is made of, as CycloneDX: build/sbom.cdx.json
	@mkdir -p build
	PYTHONWARNINGS=ignore $(BIN)/cyclonedx-py requirements --pyproject pyproject.toml --output-reproducible --sv 1.6 --of JSON \
	  --output-file build/sbom.cdx.json requirements/run.txt

check-alerts:       ## the rules of Prometheus, by its own tool, where there is one
	@if command -v promtool >/dev/null; then \
	  promtool check config deploy/prometheus/prometheus.yml && \
	  promtool check rules deploy/prometheus/alerts.yml && \
	  promtool test rules deploy/prometheus/alerts_test.yml; \
	else echo "skipped: promtool (of Prometheus) is not on the PATH"; fi

bench: setup        ## speed, side by side in one run
	$(BIN)/python -m bench

bench-scale: setup  ## the same with logs of up to ten million events: some minutes and 13 GB
	$(BIN)/python -m bench --only scale

bench-rebuild: setup ## what a rebuild of a million events costs those who work meanwhile
	$(BIN)/python -m bench --only rebuild

bench-memory: setup ## what a command costs on tasks that are not in memory
	$(BIN)/python -m bench --only memory

RANGE = --seed $(SEED) $(if $(FROM),--from $(FROM)) $(if $(TO),--to $(TO))

faults: setup       ## every kind of fault under load, round by round: make faults SEED=7 FROM=1 TO=12
	$(BIN)/python -m tests.faults rounds $(RANGE)
	$(BIN)/python -m tests.faults.summary
	$(MAKE) faults-histories
	$(MAKE) faults-contract

faults-histories: setup ## the state machines of tasks, projects, workflows and relations: 2,000 histories of each
	TASKFOLD_HYPOTHESIS_PROFILE=long $(BIN)/pytest -m long --durations=0 tests/domain tests/commands

faults-keys: setup  ## idempotency keys, each retried across cuts: make faults-keys FROM=1 TO=10
	$(BIN)/python -m tests.faults keys $(RANGE)
	$(BIN)/python -m tests.faults.summary

faults-redis: setup ## Redis killed, flushed and silent
	$(BIN)/python -m tests.faults redis --seed $(SEED)
	$(BIN)/python -m tests.faults silence --seed $(SEED)
	$(BIN)/python -m tests.faults.summary

TASKS ?= 100000

faults-import: setup ## a board of 100,000 tasks into an empty workspace, the worker killed meanwhile: SEED=1 TASKS=100000
	$(BIN)/python -m tests.faults.imports --tasks $(TASKS) --kills 6 --seed $(SEED)

CASES ?= 50000

faults-contract: setup ## requests made from /openapi.json in every role, each answer held against it: SEED=1 CASES=50000
	TASKFOLD_CONTRACT_SEED=$(SEED) TASKFOLD_CONTRACT_CASES=$(CASES) $(BIN)/pytest -q -s -m faults tests/contract

faults-revocations: setup ## logins and tokens that end on one API process end on another, without Redis
	$(BIN)/pytest -m faults tests/api/test_revocations.py

faults-exports: setup ## 100,000 tasks exported: how fast, and with how much memory
	$(BIN)/pytest -q -s -m faults tests/api/test_exports_scale.py

faults-random: setup ## the random tests with many more examples, and each kind of fault by itself
	TASKFOLD_FAULT_SEED=$(SEED) TASKFOLD_HYPOTHESIS_PROFILE=long \
	  $(BIN)/pytest -m "faults or long" tests/faults tests/domain tests/commands

lock:               ## pin the dependencies again (needs uv)
	uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet -o requirements/run.txt
	uv pip compile pyproject.toml --extra embedded --extra dev --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet -o requirements/dev.txt

clean:
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage .coverage.*
