# Everything runs in .venv, made here and nowhere else; `make help` lists the targets.
#   PYTHON=python3.12       the Python that makes .venv (3.11 or later)
#   CONFIG="tiny my.toml"   presets or TOML files for verilog, sim and synth (all presets by default)
#   WORKERS=2               jobs at a time, of the tests and of all long work
#   CLUSTER=tcp://...:8786  a Dask scheduler, whose workers do the long work instead (docs/guide/cluster.md)
#   SEED=0 RUNS="..."       seed, and training runs, of distill

PYTHON  ?= python3
VENV    ?= .venv
CONFIG  ?= $(basename $(notdir $(wildcard rtl/presets/*.toml)))
WORKERS ?= 2
SEED    ?= 0
RUNS    ?= fashion_mnist_teacher fashion_mnist reviews_teacher reviews novels_teacher novels
BUILD   := build
BIN     := $(VENV)/bin
export PYTHONDONTWRITEBYTECODE =# where it is set, each of many short programs would compile every module again
POOL     = --workers $(WORKERS) $(if $(CLUSTER),--cluster $(CLUSTER))

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test lint verilog sim synth bench regression fuzz protocol mutants coverage mutation prove areas compare sweep distill docs tutorials clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# --- environment: one stamp a set of packages, renewed when pyproject.toml changes -----------------------------------

$(BIN)/python:
	@command -v "$(PYTHON)" > /dev/null || { \
	  echo "Error: no '$(PYTHON)' found; install Python 3.11 or later, or name one: make PYTHON=python3.12" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.version_info >= (3, 11) or sys.exit( \
	  "Error: Python 3.11 or later is needed, $(PYTHON) is %d.%d; name another: make PYTHON=python3.12" % sys.version_info[:2])'
	@echo "Making $(VENV)"
	@"$(PYTHON)" -m venv $(VENV) || { rm -f $@; \
	  echo "Error: '$(PYTHON) -m venv' failed; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }

define install
	@echo "Installing into $(VENV): $(1)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '$(1)'
	@touch $@
endef

$(VENV)/base.stamp: pyproject.toml | $(BIN)/python
	$(call install,.)

$(VENV)/test.stamp: pyproject.toml $(VENV)/base.stamp
	$(call install,.[test])

$(VENV)/distill.stamp: pyproject.toml $(VENV)/base.stamp
	$(call install,.[distill])

$(VENV)/docs.stamp: pyproject.toml $(VENV)/base.stamp
	$(call install,.[docs])

$(VENV)/lint.stamp: pyproject.toml $(VENV)/test.stamp
	$(call install,.[lint])

$(VENV)/cluster.stamp: pyproject.toml $(VENV)/base.stamp
	$(call install,.[cluster])

regression fuzz mutants prove coverage mutation areas compare sweep distill: $(if $(CLUSTER),$(VENV)/cluster.stamp)

# --- what users come for ---------------------------------------------------------------------------------------------

demo: DIR := $(BUILD)/demo
demo: $(VENV)/base.stamp ## Verilog of a MiniLM head, its regression on the model's own Q, K and V, its area by block
	@echo; echo "1/4  Verilog and manifest of the engine, from the preset minilm: $(DIR)/minilm.v, minilm.json"
	$(BIN)/hamming generate minilm -o $(DIR)
	@echo; echo "2/4  Queries, keys and values of two layers of all-MiniLM-L6-v2 on a paragraph: $(DIR)/vectors.npz"
	$(BIN)/hamming sample-vectors -o $(DIR)/vectors.npz
	@echo; echo "3/4  These through the Verilog, in Verilator, held against the golden model: $(DIR)/outputs.npz"
	$(BIN)/hamming simulate minilm --vectors $(DIR)/vectors.npz --output $(DIR)/outputs.npz
	@echo; echo "4/4  Area by block in NanGate 45 nm: $(DIR)/area.json"
	$(BIN)/hamming synthesize minilm --json $(DIR)/area.json
	@echo; echo "Done. Next: $(BIN)/hamming --help, README.md, docs/guide.md"

verilog: $(VENV)/base.stamp ## Verilog and manifest of each CONFIG, in build/verilog
	@for config in $(CONFIG); do $(BIN)/hamming generate "$$config" -o $(BUILD)/verilog || exit 1; done

sim: $(VENV)/base.stamp ## random regression of each CONFIG against the golden model
	@for config in $(CONFIG); do $(BIN)/hamming simulate "$$config" || exit 1; done

synth: $(VENV)/base.stamp ## area by block of each CONFIG, as tables and as JSON in build/synth
	@for config in $(CONFIG); do \
	  $(BIN)/hamming synthesize "$$config" --json "$(BUILD)/synth/$$(basename "$$config" .toml).json" || exit 1; done

# --- what shows that it holds ----------------------------------------------------------------------------------------

test: $(VENV)/test.stamp ## the tests
	@$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist worksteal

lint: $(VENV)/lint.stamp ## style, types, and the direction of imports
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/pyright --pythonpath $(BIN)/python
	@$(BIN)/lint-imports --no-cache > $(VENV)/imports.log || { cat $(VENV)/imports.log; exit 1; }

regression: $(VENV)/base.stamp ## 100,000 random queries through 40 random engines
	@$(BIN)/python -m hamming.sim.regression --queries 100000 --configurations 40 --seed 0 $(POOL) \
	  --output $(BUILD)/regression.json

fuzz: $(VENV)/base.stamp ## anything on every port of 20 random engines, a million cycles each
	@$(BIN)/python -m hamming.sim.fuzz --cycles 1000000 --configurations 20 --seed 0 $(POOL) \
	  --output $(BUILD)/fuzz.json

protocol: $(VENV)/test.stamp ## 1,000,000 transfers of engines behind AXI, every port watched
	@$(BIN)/python -m hamming.sim.protocol --transfers 1000000 --output $(BUILD)/protocol.json

mutants: $(VENV)/test.stamp ## break the hardware in known ways; each time a test must fail
	@$(BIN)/python -m tests.mutants $(POOL)

prove: $(VENV)/base.stamp ## proofs of the components, for all inputs and stalls, at small sizes: docs/proofs.md
	@$(BIN)/python -m hamming.formal $(POOL) --json $(BUILD)/proofs.json

coverage: $(VENV)/base.stamp ## which points of five small engines' Verilog a regression meets; build/coverage.json
	@$(BIN)/python -m hamming.audit.coverage $(POOL) --output $(BUILD)/coverage.json
	@$(BIN)/python -m hamming.audit.assumptions

mutation: $(VENV)/base.stamp ## 200 random mutants of each component: found, proved to be none, or alive; build/mutation.json
	@$(BIN)/python -m hamming.audit.mutation $(POOL) --output $(BUILD)/mutation.json

bench: $(VENV)/test.stamp ## emission time and lines, speed of the golden model, areas against published ones, linters
	@$(BIN)/python -m hamming.rtl.bench
	@$(BIN)/python -m hamming.golden.bench
	@$(BIN)/python -m hamming.synth.studies.references
	@$(BIN)/python -m hamming.audit.lint

areas: $(VENV)/base.stamp ## areas of all presets again: what moved, and a new synth/studies/areas.csv
	@$(BIN)/python -m hamming.synth.studies.areas $(POOL)

compare: $(VENV)/base.stamp ## bert, a variant of 256 keys and flagship beside standard attention: build/compare/*.json, *.html
	@$(BIN)/python -m hamming.synth.studies.comparisons $(POOL) -o $(BUILD)/compare

sweep: $(VENV)/base.stamp ## how area, clock, cycles and energy grow: what synth/studies/sweep.json does not have yet
	@$(BIN)/python -m hamming.synth.studies.sweep $(POOL)

distill: $(VENV)/distill.stamp ## teachers and students of three tasks, SEED=0: hours; broken off, it goes on: build/runs
	@$(BIN)/hamming distill $(RUNS) --set seed=$(SEED) -o $(BUILD)/runs $(POOL)

docs: $(VENV)/docs.stamp ## README.md, docs/ and the presets' datasheets as a site, links checked: build/site/index.html
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict
	@echo "$(BUILD)/site/index.html"

tutorials: $(VENV)/test.stamp ## run the tutorials' scripts again, and write what they print: docs/tutorials/*.md
	@$(BIN)/python docs/tutorials/run.py

clean: ## remove what was built; .venv stays
	@rm -rf $(BUILD) .pytest_cache .ruff_cache *.egg-info
	@find golden rtl sim synth formal audit distill hamming tests -name __pycache__ -prune -exec rm -rf {} +
