# The desk's habits. Every target sets itself up; nothing needs to be installed beyond Python 3.11+, git and make.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
ACCOUNTS ?= 2000
MARKET ?=
DAY ?=
export DO_NOT_TRACK := true

.PHONY: help setup demo up day check test bench bless clean

help:  ## Say what can be made.
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 16

setup: $(STAMP)  ## Make the environment from the lock file.

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; assert (3, 11) <= sys.version_info < (3, 14), f"Lombard needs Python 3.11 to 3.13, but {sys.executable} is {sys.version.split()[0]}. Say which with make PYTHON=python3.11."'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@test -x $(BIN)/uv || { echo "Installing uv, the installer …"; $(BIN)/python -m ensurepip >/dev/null 2>&1; $(BIN)/python -m pip install -q --disable-pip-version-check uv; }
	@echo "Installing the locked packages …"
	@VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install -q --python $(BIN)/python --require-hashes --compile-bytecode -r requirements.lock
	@VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install -q --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $@

demo: setup  ## One trading day through the whole chain (ACCOUNTS=2000, MARKET=folder of real prices, DAY=YYYY-MM-DD).
	@$(BIN)/lombard demo --accounts $(ACCOUNTS) $(if $(MARKET),--market "$(MARKET)") $(if $(DAY),--day $(DAY))

up: setup  ## Serve the Dagster and MLflow UIs, sensors running.
	@exec $(BIN)/lombard up

day: setup  ## Print the page of the last published day.
	@$(BIN)/lombard day

check: setup  ## Lint, types, import contracts, SQL style, definitions.
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy --strict domain rulebooks books
	$(BIN)/mypy feeds ml assets checks orchestration serving
	$(BIN)/lint-imports
	$(BIN)/sqlfluff lint -q dbt_project/models dbt_project/tests
	LOMBARD_HOME=build/check $(BIN)/dagster definitions validate -w workspace.yaml

test: setup  ## Every test; services that are missing are skipped with their reason, unless LOMBARD_REQUIRE_SERVICES=1.
	$(BIN)/pytest

bench: setup  ## Measure speed and memory; a table, and build/bench.json.
	@$(BIN)/lombard bench

bless: setup  ## Rewrite the asset graph snapshot; the diff is the review.
	LOMBARD_BLESS=1 $(BIN)/pytest tests/orchestration/test_asset_graph.py

clean:  ## Remove the environment, the desk and what was built.
	rm -rf $(VENV) .desk build dbt_project/target
