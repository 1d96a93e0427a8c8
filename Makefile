# Everything goes through `make`: setup once, then the commands of .pitlane/venv/bin/pitlane.
.DEFAULT_GOAL := help
.PHONY: help setup demo test flow-check bench up down status compose-env lint coverage lock clean distclean

HOME_FOLDER := $(or $(PITLANE_HOME),.pitlane)
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && command -v $$p && break; done)
PITLANE := $(HOME_FOLDER)/venv/bin/pitlane
# The demo's recording: a .pcap file, or time-trial or race. Empty: a simulated race.
CAPTURE ?=
TESTS ?= tests
# Names of benchmarks (none: all) and their options: make bench BENCH="decoding rigs --quick"
BENCH ?=

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: ## Set up, start everything, send a race (or CAPTURE=FILE.pcap, time-trial, race), show what arrived
	@$(call need_python)
	@$(PYTHON) -m pitlane.stack.bootstrap --ports
	@$(PITLANE) demo $(if $(CAPTURE),"$(CAPTURE)")

test: setup ## Set up, then unit and integration tests on servers of their own (TESTS=tests/unit for a part)
	@$(HOME_FOLDER)/venv/bin/python -m pytest $(TESTS)

flow-check: ## Deploy the NiFi flow into a NiFi and a Kafka of its own, and send every packet through it
	@$(call need_python)
	@$(PYTHON) -m pitlane.stack.bootstrap --only Kafka NiFi
	@$(PITLANE) flow check

bench: setup ## Set up, then measure (BENCH="decoding rigs" for some, BENCH=--quick for a smoke run); more than an hour
	@$(HOME_FOLDER)/venv/bin/python -m benchmarks $(BENCH)

setup: ## Install what is missing into .pitlane
	@$(call need_python)
	@$(PYTHON) -m pitlane.stack.bootstrap

up: setup ## Start everything
	@$(PITLANE) up

down: ## Stop everything
	@test ! -x $(PITLANE) || $(PITLANE) down

status: ## What runs
	@$(PITLANE) status

compose-env: ## Passwords for docker compose, into .env
	@$(call need_python)
	@$(PYTHON) -m pitlane.compose_env

lint: ## Style and types
	@$(HOME_FOLDER)/venv/bin/ruff check .
	@$(HOME_FOLDER)/venv/bin/ruff format --check .
	@$(HOME_FOLDER)/venv/bin/mypy

# The tests that are about the pure modules; what only another test happens to run does not count as tested.
PURE_TESTS = $(addprefix tests/unit/test_,gateway_decide.py gateway_blocks.py gateway_sessions.py spool.py gateway_live.py block_columns.py layouts.py readers.py records.py glossary.py)

coverage: ## Every branch of f1_packets and of what the gateway decides is tested
	@$(HOME_FOLDER)/venv/bin/python -m coverage run --data-file=$(HOME_FOLDER)/coverage -m pytest -q $(PURE_TESTS)
	@$(HOME_FOLDER)/venv/bin/python -m coverage report --data-file=$(HOME_FOLDER)/coverage

COMPILE = UV_CACHE_DIR=$(HOME_FOLDER)/cache/uv $(HOME_FOLDER)/uv/bin/uv pip compile --quiet --universal \
	--python-version 3.11 --generate-hashes --no-emit-index-url --no-header

lock: ## Compile both requirements.lock again
	@$(COMPILE) --extra dev pyproject.toml -o requirements.lock
	@$(COMPILE) superset/requirements.in -o superset/requirements.lock

clean: down ## Stop everything and delete the stack's data; what is installed stays
	@test ! -x $(PITLANE) || $(PITLANE) clean

distclean: clean ## Delete all that was installed as well
	@rm -rf $(HOME_FOLDER)

define need_python
test -n "$(PYTHON)" || { echo "Pitlane needs Python 3.11 or newer, and none was found." \
	"Debian and Ubuntu: apt-get install python3 python3-venv; macOS: brew install python@3.12" >&2; exit 1; }
endef
