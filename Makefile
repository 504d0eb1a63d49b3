# Every task of this repository. `make` alone lists them.

PYTHON ?= python3
PORT ?= 8080
HOST ?= 127.0.0.1
DATA ?= ./data
DEMO ?= 1
WORKERS ?= 2
SEED ?= 1
REPORT ?= torture-report.md
KAFKA_PORT ?= 9092
KAFKA_DATA ?= .kafka
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: audit sbom help setup run test test-full torture planted-bugs lint format arch cov check bench kafka-up kafka-down up down

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

setup: .venv/.runtime ## make .venv with the locked dependencies and the journeyline command

.venv/.runtime: requirements.lock pyproject.toml deploy/environment.py
	@$(PYTHON) deploy/environment.py requirements.lock
	@touch $@

.venv/.dev: .venv/.runtime requirements-dev.lock
	@$(PYTHON) deploy/environment.py requirements-dev.lock
	@touch $@

run: setup ## start the whole product on one port (PORT=8080 HOST=127.0.0.1 DATA=./data DEMO=1)
	@exec $(BIN)/journeyline up --host $(HOST) --port $(PORT) --data $(DATA) $(if $(filter 0,$(DEMO)),--no-demo,--demo)

test: .venv/.dev ## all tests, in parallel; what is skipped says why
	@HYPOTHESIS_PROFILE=$${HYPOTHESIS_PROFILE:-ci} $(BIN)/pytest -n $(WORKERS) --dist worksteal

test-full: .venv/.dev ## the long versions: thousands of examples, long fault runs
	@HYPOTHESIS_PROFILE=full LONG_RUNS=1 $(BIN)/pytest -n $(WORKERS) --dist worksteal --timeout 3600

torture: .venv/.dev ## kill, freeze and cut off everything for minutes; report in REPORT=torture-report.md (SEED=1)
	@$(BIN)/python -m tests.torture --seed $(SEED) --report $(REPORT)

planted-bugs: .venv/.dev ## plant ten bugs in copies of the tree; each must be caught within 90 s
	@$(BIN)/python -m tests.planted

format: .venv/.dev ## put every file into one format
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

lint: .venv/.dev ## static checks: format, ruff, mypy
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy

arch: .venv/.dev ## the import contracts
	@$(BIN)/lint-imports

cov: .venv/.dev ## tests with branch coverage
	@HYPOTHESIS_PROFILE=ci $(BIN)/pytest -n $(WORKERS) --dist worksteal --cov --cov-report=term-missing:skip-covered

check: lint arch test ## everything CI runs

kafka-up: ## start Apache Kafka in the background, from Maven's jars (KAFKA_PORT=9092)
	@$(PYTHON) -m deploy.kafka.local up --data $(KAFKA_DATA) --port $(KAFKA_PORT)

kafka-down: ## stop it; its data stays in .kafka
	@$(PYTHON) -m deploy.kafka.local down --data $(KAFKA_DATA)

up: ## docker compose: Kafka, PostgreSQL, ingest, classifier, api
	@$(PYTHON) deploy/compose_secrets.py .env
	@docker compose up --build --detach --wait

down: ## stop them; their data stays in volumes
	@docker compose down

TOOLS := .tools/bin

$(TOOLS)/pip-audit $(TOOLS)/cyclonedx-py:
	@$(PYTHON) -m venv .tools
	@$(TOOLS)/pip install --quiet pip-audit==2.10.1 cyclonedx-bom==7.5.0

audit: $(TOOLS)/pip-audit ## known vulnerabilities of the locked dependencies (asks a vulnerability service; fails if that does not know one)
	@$(TOOLS)/pip-audit --requirement requirements.lock --disable-pip --strict

sbom: $(TOOLS)/cyclonedx-py ## the software bill of materials of what runs, CycloneDX, in sbom.json
	@$(TOOLS)/cyclonedx-py requirements requirements.lock --of JSON -o sbom.json

bench: .venv/.dev ## the benchmark suite, with a written report in bench-report/
	@$(BIN)/python -m benchmarks
