# Run `make` for the list of what can be asked for.
SHELL := /bin/sh
BIN := .venv/bin
BENCHES ?=
ARGS ?=
# Jupyter refuses to run as root unless it is told that this is meant.
LAB_OPTIONS ?= $(if $(filter 0,$(shell id -u)),--allow-root)

.DEFAULT_GOAL := help
.PHONY: help setup run lab test lint image rig-up rig-down check-executors check-worker check-browser dev-setup dev-start dev-logs dev-stop bench clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' Makefile

setup: ## Install everything a developer needs into .venv
	@scripts/setup run
	@scripts/setup lab
	@scripts/setup test
	@scripts/setup bench

run: ## Execute notebooks/quickstart.ipynb through the relay, showing its output
	@scripts/setup run
	@$(BIN)/python notebooks/run.py notebooks/quickstart.ipynb

lab: ## Open the notebooks in JupyterLab
	@scripts/setup lab
	@cd notebooks && ../$(BIN)/jupyter lab $(LAB_OPTIONS) quickstart.ipynb

test: ## Lint, then every test, and the notebooks with their output compared
	@scripts/setup test
	@scripts/test

lint: ## ruff, mypy, the walls between the rooms, the house rules
	@scripts/setup test
	@scripts/lint

image: ## Build the images that jobs run in; PYTHON=3.13, SLIM=1, TORCH=1 or BASE=NAME for another one
	@PYTHON= scripts/setup run
	@scripts/engine
	@job-image/build $(if $(PYTHON),--python $(PYTHON)) $(if $(BASE),--base $(BASE)) --slim
	@$(if $(SLIM),,job-image/build $(if $(PYTHON),--python $(PYTHON)) $(if $(BASE),--base $(BASE)) $(if $(TORCH),--torch))

rig-up: ## Bring up a Swarm of containers on this machine, for tests and for trying
	@scripts/setup test
	@scripts/engine
	@$(BIN)/python -m tests.rig up

rig-down: ## Remove that Swarm, with all that is in it
	@$(BIN)/python -m tests.rig down

check-executors: ## The quickstart on every executor, from nothing: engine, images and rig are made for it
	@scripts/setup test
	@$(BIN)/python -m tests.acceptance.check_executors

check-worker: ## One line makes a fresh host a worker, from nothing: engine, images, rig, host, a job on half a GPU
	@scripts/setup test
	@$(BIN)/python -m tests.acceptance.check_worker

check-browser: ## A real JupyterLab in a real Chromium, used as its user does; ends with the folder of the screenshots
	@scripts/setup test
	@$(BIN)/python -m tests.browser.check_browser

dev-setup: ## Rent a host for a relay; ARGS="--help" for what can be asked for, here and below
	@scripts/dev-setup $(ARGS)

dev-start: ## Build the relay on the rented host from this working tree, and start it; again after a change
	@scripts/dev-start $(ARGS)

dev-logs: ## Follow what the relay on the rented host writes
	@scripts/dev-logs $(ARGS)

dev-stop: ## Give the rented host back; tells what it has cost, and asks
	@scripts/dev-stop $(ARGS)

bench: ## Measure against the peers; BENCHES="cell log" for some of them
	@scripts/setup test
	@scripts/setup bench
	@$(BIN)/python -m tests.bench $(BENCHES)

clean: ## Remove .venv and every cache
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
