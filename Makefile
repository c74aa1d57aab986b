# Everyday verbs. `make demo` and `make test` set up all they need, the first time, in .venv.

VENV ?= .venv
# The first Python that edge-fea runs on.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null \
	&& echo $$p && break; done)
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check

.PHONY: help demo test lint unit test-system test-vfat test-appliance test-runtimes test-train \
	test-camera soak-camera test-arm64 bundle deb lock clean

help:
	@echo 'make demo           run the main job on a staged face video; prints the clips'
	@echo 'make test           formatting, types, and all tests that need no server'
	@echo 'make test-system    tests with real parts: file trace, small disk, kill -9 (root, strace)'
	@echo 'make test-vfat      USB sticks with vfat, under Debian'"'"'s kernel (root, qemu, 10 to 20 minutes)'
	@echo 'make test-appliance the service under a real systemd in a container (root, nspawn)'
	@echo 'make test-camera    picamera2 on a virtual camera: buffers, stall, restart (root, nspawn)'
	@echo 'make soak-camera    hours of it, as a table of memory and open files (HOURS=2)'
	@echo 'make test-arm64     install, upgrade, remove on emulated arm64 (root, half an hour)'
	@echo 'make test-runtimes  the pipeline on tflite-runtime (Python 3.11)'
	@echo 'make test-train     a tiny network from data to int8 (installs TensorFlow)'
	@echo 'make bundle         all that a device needs, in one file (ARCH=amd64: for a PC)'
	@echo 'make deb            the same as a Debian package'
	@echo 'make lock           which packages a device gets, anew: deploy/requirements'
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
	$(BIN)/pytest -n 2 -m 'not tensorflow and not system and not appliance and not arm64 and not camera' --cov --cov-report=term

test-system: $(VENV)/.installed-dev
	$(BIN)/pytest -m system tests/system

# In an emulated machine with Debian's own kernel, where this one has no vfat: a few seconds of work
# take minutes. The kernel is kept in the folder.
test-vfat: $(VENV)/.installed-dev
	tests/system/debian_kernel.sh $(VENV)-kernel bash -c 'grep -qw vfat /proc/filesystems && \
	  $(BIN)/python -m pytest -p no:cacheprovider -o timeout=2400 -m vfat tests/system'

test-appliance: $(VENV)/.installed-dev
	$(BIN)/pytest -m appliance tests/system

# Debian's releases in arm64, with every instruction emulated.
test-arm64: $(VENV)/.installed-dev
	$(BIN)/pytest -s -m arm64 tests/system

# Debian 13 with libcamera is fetched the first time, which takes some minutes.
test-camera: $(VENV)/.installed-dev
	$(BIN)/pytest -m camera tests/system

HOURS ?= 2
soak-camera: $(VENV)/.installed-dev
	$(BIN)/python -m tests.system.soak_camera --hours $(HOURS)

ARCH ?= arm64
bundle:
	deploy/make-bundle.sh --arch $(ARCH) $(if $(DEBS),--debs $(DEBS))

deb:
	deploy/make-deb.sh --arch $(ARCH)

lock: $(VENV)-lock/bin/uv
	deploy/lock.sh $<

$(VENV)-lock/bin/uv:
	$(PYTHON) -m venv $(VENV)-lock
	$(VENV)-lock/bin/python -m pip install --quiet 'uv>=0.9'

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
	rm -rf $(VENV) $(VENV)-tflite $(VENV)-train $(VENV)-lock dist .coverage* .pytest_cache .mypy_cache .ruff_cache
