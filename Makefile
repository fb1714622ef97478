# make install | demo | table | test | test-cluster | check | protos | crds | bench | bench-attempts | bench-telemetry | bench-ledger | bench-savings | bench-classifier | bench-money
# Everything runs from .venv, which is made on first use and renewed when pyproject.toml changes.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PINS := --quiet --upgrade --universal --python-version 3.13 --generate-hashes --no-annotate \
  --custom-compile-command "make image-requirements"

.DEFAULT_GOAL := help

help: ## list the targets
	@grep -hE '^[a-z][a-z-]*:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | awk -F'\t' '{printf "  make %-18s %s\n", $$1, $$2}'

$(STAMP): pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Prism needs Python 3.11 or newer: make install PYTHON=python3.12"; exit 1; }
	@echo "Installing Prism into $(VENV) (the first time takes a minute)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[server,postgres,gateway,operator,money]' --group dev
	@touch $@

install: $(STAMP) ## install Prism and its tools into .venv

demo: $(STAMP) ## start Envoy, Prism and simulated providers on 127.0.0.1:8080
	@exec $(BIN)/prism demo $(if $(LISTEN),--listen $(LISTEN))

test: $(STAMP) ## run every test (real Envoy, real gRPC, the real OpenAI client)
	$(BIN)/python -m pytest $(ARGS)

test-cluster: $(STAMP) ## run the tests on a real Kubernetes API server alone (built once with Go)
	PRISM_REQUIRE_CLUSTER=1 $(BIN)/python -m pytest -m cluster $(ARGS)

check: $(STAMP) ## style, types, layers, generated code
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@$(BIN)/python protos/generate.py --check
	@$(BIN)/python -m prism_operator.crds charts/prism/crds --check

protos: $(STAMP) ## regenerate the code of protos/
	@$(BIN)/python protos/generate.py

crds: $(STAMP) ## regenerate the CRDs from the schemas
	@$(BIN)/python -m prism_operator.crds charts/prism/crds

bench: $(STAMP) ## what Prism adds to a request: writes build/bench/bench.json
	$(BIN)/python bench/gateway.py $(ARGS)

bench-money: $(STAMP) ## what routing saves at equal quality: writes build/bench/bench-money.json
	$(BIN)/python bench/money.py $(ARGS)

bench-attempts: $(STAMP) ## what racing, failover and failing providers cost: writes build/bench/bench-attempts.json
	$(BIN)/python bench/attempts.py $(ARGS)

bench-ledger: $(STAMP) ## how long pages take over a million decisions: writes build/bench/bench-ledger.json
	PYTHONPATH=. $(BIN)/python bench/ledger_pages.py $(ARGS)

bench-savings: $(STAMP) ## how long prism savings takes for a million lines: writes build/bench/bench-savings.json
	$(BIN)/python bench/savings.py $(ARGS)

bench-telemetry: $(STAMP) ## what telemetry adds to Prism's own time: writes build/bench/bench-telemetry.json
	$(BIN)/python bench/telemetry.py $(ARGS)

TABLE := examples/models
table: $(STAMP) ## make the shipped table anew of its measurements and prices
	@mkdir -p build
	$(BIN)/prism calibrate --base $(TABLE)/base.yaml --models $(TABLE)/measurements.csv \
	  --settings $(TABLE)/calibration.yaml --prices $(TABLE)/prices.csv $(ARGS) \
	  --out $(TABLE)/table.yaml --origins docs/reference/shipped-table.md --report build/table.html
	cp $(TABLE)/table.yaml charts/prism/tables/default.yaml

TRAINING := build/training
$(TRAINING)/.installed: training/requirements.txt
	@$(PYTHON) -m venv $(TRAINING)
	@$(TRAINING)/bin/python -m pip install --quiet --disable-pip-version-check -r training/requirements.txt
	@touch $@

bench-classifier: $(TRAINING)/.installed ## the classifier next to baselines: writes build/bench/bench-classifier.json
	$(TRAINING)/bin/python training/bench.py $(ARGS)

kind: ## a cluster in Docker with chart, samples and a request (needs docker, kind, kubectl, helm)
	@examples/kubernetes/kind.sh

kind-down: ## take the cluster of "make kind" away
	kind delete cluster --name prism

chart-lint: $(STAMP) ## lint the chart with every set of values, and the Dockerfile
	$(BIN)/python -m pytest -q tests/cluster/test_chart_lint.py tests/unit/test_chart_images.py

chart-docs: $(STAMP) ## renew the table of values in docs/kubernetes.md
	@$(BIN)/python charts/values_table.py --write docs/kubernetes.md

console-pictures: $(STAMP) ## make the pictures of the console in docs/images anew (needs Chromium)
	PYTHONPATH=. $(BIN)/python -m tests.console.picture

image-requirements: ## pin the packages of both images anew (needs uv)
	@uv pip compile pyproject.toml --extra server --extra postgres --output-file images/extproc.txt $(PINS)
	@uv pip compile pyproject.toml --extra operator --output-file images/operator.txt $(PINS)
	@echo 'hatchling>=1.27' | uv pip compile - --output-file images/build.txt $(PINS)

bench-cluster: $(STAMP) ## how soon kubectl apply is live: writes build/bench/bench-cluster.json
	PYTHONPATH=. $(BIN)/python bench/cluster.py $(ARGS)

clean: ## remove what was built
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis

.PHONY: help install demo table test test-cluster check protos crds bench bench-attempts bench-classifier bench-cluster bench-ledger bench-money bench-savings bench-telemetry clean console-pictures kind kind-down chart-lint chart-docs image-requirements
