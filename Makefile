# speakerd's door for people: sets up what is missing, then runs the demo, the tests or the benchmarks.
# `make` alone lists the targets; docs/development.md and docs/dependencies.md explain them.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# The interpreter that .venv is made from: CPython 3.11 or newer.
PYTHON ?= python3
# The ALSA device of `make demo CARD=default`; without it the demo brings a sound card of its own.
CARD ?=
# More arguments for pytest: `make test ARGS="-k resume -x"`.
ARGS ?=
# `make lock UPGRADE=1` moves every pin to the newest version that pyproject.toml allows.
UPGRADE ?=

# What pip needs to build the packages that PyPI has no wheels of, python3-dev and python3-venv only
# where $(PYTHON) does not bring the same itself.
APT_BUILD := gcc libc6-dev libasound2-dev libsystemd-dev pkgconf
# The stand-in sound card of demo and tests, and the recorded speech.
APT_SOUND := alsa-utils libasound2-plugins pulseaudio
UV_VERSION := 0.13.8
# The oldest Node.js that @google/genai runs on (Debian 12 has 18).
NODE_MAJOR := 18

VENV := .venv
# -I: nothing of the caller's PYTHONPATH or user site gets between pip and .venv.
PIP := PIP_USER=0 $(VENV)/bin/python -I -m pip --disable-pip-version-check --no-input -q
# A stamp carries the interpreter's version: after an upgrade of the system .venv is made again.
STAMP := $(VENV)/stamp-$(shell $(PYTHON) -c 'import sys; print("%s%d.%d" % (sys.implementation.name, *sys.version_info[:2]))' 2>/dev/null)

# $(call quietly,COMMAND): runs COMMAND and shows what it said only when it fails.
quietly = log=$$(mktemp); if ! { $(1); } >"$$log" 2>&1 </dev/null; then cat "$$log" >&2; rm -f "$$log"; exit 1; fi; rm -f "$$log"

# $(call apt_install,SHELL-WORDS): installs those of the Debian packages that are missing, and asks
# for nothing when none is. --no-remove: what a person has installed is never traded in for it.
define apt_install
	if ! command -v apt-get >/dev/null; then
		echo "This is not Debian: make sure that you have what its packages $(1) hold."; exit 0
	fi
	missing=()
	for package in $(1); do
		[ "$$(dpkg-query -W -f '$${db:Status-Status}' "$$package" 2>/dev/null)" = installed ] || missing+=("$$package")
	done
	[ $${#missing[@]} -gt 0 ] || exit 0
	as_root=()
	if [ "$$(id -u)" != 0 ]; then
		command -v sudo >/dev/null || { echo "Missing Debian packages, and neither root nor sudo to install them. As root: apt-get install $${missing[*]}" >&2; exit 1; }
		as_root=(sudo)
	fi
	as_root+=(env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300)
	echo "Installing Debian packages: $${missing[*]}"
	$(call quietly,"$${as_root[@]}" update && "$${as_root[@]}" install -y --no-install-recommends --no-remove "$${missing[@]}")
endef

# $(call locked,SECTION): the pins of one section of requirements.lock, for pip on standard input.
locked = sed -n '/^\# == $(1)/,/^\# == /p' requirements.lock

.PHONY: help demo test test-js bench lint lock clean packages node
.ONESHELL:

help: ## List the targets
	@sed -nE 's/^([a-z-]+):.*## (.*)/\1\t\2/p' Makefile | while IFS=$$'\t' read -r target text; do
		printf '  make %-8s %s\n' "$$target" "$$text"
	done

demo: $(STAMP)-installed ## Hold the button, speak, hear the answer (CARD=default: your own microphone and speaker)
	@$(VENV)/bin/speakerd demo $(if $(CARD),--card '$(CARD)')

test: lint ## Lint, then the whole test suite (ARGS="-k name" for a part)
	@$(VENV)/bin/python -m pytest $(ARGS)

test-js: $(STAMP)-installed $(STAMP)-js ## The simulator, tried with the JavaScript SDK
	@$(VENV)/bin/python tests/js/run.py

bench: $(STAMP)-dev ## Measure the latencies and the cost of a turn
	@$(VENV)/bin/python -m tests.bench

lint: $(STAMP)-dev ## ruff and mypy
	@$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/mypy

packages:
	@export LC_ALL=C
	command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) not found: install Python 3.11 or newer" >&2; exit 1; }
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "speakerd needs Python 3.11 or newer, and $(PYTHON) is $$($(PYTHON) -V)" >&2; exit 1; }
	more=()
	[ -e "$$($(PYTHON) -c 'import sysconfig; print(sysconfig.get_path("include"))')/Python.h" ] || more+=(python3-dev)
	$(PYTHON) -c 'import ensurepip' 2>/dev/null || more+=(python3-venv)
	# 32-bit Raspberry Pi OS has to build cffi, which wants libffi.
	[ "$$(dpkg --print-architecture 2>/dev/null)" != armhf ] || more+=(libffi-dev)
	$(call apt_install,$(APT_BUILD) $(APT_SOUND) "$${more[@]}")

node: | packages
	@export LC_ALL=C
	suits() { command -v npm >/dev/null && node -e 'process.exit(parseInt(process.versions.node) < $(NODE_MAJOR))' 2>/dev/null; }
	suits || ( $(call apt_install,nodejs npm) )
	suits || { echo "test-js needs npm and Node.js $(NODE_MAJOR) or newer, and the node on PATH is $$(node -v 2>&1)" >&2; exit 1; }

# pip first, so that every machine installs with the same one; then what the sdists are built with,
# because --no-build-isolation lets nothing unpinned in.
$(STAMP)-runtime: requirements.lock | packages
	@export LC_ALL=C.UTF-8
	echo "Making $(VENV) with $$($(PYTHON) -V) and the versions of requirements.lock"
	$(call quietly,$(PYTHON) -m venv --clear $(VENV))
	$(call quietly,$(PIP) install --require-hashes -r <($(call locked,build)))
	$(call quietly,$(PIP) install --require-hashes --no-build-isolation -r <($(call locked,runtime)))
	touch '$@'

$(STAMP)-installed: $(STAMP)-runtime pyproject.toml
	@export LC_ALL=C.UTF-8
	echo "Installing speakerd itself in $(VENV), editable"
	$(call quietly,$(PIP) install --no-index --no-deps --no-build-isolation -e .)
	touch '$@'

$(STAMP)-dev: $(STAMP)-installed requirements.lock
	@export LC_ALL=C.UTF-8
	echo "Installing the development tools in $(VENV)"
	$(call quietly,$(PIP) install --require-hashes --no-build-isolation -r <($(call locked,development)))
	touch '$@'

$(STAMP)-js: tests/js/package.json tests/js/package-lock.json $(STAMP)-runtime | node
	@echo "Installing the JavaScript packages in tests/js"
	$(call quietly,npm ci --prefix tests/js --ignore-scripts --no-audit --no-fund)
	touch '$@'

# One section each for what pip builds with, what speakerd runs on and what only developers need, so
# that `make install` can take the first two. Pins that still fit stay, unless UPGRADE=1.
lock: ## Renew requirements.lock from pyproject.toml (UPGRADE=1: with the newest versions)
	@tmp=$$(mktemp -d); trap 'rm -rf "$$tmp"' EXIT
	$(PYTHON) -m venv "$$tmp/venv"
	$(call quietly,"$$tmp/venv/bin/python" -I -m pip install uv==$(UV_VERSION))
	compile() { # SECTION ARGUMENT...
		cp requirements.lock "$$tmp/$$1" 2>/dev/null || true
		"$$tmp/venv/bin/uv" pip compile -q --no-config --no-header --universal --python-version 3.11 --generate-hashes $(if $(UPGRADE),--upgrade) -o "$$tmp/$$1" "$${@:2}"
	}
	not_here() { sed -nE 's/^([a-z0-9-]+)==.*/--no-emit-package \1/p' "$$@"; }
	# Markers of Windows and WebAssembly.
	elsewhere="--no-emit-package colorama --no-emit-package httpx2-jsfetch"
	$(PYTHON) -c 'import pathlib, tomllib; print("pip", *tomllib.loads(pathlib.Path("pyproject.toml").read_text())["build-system"]["requires"], sep="\n")' >"$$tmp/build.in"
	compile build "$$tmp/build.in" --no-annotate
	compile runtime pyproject.toml -c "$$tmp/build" $$elsewhere $$(not_here "$$tmp/build")
	compile development pyproject.toml --extra dev -c "$$tmp/runtime" -c "$$tmp/build" $$elsewhere $$(not_here "$$tmp/runtime" "$$tmp/build")
	{
		echo "# The versions speakerd is tested with, for CPython 3.11 and newer on amd64, arm64 and armhf."
		echo "# Made by \`make lock\`; the headings are read by the Makefile."
		for section in build runtime development; do
			printf '\n# == %s\n' "$$section"
			sed '/^# The following packages were excluded/,$$d' "$$tmp/$$section"
		done
	} >"$$tmp/lock"
	cp "$$tmp/lock" requirements.lock

clean: ## Remove all that the other targets made in this folder
	@rm -rf $(VENV) build dist *.egg-info .hypothesis .mypy_cache .pytest_cache .ruff_cache tests/js/node_modules
	find speakerd tests -name __pycache__ -prune -exec rm -rf {} +
