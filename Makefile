# Two commands: `make run` starts Kinora here, `make test` runs every offline test. Both set up what is missing.

SHELL := /bin/bash
UV_VERSION := 0.13.8
BIN := .venv/bin
RECIPE_ENV := UV_COMPILE_BYTECODE=1 SAM_CLI_TELEMETRY=0 PATH="$(CURDIR)/$(BIN):$$PATH"
HLS_JS := shared/kinora/api/static/vendor/hls.min.js
DATA ?= kinora-data
SAMPLES ?= tests/media/china.jpg tests/media/bigbuckbunny.mp4

.PHONY: run test setup check test-runtime build bench lock format clean

run: setup
	@$(BIN)/kinora up --data $(DATA) $(addprefix --sample ,$(SAMPLES)) $(ARGS)

test: setup
	@$(RECIPE_ENV) $(BIN)/python -m pytest -q -n 2 --dist loadgroup -m "not runtime and not live" $(ARGS)

setup: .venv/.ready $(HLS_JS)

# The newest of Python 3.13, 3.12 and 3.11 that runs.
.venv/.ready: requirements.lock pyproject.toml requirements/find-python.sh
	@python=$$(bash requirements/find-python.sh) && echo "Setting up .venv with $$python" \
	  && { [ -x $(BIN)/python ] && $(BIN)/python -c '' 2>/dev/null || "$$python" -m venv --clear .venv; } \
	  && $(BIN)/python -m pip install --quiet --disable-pip-version-check "uv==$(UV_VERSION)" \
	  && $(RECIPE_ENV) $(BIN)/uv pip install --quiet --no-deps --require-hashes -r requirements.lock \
	  && $(RECIPE_ENV) $(BIN)/uv pip install --quiet --no-deps --no-build-isolation --editable . \
	  && touch $@

# The page's player comes from npm; without it the page falls back to the browser's own HLS.
$(HLS_JS): package-lock.json | .venv/.ready
	@bash requirements/fetch-player.sh $@

check: setup
	@$(BIN)/ruff check . && $(BIN)/ruff format --check --quiet . && echo "ruff: clean"
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo 2>/dev/null || $(BIN)/lint-imports
	@$(RECIPE_ENV) $(BIN)/python -m pytest -q -p no:cacheprovider tests/template -k "lint or acyclic"
	@$(RECIPE_ENV) $(BIN)/sam validate --lint

build: setup
	@$(RECIPE_ENV) $(BIN)/sam build

test-runtime: build
	@$(RECIPE_ENV) $(BIN)/python -m pytest -q -m runtime tests/template tests/functions $(ARGS)

bench: setup
	@$(RECIPE_ENV) $(BIN)/python -m benchmarks --write

lock: setup
	@$(RECIPE_ENV) bash requirements/lock.sh

format: setup
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

clean:
	@rm -rf .venv .aws-sam node_modules shared/kinora/api/static/vendor
