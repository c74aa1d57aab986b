# Everyday verbs. `make demo` and `make test` set up all they need, the first time, in .venv.

VENV ?= .venv
# The first Python that edge-fea runs on.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null \
	&& echo $$p && break; done)
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check

.PHONY: help demo test lint unit test-system test-appliance test-runtimes test-train clean

help:
	@echo 'make demo           run the main job on a staged face video; prints the clips'
	@echo 'make test           formatting, types, and all tests that need no server'
	@echo 'make test-system    tests with real parts: file trace, small disk, kill -9 (root, strace)'
	@echo 'make test-appliance the service under a real systemd in a container (root, nspawn)'
	@echo 'make test-runtimes  the pipeline on tflite-runtime (Python 3.11)'
	@echo 'make test-train     a tiny network from data to int8 (installs TensorFlow)'
	@echo 'make clean          remove environments and caches'

$(BIN)/python:
	@test -n '$(PYTHON)' || { echo 'edge-fea needs Python 3.11, 3.12 or 3.13'; exit 1; }
	@echo 'creating the environment $(VENV) with $(PYTHON)'
	$(PYTHON) -m venv $(VENV)

# A stamp for each set of extras: without a change of pyproject.toml nothing is installed again,
# so that everything works offline from the second time on.
$(VENV)/.installed-%: pyproject.toml | $(BIN)/python
	@echo 'installing edge-fea with the extra "$*" into $(VENV)'
	$(PIP) install --quiet --editable '.[$*]'
	@touch $@

demo: $(VENV)/.installed-demo
	@echo 'recording ten minutes of staged video (about a minute of work)'
	$(BIN)/edge-fea --database edge-fea-demo.db demo

test: lint unit

lint: $(VENV)/.installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

unit: $(VENV)/.installed-dev
	$(BIN)/pytest -n 2 -m 'not tensorflow and not system and not appliance' --cov --cov-report=term

test-system: $(VENV)/.installed-dev
	$(BIN)/pytest -m system tests/system

test-appliance: $(VENV)/.installed-dev
	$(BIN)/pytest -m appliance tests/system

# tflite-runtime's last wheels are for Python 3.11 and need numpy 1; ai-edge-litert is taken out,
# so that the environment is what a device with the older runtime has.
test-runtimes: $(VENV)-tflite/.installed
	$(VENV)-tflite/bin/edge-fea model
	$(VENV)-tflite/bin/pytest -m 'not tensorflow and not system' tests/vision tests/test_pipeline.py

$(VENV)-tflite/.installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || \
		{ echo 'tflite-runtime has wheels up to Python 3.11: give PYTHON=python3.11'; exit 1; }
	$(PYTHON) -m venv $(VENV)-tflite
	$(VENV)-tflite/bin/python -m pip install --quiet --editable '.[tflite-runtime,dev]'
	$(VENV)-tflite/bin/python -m pip uninstall --quiet --yes ai-edge-litert
	@touch $@

test-train: $(VENV)-train/.installed
	$(VENV)-train/bin/pytest -n 2 --dist loadfile -m tensorflow tests/models

$(VENV)-train/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)-train
	$(VENV)-train/bin/python -m pip install --quiet --editable '.[train,dev]'
	@touch $@

clean:
	rm -rf $(VENV) $(VENV)-tflite $(VENV)-train .coverage* .pytest_cache .mypy_cache .ruff_cache
