# The front door. `make help` lists what is here.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3.13 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
QBASE := $(BIN)/python -m qbase
UV_VERSION := 0.13.9
UV := $(shell command -v uv 2>/dev/null || echo $(BIN)/uv)
# what is dropped when locking has to be dropped when installing too (findings/uv_override_hashes.sh)
OVERRIDE = --override locks/overrides.txt
# a lock pins every file by hash; the project itself is linked, never copied
INSTALL = $(UV) pip install --quiet --python $(BIN)/python $(OVERRIDE) --require-hashes --requirement
LINK = $(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
LOCKS := $(basename $(notdir $(wildcard locks/*.lock)))
WORKERS ?= 2
FUZZ_SECONDS ?= 60
# such as --seeds DIR, with files to start from
FUZZ_OPTIONS ?=
# where `make lab` opens, and further options of `qbase lab`
WORKSPACE ?= $(CURDIR)
LAB_OPTIONS ?=

.PHONY: help setup report test lab check bench study fuzz findings notebooks locks picture docs clean

help: ## List the commands
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

$(BIN)/python:
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "qbase needs Python 3.11 or newer; found $$("$(PYTHON)" --version)" >&2; exit 4; }
	"$(PYTHON)" -m venv $(VENV)
	@command -v uv >/dev/null 2>&1 || $(BIN)/python -m pip install --quiet --disable-pip-version-check "uv==$(UV_VERSION)"

$(VENV)/run.done: locks/run.lock locks/overrides.txt pyproject.toml | $(BIN)/python
	$(INSTALL) $<
	$(LINK)
	@touch $@

# every other lock is installed in the same way, on top of what every command needs
$(VENV)/%.done: locks/%.lock $(VENV)/run.done
	$(INSTALL) $<
	@touch $@

setup: $(LOCKS:%=$(VENV)/%.done) ## Install every lock side by side, and check that they agree
	$(UV) pip check --python $(BIN)/python

report: $(VENV)/run.done ## Set up, load the demo and a real case, build the gallery and print its path
	$(QBASE) demo --no-run
	$(QBASE) load --case us_scrap_grants
	$(QBASE) run quarterly_brief quality_trends policy_effects us_scrap_grants --jobs $(WORKERS)
	@echo "Gallery: $(CURDIR)/reports/site/index.html"

test: $(VENV)/test.done $(VENV)/lab.done $(VENV)/docs.done check ## Set up, check the code, run all tests, the examples and the letters
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadscope --no-loadscope-reorder tests
	@# side by side: each uses one core
	$(BIN)/python tests/doctests/run_doctests.py & examples=$$!; status=0; \
	  $(BIN)/python tests/notebooks/run_letters.py || status=$$?; wait $$examples || status=$$?; exit $$status

check: $(VENV)/test.done ## Lint, types, and the one-way street
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

notebooks: $(VENV)/test.done ## Run the letters on the demo and store their text outputs
	$(BIN)/python tests/notebooks/run_letters.py --update

lab: $(VENV)/lab.done ## Open JupyterLab in this workspace, with the demo where nothing was loaded yet
	@test -e "$(WORKSPACE)/data/ledger.sqlite" || test -e "$(WORKSPACE)/data/ledger.toml" || $(QBASE) demo --no-run --home "$(WORKSPACE)"
	$(QBASE) lab --home "$(WORKSPACE)" $(LAB_OPTIONS)

bench: $(VENV)/bench.done ## Measure speed as ratios against named peers
	for file in tests/benchmarks/bench_*.py; do $(BIN)/python "$$file"; done

study: $(VENV)/test.done ## Repeat the slow statistical studies stored under docs/studies
	for file in tests/truth/study_*.py; do $(BIN)/python "$$file"; done

fuzz: $(VENV)/fuzz.done ## Search longer for inputs that break a promise
	for format in csv xlsx xls ods fake-xls; do \
	  $(BIN)/python tests/fuzz/fuzz_intake.py $(FUZZ_SECONDS) --format $$format $(FUZZ_OPTIONS); \
	done
	$(BIN)/python -m pytest -n $(WORKERS) tests/property --hypothesis-profile=fuzz

findings: ## Repeat what is written down about surprises in public libraries (needs a package index)
	@for script in findings/*.sh; do echo "== $$script"; bash "$$script"; done

picture: $(VENV)/run.done ## Redraw the picture of the README from a report
	$(BIN)/python docs/make_picture.py

docs: $(VENV)/docs.done ## Build the pages of docs/ into build/docs, to be read offline
	$(BIN)/python docs/build_site.py

locks: | $(BIN)/python ## Resolve the dependencies anew into locks/
	for extra in run test lab bench cases fuzz pdf docs; do \
	  flags="--extra build --extra $$extra"; [ $$extra = run ] && flags="--extra build"; case $$extra in bench|fuzz) flags="--extra build --extra test --extra $$extra";; esac; \
	  constraint="--constraint locks/run.lock"; [ $$extra = run ] && constraint=""; \
	  $(UV) pip compile --quiet --universal --generate-hashes --python-version 3.11 --custom-compile-command "make locks" \
	    $(OVERRIDE) $$constraint $$flags --output-file locks/$$extra.lock pyproject.toml; \
	done

clean: ## Remove what was built (data, reports, environment)
	rm -rf $(VENV) data/raw data/lake data/ledger.sqlite* data/ledger.toml data/closed_series.toml reports/runs reports/site build
