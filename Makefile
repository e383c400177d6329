# Each target sets up .venv by itself when it is missing. Windows: the README has the same steps in plain commands.
VENV   := .venv
PY     := $(VENV)/bin/python
READY  := $(VENV)/.ready
PYTHON ?=

.PHONY: lab demo slides test bench lock
.DEFAULT_GOAL := demo

lab: $(READY)             ## JupyterLab, opened on chapter 00
	$(PY) -m jupyter lab $(if $(filter 0,$(shell id -u)),--allow-root) --ServerApp.root_dir=. notebooks/00_check_your_setup.ipynb

demo: $(READY)            ## rudimentary REST against the batched deployment: a table and a picture
	$(PY) -m benchmarks.demo

slides: $(READY)          ## builds the talk and serves it on this machine
	$(PY) -m slides.build --serve

test: $(READY)            ## everything: lint, types, units, notebooks
	$(PY) -m pytest

bench: $(READY)           ## side-by-side measurements; each prints a table and writes JSON
	$(PY) -m benchmarks

lock: $(READY)            ## writes requirements.lock anew from requirements.txt
	$(PY) -m pip install --quiet uv
	grep -v '^-e' requirements.txt | $(PY) -m uv pip compile --quiet --universal --python-version 3.11 --no-header --no-annotate --no-emit-index-url - -o requirements.lock

$(READY): requirements.lock pyproject.toml
	@set -e; chosen=; \
	for python in $(PYTHON) python3.12 python3.13 python3.11 python3 python; do \
	  if $$python -c 'import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' >/dev/null 2>&1; \
	  then chosen=$$python; break; fi; \
	done; \
	if [ -z "$$chosen" ]; then \
	  echo "No Python 3.11, 3.12 or 3.13 with the venv module found. Install one, or name it: make PYTHON=/path/to/python3.12"; exit 1; \
	fi; \
	echo "Setting up $(VENV) with $$($$chosen --version); this happens once and takes a few minutes."; \
	test -x $(PY) || $$chosen -m venv $(VENV); \
	$(PY) -m pip install --quiet --disable-pip-version-check -r requirements.lock; \
	$(PY) -m pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@
