# Every target sets itself up: `make demo` and `make test` need nothing but Python 3.11 or newer and a C library's EGL.
#   make demo        PARA against ACT on the left and right half of a table; ends with runs/demo/report.html
#   make test        every test that this machine can run
#   make test-fast   the tests that take no more than a moment each; ARGS goes to pytest, as ARGS=tests/geometry
#   make check       lint and format
#   make bench       what the heads cost in time and memory
#   make lerobot     a second environment with LeRobot (Python 3.12), for the tests that read our datasets with it
#   make libero      another environment, with LIBERO (older MuJoCo), in which its world runs, and that world's tests
#   make test-libero-slow    that world's long tests: the expert on the whole grid and in every official state, all tasks
#   make clean       drop all environments and the caches; runs/ stays

PYTHON ?= python3
# Processes of the test-suite. Each computes on one thread.
JOBS ?= $(shell n=$$(nproc 2>/dev/null || echo 2); if [ $$n -gt 4 ]; then echo 4; else echo $$n; fi)
ARGS ?=
# LeRobot 0.6 needs Python 3.12 or newer: a path or a command; empty: do without.
LEROBOT_PYTHON ?= $(shell sh .ci/find_python312)

VENV := .venv
READY := $(VENV)/.ready
LEROBOT_VENV := .venv-lerobot
LEROBOT_READY := $(LEROBOT_VENV)/.ready
LIBERO_VENV := .venv-libero
LIBERO_READY := $(LIBERO_VENV)/.ready
# Errors only; bytecode is compiled when a module is first imported, which most never are.
PIP_FLAGS := -qq --no-compile --disable-pip-version-check
ifeq ($(shell uname -s),Linux)
export MUJOCO_GL ?= egl
endif
# Waiting threads sleep: with more processes than cores, spinning ones take the time of those that work.
export OMP_WAIT_POLICY ?= PASSIVE

TEST := OMP_NUM_THREADS=1 PARA_LEROBOT_PYTHON=$(wildcard $(LEROBOT_VENV)/bin/python) $(VENV)/bin/python -m pytest

.PHONY: demo test test-fast check bench setup lerobot lerobot-if-possible libero test-libero test-libero-slow clean

demo: $(READY)
	$(VENV)/bin/para experiment left_to_right --scale small --policies para act --out runs/demo
	@echo "Open runs/demo/report.html in a browser."

test: $(READY) lerobot-if-possible
	$(MAKE) --no-print-directory run-tests

# A make of its own, so that it sees the environment that `lerobot-if-possible` has just made.
.PHONY: run-tests
run-tests:
	$(TEST) -n $(JOBS) --dist loadfile --durations 10 $(ARGS)

test-fast: $(READY)
	$(TEST) -n $(JOBS) --dist loadfile -m "not slow and not lerobot and not libero and not download and not gpu and not hardware" $(ARGS)

check: $(READY)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .

bench: $(READY)
	$(VENV)/bin/python -m benchmarks.head_cost

setup: $(READY)

# Made again only when the packages that it must hold have changed.
$(READY): pyproject.toml constraints.txt
	@$(PYTHON) .ci/check_machine.py
	@echo "setting up $(VENV): 1.6 GB on the disk, one to three minutes"
	@$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install $(PIP_FLAGS) -c constraints.txt -e '.[dev]'
	@touch $@

lerobot: $(LEROBOT_READY)

$(LEROBOT_READY): requirements-lerobot.txt
	@test -n "$(LEROBOT_PYTHON)" || { echo "LeRobot needs Python 3.12 or newer and none was found; name one: make lerobot LEROBOT_PYTHON=/path/to/python3.12"; exit 2; }
	@echo "setting up $(LEROBOT_VENV): 5 GB on the disk, two to five minutes"
	@$(LEROBOT_PYTHON) -m venv $(LEROBOT_VENV)
	$(LEROBOT_VENV)/bin/python -m pip install $(PIP_FLAGS) -r requirements-lerobot.txt
	@touch $@

libero: test-libero
	@echo "for example: $(LIBERO_VENV)/bin/para experiment left_to_right --world libero --scale small"

# With generated assets, whatever the machine has: the same pictures everywhere. What is missing is an error here, and no
# reason to skip.
test-libero: $(LIBERO_READY)
	PARA_REQUIRE_LIBERO=1 OMP_NUM_THREADS=1 PARA_LIBERO_ASSETS=generated $(LIBERO_VENV)/bin/python -m pytest -q -n $(JOBS) --dist loadfile \
	  -m "libero and not slow" tests/worlds tests/evaluation/test_failures.py tests/experiments/test_libero_scenes.py tests/experiments/test_libero_run.py
	PARA_REQUIRE_LIBERO=1 OMP_NUM_THREADS=1 PARA_LIBERO_ASSETS=generated $(LIBERO_VENV)/bin/python -m pytest -q tests/test_contracts_worlds.py -k "libero"

# Minutes of work, and so in neither `make test` nor `make libero`. With generated assets; where PARA_LIBERO_ASSETS names a
# folder of LIBERO's own, these are tried too.
test-libero-slow: $(LIBERO_READY)
	PARA_REQUIRE_LIBERO=1 OMP_NUM_THREADS=1 $(LIBERO_VENV)/bin/python -m pytest -q -n $(JOBS) --dist worksteal --durations 10 \
	  -m "libero and slow" tests/worlds $(ARGS)

$(LIBERO_READY): requirements-libero.txt requirements-libero-bare.txt pyproject.toml
	@$(PYTHON) .ci/check_machine.py
	@echo "setting up $(LIBERO_VENV): 2.7 GB on the disk, one to three minutes"
	@$(PYTHON) -m venv $(LIBERO_VENV)
	$(LIBERO_VENV)/bin/python -m pip install $(PIP_FLAGS) -r requirements-libero.txt
	$(LIBERO_VENV)/bin/python -m pip install $(PIP_FLAGS) --no-deps -r requirements-libero-bare.txt -e .
	@touch $@

lerobot-if-possible:
	@if [ -n "$(LEROBOT_PYTHON)" ]; then $(MAKE) --no-print-directory lerobot; \
	else echo "no Python 3.12 found: the tests against LeRobot itself will be skipped (LEROBOT_PYTHON names one)"; fi

clean:
	rm -rf $(VENV) $(LEROBOT_VENV) $(LIBERO_VENV) build dist src/*.egg-info .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
