# make run [PHOTOS=DIR]   install into .venv and start on DIR, or on a demo library where there is none
# make test               all checks: ruff, mypy, import contracts, pytest
# make lint               the first three of them
# make dist               sdist and wheel in dist/, checked
# make audit              look the pinned versions up in the databases of known holes (needs the network)
# make clean              remove what was built; photos, votes and settings stay

VENV   := .venv
BIN    := $(VENV)/bin
PHOTOS ?=
# the first Python that is new enough; `make PYTHON=/path/to/python ...` takes another
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
PIP    := $(BIN)/python -m pip --disable-pip-version-check -qq --no-input

.PHONY: run test lint audit dist clean tools
.DEFAULT_GOAL := run

run: $(VENV)/installed
	@$(BIN)/precious-daemon run $(if $(PHOTOS),"$$PHOTOS",--demo)

test: $(VENV)/installed-dev tools lint
	@$(BIN)/python -m pytest

lint: $(VENV)/installed-dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

dist: $(VENV)/installed-dev
	@$(PIP) install -c constraints.txt -e '.[dist]'
	@$(BIN)/python docs/make_man.py
	@$(BIN)/check-manifest -q
	@rm -rf dist
	@$(BIN)/python -m build -q
	@$(BIN)/twine check --strict dist/*

# Without the network, tests/test_dependencies.py holds the pins to the list in precious_daemon/machine/holes.py.
audit: $(BIN)/python
	@$(PIP) install pip-audit
	@$(BIN)/pip-audit --strict --no-deps --disable-pip --progress-spinner off -r constraints.txt || \
		{ echo "Either one of these has a known hole, or the databases could not be asked; the lines above say which." >&2; exit 1; }

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "precious-daemon needs Python 3.11 or newer: install it, or say where it is with make PYTHON=/path/to/python" >&2; exit 1; }
	@echo "Making a virtual environment in $(VENV) with $(PYTHON)"
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "Python's venv module does not work here. On Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }

# Torch comes first and by its pinned version, so that pip takes the build at hand and not the newest one it knows of.
$(VENV)/installed: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing precious-daemon and what it needs: a few minutes the first time"
	@$(PIP) install -c constraints.txt torch
	@$(PIP) install -c constraints.txt -e .
	@touch $@

$(VENV)/installed-dev: $(VENV)/installed
	@echo "Installing the tools for the tests"
	@$(PIP) install -c constraints.txt -e '.[dev]'
	@touch $@

# Programs that the tests drive and pip cannot install, each with its package.
TOOLS := chromium:chromium strace:strace exiftool:libimage-exiftool-perl exiv2:exiv2 shellcheck:shellcheck \
	dbus-daemon:dbus-daemon gdbus:libglib2.0-bin groff:groff-base
tools:
	@missing=""; for tool in $(TOOLS); do command -v $${tool%:*} >/dev/null || missing="$$missing $${tool#*:}"; done; \
	if [ -n "$$missing" ]; then \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
			echo "Installing$$missing"; \
			{ apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $$missing; } >/dev/null; \
		else \
			echo "The tests need$$missing: install it first (Debian and Ubuntu: sudo apt-get install$$missing)." >&2; exit 1; \
		fi; \
	fi
	@if ! command -v linux.uml >/dev/null && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "Installing user-mode-linux, for the tests on FAT"; \
		apt-get install -y -qq --no-install-recommends user-mode-linux >/dev/null 2>&1 || echo "There is none here: they are skipped"; \
	fi
