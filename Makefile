# make demo    set up, then segment the sample images with the shipped weights into demo-out/
# make test    set up, then run the whole test suite
# make check   lint and types
# make bench   measure time and memory on this machine, into benchmarks/results/ (make bench ARGS=--quick to try it)
# Everything is installed into .venv; delete it to start over.

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --no-input -c constraints.txt

.PHONY: demo test check bench wheel clean

demo: .venv/installed
	$(BIN)/drumhead segment --out demo-out

test: .venv/installed-dev
	$(BIN)/python -m pytest -n auto

check: .venv/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

bench: .venv/installed
	$(BIN)/drumhead bench $(ARGS)

# The wheel, installed into an empty environment, does the main job with the library that was built into it.
wheel: .venv/installed-dev
	rm -rf dist .venv-wheel
	$(BIN)/python -m build --wheel --outdir dist .
	$(PYTHON) -m venv .venv-wheel
	.venv-wheel/bin/python -m pip --disable-pip-version-check install --quiet -c constraints.txt dist/*.whl
	cd dist && ../.venv-wheel/bin/drumhead segment --out segmented && ls segmented/pieces-1-waves.gif
	cd dist && ../.venv-wheel/bin/drumhead doctor | grep "backend native.*built into this installation"
	rm -rf .venv-wheel

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "drumhead needs Python 3.11 or newer: make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv .venv

.venv/installed: .venv/bin/python pyproject.toml constraints.txt
	@echo "installing into .venv (about a minute, torch is large)"
	$(PIP) -e .
	@touch $@

.venv/installed-dev: .venv/installed
	$(PIP) -e ".[dev]"
	@touch $@

clean:
	rm -rf .venv .venv-wheel dist demo-out
