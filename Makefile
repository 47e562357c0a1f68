# One word a target; `make help` lists them. GNU make 4.
PYTHON ?= python3
# A package index with the CPU build of torch, if your own would give you the CUDA build (see the README).
TORCH_INDEX ?=

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help install demo test quick lint types arch check bench bench-walk bench-throughput gauntlet reference-walker golden docs wheel clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{printf "%-24s %s\n", $$1, $$2}'

install: $(STAMP) ## the virtual environment in .venv, with everything that the tests need

# The stamp is newer than pyproject.toml once everything in it is installed.
$(STAMP): pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) "torch>=2.13,<2.14"
	$(BIN)/python -m pip install --disable-pip-version-check -e ".[test,video,plots]"
	touch $@

demo: install ## a small campaign from start to WAKE_UP.md, in this folder
	$(BIN)/vbotd demo

test: install ## all tests, in two processes
	$(BIN)/python -m pytest -n 2 --dist loadfile

quick: install ## the tests that take less than ten seconds each
	$(BIN)/python -m pytest -m "not slow"

check: lint types arch ## style, types, layers

lint: install ## ruff
	$(BIN)/ruff check .

types: install ## mypy
	$(BIN)/mypy

arch: install ## who may import whom
	$(BIN)/lint-imports --no-cache

bench: install ## every benchmark, one JSON line each
	$(BIN)/vbotd bench --all

bench-walk: install ## how long until the robot walks
	$(BIN)/vbotd bench walk

gauntlet: install ## everything that can go wrong made to go wrong, ~15 minutes; keeps the scoreboard
	$(BIN)/python -m tests.gauntlet --save

bench-throughput: install ## env steps a second against the bound of its parts; keeps the result
	$(BIN)/vbotd bench throughput --save

PEERS := .venv-peers
PEERS_STAMP := $(PEERS)/.installed

# An environment of their own: what they need is none of ours.
$(PEERS_STAMP): pyproject.toml
	test -x $(PEERS)/bin/python || $(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python -m pip install --disable-pip-version-check $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) "torch>=2.13,<2.14"
	$(PEERS)/bin/python -m pip install --disable-pip-version-check -e . "stable-baselines3>=2.9,<2.10" "rsl-rl-lib>=5.5,<5.6"
	touch $@

bench-peers: install $(PEERS_STAMP) ## against Stable-Baselines3 and rsl_rl; installs them into .venv-peers, keeps the result
	$(BIN)/vbotd bench peers --save

bench-slots: install ## one run with all threads against one a core; keeps the result
	$(BIN)/vbotd bench slots --save

reference-walker: install ## train another walker for the audit, ten minutes; it replaces the shipped one if it is no worse (FORCE=1: anyway)
	OMP_NUM_THREADS=1 $(BIN)/python -m vbotd.train.rebuild_walker $(if $(FORCE),--force)

golden: install ## write the golden files of the tests anew; read the diff before you commit it
	VBOTD_REWRITE_GOLDEN=1 $(BIN)/python -m pytest tests/core tests/cli/test_tasks.py tests/agent/test_looking.py

docs: install ## generate the parts of the documentation that come from the code
	$(BIN)/python -m vbotd.core.campaign_docs
	VBOTD_PLUGINS=core $(BIN)/vbotd --home $(VENV) tasks --markdown > docs/.TASKS.md.tmp && mv docs/.TASKS.md.tmp docs/TASKS.md
	$(BIN)/python -m vbotd.cli.verb_table README.md

wheel: install ## build the wheel into dist/
	$(BIN)/python -m pip wheel --disable-pip-version-check --no-deps --wheel-dir dist .

clean: ## what can be made again; never state/ or runs/
	rm -rf build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -path ./$(VENV) -prune -o -name __pycache__ -type d -exec rm -rf {} +
