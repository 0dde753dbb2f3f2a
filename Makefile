# speakerd's door for people: sets up what is missing, then runs the demo, the tests or the benchmarks,
# or installs it as a service.
# `make` alone lists the targets; docs/development.md, dependencies.md and installing.md explain them.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.ONESHELL:
.DELETE_ON_ERROR:
# Two apt-get, or two tests that measure time, are no quicker side by side.
.NOTPARALLEL:
.DEFAULT_GOAL := help

# The interpreter that .venv is made from: CPython 3.11 or newer.
PYTHON ?= python3
# The ALSA device of `make demo CARD=default`; without it the demo brings a sound card of its own.
CARD ?=
# More arguments for pytest: `make test ARGS="-k resume -x"`.
ARGS ?=
# `make install BOARD=respeaker-2mic-hat` sets the machine up for a sound board (hardware/README.md).
BOARD ?=
# `make uninstall PURGE=1` leaves nothing behind.
PURGE ?=
# The Debian of `make test-install`.
SUITE ?= trixie
# `make lock UPGRADE=1` moves every pin to the newest version that pyproject.toml allows.
UPGRADE ?=

# What pip needs to build the packages that have no wheels (the packages target adds a few).
APT_BUILD := gcc libc6-dev libasound2-dev libsystemd-dev pkgconf
# Recorded speech, ALSA's way to a PulseAudio server, and that server's recorder.
APT_SOUND := alsa-utils libasound2-plugins pulseaudio-utils
# A network of the tests' own whose cable can be pulled, a clock that can be wrong, what judges
# the unit and the scripts of systemd/, and what says aloud that something is wrong.
APT_TEST := iproute2 libfaketime systemd shellcheck espeak-ng
UV_VERSION := 0.13.8
# The oldest Node.js for test-js: Debian 12's.
NODE_MAJOR := 18

VENV := .venv
# -I: nothing of the caller's PYTHONPATH or user site gets between pip and the environment.
pip = PIP_USER=0 $(1)/bin/python -I -m pip --disable-pip-version-check --no-input -q
PIP := $(call pip,$(VENV))
# Stamps carry the interpreter's version: when the system's Python is upgraded, .venv is made again.
STAMP := $(VENV)/stamp-$(shell $(PYTHON) -c 'import sys; print("%s%d.%d" % (sys.implementation.name, *sys.version_info[:2]))' 2>/dev/null)
# The frameworks that speakerd can be measured beside have an environment each: they disagree on google-genai.
FRAMEWORKS := pipecat livekit
PEERS := .venv-peers
# Last, so that a PulseAudio of the system's own is used where there is one.
SERVER := $(VENV)/pulseaudio
export PATH := $(PATH):$(CURDIR)/$(SERVER)/bin

# Shell functions for the recipes below.
functions := source systemd/functions.sh

.PHONY: help demo pi install uninstall deb test test-js test-install test-pi pi-shell soak fuzz bench bench-peers lint lock clean packages sound-server node

help: ## List the targets
	@sed -nE 's/^([a-z-]+):.*## (.*)/\1\t\2/p' Makefile | while IFS=$$'\t' read -r target text; do
		printf '  make %-12s %s\n' "$$target" "$$text"
	done

demo: sound-server $(STAMP)-installed ## Hold the button, speak, hear the answer (CARD=default: through your own sound card)
	@$(VENV)/bin/speakerd demo $(if $(CARD),--card '$(CARD)')

pi: $(STAMP)-pi ## Install lgpio, gpiozero's way to the pins of a Raspberry Pi

install: ## As root: install or upgrade the service (docs/installing.md); BOARD=NAME: and set up a sound board
	@BOARD='$(BOARD)' systemd/install.sh

uninstall: ## As root: remove it; PURGE=1: its configuration, conversation and key as well
	@PURGE='$(PURGE)' systemd/uninstall.sh

deb: ## Build dist/speakerd_VERSION_ARCH.deb for this release of Debian
	@systemd/deb.sh

test: sound-server lint ## Lint, then the whole test suite (ARGS="-k name": a part of it)
	@$(VENV)/bin/python -m pytest -n auto --maxprocesses 4 $(ARGS)

test-js: $(STAMP)-installed $(STAMP)-js ## Try the simulator with Google's JavaScript SDK
	@$(VENV)/bin/python tests/js/run.py

test-install: ## As root: install, upgrade and remove it in a pristine Debian (SUITE=bookworm or trixie)
	@tests/packaging/chroot.sh '$(SUITE)'

test-pi: $(STAMP)-dev ## Install and use it on a virtual Raspberry Pi; takes 40 minutes (ARGS="-k name": a part of it)
	@tests/virtual_pi/image/build.sh trixie >/dev/null
	tests/virtual_pi/image/build.sh bookworm >/dev/null
	tests/virtual_pi/image/package.sh trixie >/dev/null
	$(VENV)/bin/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder tests/virtual_pi $(ARGS)

pi-shell: $(STAMP)-dev ## A shell on a virtual Raspberry Pi on which this checkout is installed
	@$(VENV)/bin/python -m tests.virtual_pi

soak: $(STAMP)-dev ## Speak a thousand sentences with a fault in every third (ARGS="--turns 200 --seed 7")
	@$(VENV)/bin/python -m tests.soak $(ARGS)

fuzz: $(STAMP)-dev ## Throw 100,000 mutilated server messages at the daemon (ARGS="--seed 7")
	@$(VENV)/bin/python -m tests.fuzz $(ARGS)

bench: sound-server $(STAMP)-dev ## Measure latencies and costs, beside two others (ARGS="--only latency,cost --turns 10")
	@$(VENV)/bin/python -m tests.bench $(ARGS)

bench-peers: sound-server $(STAMP)-dev $(FRAMEWORKS:%=$(PEERS)/%/$(notdir $(STAMP))) ## The same beside scripts with pipecat and livekit-agents too, which take 1 GB
	@$(VENV)/bin/python -m tests.bench --peers pipecat,livekit --only latency,cost,start,idle,robustness $(ARGS)

lint: $(STAMP)-dev ## ruff, mypy and shellcheck
	@$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/mypy
	! command -v shellcheck >/dev/null || shellcheck -x systemd/*.sh systemd/deb/p*[a-z] tests/packaging/*.sh tests/virtual_pi/image/*.sh

packages:
	@$(functions)
	command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) not found: install Python 3.11 or newer" >&2; exit 1; }
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "speakerd needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V)" >&2; exit 1; }
	if ! command -v apt-get >/dev/null; then
		echo "No apt-get here: make sure that you have what Debian's packages $(APT_BUILD) $(APT_SOUND) hold, Python's headers, and pulseaudio"
		exit 0
	fi
	more=()
	[ -e "$$($(PYTHON) -c 'import sysconfig; print(sysconfig.get_path("include"))')/Python.h" ] || more+=(python3-dev)
	$(PYTHON) -c 'import ensurepip' 2>/dev/null || more+=(python3-venv)
	# 32-bit Raspberry Pi OS has to build cffi, which wants libffi.
	[ "$$(dpkg --print-architecture)" != armhf ] || more+=(libffi-dev)
	apt_install $(APT_BUILD) $(APT_SOUND) "$${more[@]}"

# The stand-in sound card's server. It is unpacked and not installed, because the pulseaudio package
# would make itself the sound server of every user and of ALSA's default device, and PipeWire leave.
sound-server: | $(STAMP)-runtime
	@$(functions)
	! command -v pulseaudio >/dev/null || exit 0
	echo "Unpacking PulseAudio's server in $(SERVER)"
	rm -rf $(SERVER) && mkdir -p $(SERVER)/bin && cd $(SERVER)
	quietly apt-get -q download pulseaudio || { quietly apt_get update; quietly apt-get -q download pulseaudio; }
	libraries=$$(dpkg-deb -f pulseaudio_*.deb Depends | tr ',' '\n' | sed -E 's/^ *([^ ]+).*/\1/' | grep -vxE 'adduser|init-system-helpers|lsb-base|pulseaudio-utils')
	apt_install $$libraries
	dpkg-deb -x pulseaudio_*.deb . && rm pulseaudio_*.deb
	core=$$(find usr -name 'libpulsecore-*.so')
	modules=$$(find usr -type d -name modules)
	# LD_BIND_NOW: or it would look for itself in /usr/bin, to start again with it
	printf '%s\n' '#!/bin/sh' 'here=$$(dirname "$$(dirname "$$(readlink -f "$$0")")")' \
		"LD_BIND_NOW=1 LD_LIBRARY_PATH=\$$here/$${core%/*}:\$$here/$$modules exec \"\$$here/usr/bin/pulseaudio\" --dl-search-path=\"\$$here/$$modules\" \"\$$@\"" >bin/pulseaudio
	quietly sh bin/pulseaudio --version
	chmod +x bin/pulseaudio

node: | packages
	@$(functions)
	suits() { command -v npm >/dev/null && node -e 'process.exit(parseInt(process.versions.node) < $(NODE_MAJOR) ? 1 : 0)' 2>/dev/null; }
	suits || apt_install nodejs npm
	suits || { echo "test-js needs npm and Node.js $(NODE_MAJOR) or newer; the node on PATH is $$(node -v 2>&1)" >&2; exit 1; }

# pip first, so that every machine installs with the same one; then what it builds with, because
# --no-build-isolation lets nothing unpinned in.
$(STAMP)-runtime: requirements.lock | packages
	@$(functions)
	echo "Making $(VENV) with $$($(PYTHON) -V) and the versions of requirements.lock"
	quietly $(PYTHON) -m venv --clear $(VENV)
	locked build >$(VENV)/build.lock
	locked runtime >$(VENV)/runtime.lock
	quietly env $(PIP) install --require-hashes -r $(VENV)/build.lock
	quietly env $(PIP) install --require-hashes --no-build-isolation -r $(VENV)/runtime.lock
	touch $@

$(STAMP)-installed: $(STAMP)-runtime pyproject.toml
	@$(functions)
	echo "Installing speakerd itself in $(VENV), editable"
	quietly env $(PIP) install --no-index --no-deps --no-build-isolation -e .
	touch $@

# PYPI=1: where there is no wheel, lgpio's own C library is built in.
$(STAMP)-pi: $(STAMP)-installed
	@$(functions)
	! command -v apt-get >/dev/null || apt_install swig
	echo "Installing lgpio in $(VENV)"
	locked pi >$(VENV)/pi.lock
	quietly env PYPI=1 $(PIP) install --require-hashes --no-build-isolation -r $(VENV)/pi.lock
	touch $@

$(STAMP)-dev: $(STAMP)-installed
	@$(functions)
	! command -v apt-get >/dev/null || apt_install $(APT_TEST)
	echo "Installing the development tools in $(VENV)"
	locked development >$(VENV)/development.lock
	quietly env $(PIP) install --require-hashes --no-build-isolation -r $(VENV)/development.lock
	touch $@

# What builds pyalsaaudio in .venv builds it here.
$(PEERS)/%/$(notdir $(STAMP)): tests/bench/peers/%.lock | $(STAMP)-runtime
	@$(functions)
	echo "Making $(PEERS)/$* with the versions of $<"
	quietly $(PYTHON) -m venv --clear $(PEERS)/$*
	quietly env $(call pip,$(PEERS)/$*) install --require-hashes -r $(VENV)/build.lock
	quietly env $(call pip,$(PEERS)/$*) install --no-build-isolation -r $<
	touch $@

$(STAMP)-js: $(STAMP)-runtime tests/js/package.json tests/js/package-lock.json | node
	@$(functions)
	echo "Installing the JavaScript packages in tests/js"
	quietly npm ci --prefix tests/js --ignore-scripts --no-audit --no-fund
	touch $@

# One section each for what pip builds with, what speakerd runs on, what it needs besides where there
# are GPIO pins, and what only developers need. Pins that still fit stay as they are, unless UPGRADE=1.
lock: ## Renew requirements.lock from pyproject.toml, and the frameworks' (UPGRADE=1: with the newest versions)
	@$(functions)
	tmp=$$(mktemp -d)
	trap 'rm -rf "$$tmp"' EXIT
	$(PYTHON) -m venv "$$tmp/venv"
	quietly "$$tmp/venv/bin/python" -I -m pip install uv==$(UV_VERSION)
	uv_compile() { "$$tmp/venv/bin/uv" pip compile -q --no-config --no-header --universal --python-version 3.11 $(if $(UPGRADE),--upgrade) "$$@"; }
	compile() { # SECTION ARGUMENT...
		[ ! -e requirements.lock ] || cp requirements.lock "$$tmp/$$1"
		uv_compile --generate-hashes -o "$$tmp/$$1" "$${@:2}"
	}
	without() { sed -nE 's/^([a-z0-9-]+)==.*/--no-emit-package \1/p' "$$@"; }
	# What only Windows and WebAssembly ask for
	elsewhere="--no-emit-package colorama --no-emit-package httpx2-jsfetch"
	$(PYTHON) -c 'import tomllib; print("pip", *tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], sep="\n")' >"$$tmp/build.in"
	compile build "$$tmp/build.in" --no-annotate
	compile runtime pyproject.toml -c "$$tmp/build" $$elsewhere $$(without "$$tmp/build")
	compile pi pyproject.toml --extra pi -c "$$tmp/build" -c "$$tmp/runtime" $$elsewhere $$(without "$$tmp/build" "$$tmp/runtime")
	compile development pyproject.toml --extra dev -c "$$tmp/build" -c "$$tmp/runtime" $$elsewhere $$(without "$$tmp/build" "$$tmp/runtime")
	{
		echo "# The versions that speakerd is tested with, for CPython 3.11 and newer on amd64, arm64 and armhf."
		echo '# Made by `make lock`; the Makefile reads the headings.'
		for section in build runtime pi development; do
			printf '\n# == %s\n' "$$section"
			sed '/^# The following packages were excluded/,$$d; /^$$/d' "$$tmp/$$section"
		done
	} >"$$tmp/lock"
	cp "$$tmp/lock" requirements.lock
	# One button and one card for all that are measured
	grep -oE '^(gpiozero|pyalsaaudio)==[^ ]+' requirements.lock >"$$tmp/same"
	for framework in $(FRAMEWORKS); do
		uv_compile --no-annotate -c "$$tmp/same" -o tests/bench/peers/$$framework.lock tests/bench/peers/$$framework.in
	done

clean: ## Remove what the other targets have made in this folder
	@rm -rf $(VENV) $(PEERS) build dist *.egg-info .hypothesis .mypy_cache .pytest_cache .ruff_cache tests/js/node_modules
	find speakerd tests -name __pycache__ -prune -exec rm -rf {} +
