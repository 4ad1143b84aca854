# World Tracing: set-up, the main job, the tests and the packages. Needs only Python 3.11 and make.
#   make trace [IMAGE=photo] [OUT=dir]   photo to .blend and rendered novel view
#   make test                            everything that runs without a GPU or a display
#   make offline-bundle [BUNDLE=...]     wheels for Set Up Backend without a network, in build/
#   make extension                       the zips to install in Blender, in dist/
#   make repository                      a static site in dist/repository/ that Blender installs and updates from
#   make gui-test [BLENDER=path]         a real Blender window under Xvfb, with screenshots
#   make lint                            ruff

PYTHON ?= python3.11
PYTHON313 ?= $(firstword $(shell python3.13 -c "import sys; print(sys.executable)" 2>/dev/null) \
    $(wildcard $(HOME)/.pyenv/versions/3.13*/bin/python3.13))
IMAGE ?= examples/coffee.jpg
OUT ?= out

BIN := $(if $(filter Windows_NT,$(OS)),Scripts,bin)
PY := .venv/$(BIN)/python
PIP := -m pip install --quiet --disable-pip-version-check
# Two processes, as most tests keep one core busy, or wait.
PYTEST := -m pytest -q -n 2 --dist loadfile
BPY_SITE = $(subst \,/,$(shell $(PY) -c "import importlib.util as u; print(u.find_spec('bpy').submodule_search_locations[0])"))
BLENDER_EXT = $(BPY_SITE)/4.5/scripts/addons_core/bl_pkg/cli/blender_ext.py
VALID_TAGS = $(BPY_SITE)/4.5/scripts/modules/_bpy_internal/extensions/tags.py
BPY_TESTED := 4.2 5.0 $(if $(PYTHON313),5.2)
EXTENSION_SOURCES := $(sort $(shell find __init__.py blender_manifest.toml LICENSE worldtracing_addon backend/worldtracing \
    -type f -not -name "*.pyc"))
HOST := $(if $(filter Windows_NT,$(OS)),windows_x64,$(shell uname -sm | sed 's/ /_/; s/Linux/linux/; s/Darwin/macos/; s/x86_64/x64/'))
SMOKE_ZIP = $(firstword $(wildcard dist/world_tracing-*-$(HOST).zip))

.PHONY: trace test test-core test-blender extension repository offline-bundle gui-test lint clean FORCE

trace: .venv/.trace
	$(PY) examples/trace_photo.py "$(IMAGE)" --out "$(OUT)"

test: lint test-core test-blender
	@echo "make test: all tiers passed (bpy 4.5 $(BPY_TESTED))"

lint: .venv/.dev
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .

test-core test-blender: export OMP_NUM_THREADS = 1

test-core: .venv/.dev dist/.built dist/repository/index.json
	$(PY) $(PYTEST) tests/core tests/backend tests/packaging

# The built zip is what gets installed and tested, in every version of Blender.
test-blender: .venv/.dev dist/.built $(BPY_TESTED:%=.venv-%/.ready)
	@for version in 4.5 $(BPY_TESTED); do \
	    python=$$([ $$version = 4.5 ] && echo $(PY) || echo .venv-$$version/$(BIN)/python); \
	    echo "== bpy $$version"; \
	    WT_ZIP="$(SMOKE_ZIP)" $$python $(PYTEST) tests/blender || exit 1; \
	done
	@[ -n "$(PYTHON313)" ] || echo "bpy 5.2 was left out: there is no Python 3.13 on this machine."

extension: dist/.built
	@ls -1 dist/*.zip

dist/.built: .venv/.trace wheels/.ready .venv/.extension-files $(EXTENSION_SOURCES)
	@rm -rf dist && mkdir dist
	$(PY) $(BLENDER_EXT) build --split-platforms --source-dir . --output-dir dist --valid-tags "$(VALID_TAGS)"
	@for zip in dist/*.zip; do $(PY) $(BLENDER_EXT) validate "$$zip" --valid-tags "$(VALID_TAGS)" || exit 1; done
	@touch $@

# BUNDLE: e.g. "--platform windows-x64 --python 3.13 --build cu130"; without it, for this machine's processor.
offline-bundle: .venv/.trace
	$(PY) tools/offline_bundle.py $(BUNDLE)

repository: dist/repository/index.json
	@ls -1 dist/repository

# Only the newest version is offered; put the folder on any web server, or name its index.json as a file:// address.
dist/repository/index.json: dist/.built docs/repository_page.html
	@rm -rf dist/repository && mkdir dist/repository && cp dist/*.zip dist/repository
	@$(PY) $(BLENDER_EXT) server-generate --repo-dir dist/repository --html --html-template docs/repository_page.html

# A removed file has no time stamp, so the list of files is a source too: it is rewritten only when it differs.
.venv/.extension-files: FORCE | .venv/.trace
	@echo $(EXTENSION_SOURCES) | cmp -s - $@ || echo $(EXTENSION_SOURCES) >$@

wheels/.ready: wheels/requirements.txt .venv/.trace
	@rm -f wheels/*.whl
	@for platform in manylinux_2_17_x86_64 macosx_11_0_arm64 macosx_10_12_x86_64 win_amd64 win_arm64; do \
	    $(PY) -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes --only-binary=:all: \
	        --implementation cp --abi abi3 --python-version 3.11 --platform $$platform \
	        -d wheels -r wheels/requirements.txt || exit 1; \
	done
	@touch $@

gui-test: dist/.built
	tests/gui/run.sh "$(SMOKE_ZIP)" "$(BLENDER)"

clean:
	rm -rf .venv .venv-* dist out wheels/*.whl wheels/.ready

.venv/.trace: tests/requirements/trace.txt backend/pyproject.toml
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info[:2] != (3, 11))" 2>/dev/null \
	    || { echo "Python 3.11 is missing: install it, or name it with make PYTHON=/path/to/python3.11."; exit 1; }
	@[ -x $(PY) ] || $(PYTHON) -m venv .venv \
	    || { rm -rf .venv; echo "Python's venv module is missing: install python3.11-venv."; exit 1; }
	$(PY) $(PIP) -r tests/requirements/trace.txt
	$(PY) $(PIP) --no-deps -e backend
	@$(PY) tests/check_bpy.py
	@touch $@

.venv/.dev: .venv/.trace tests/requirements/dev.txt
	$(PY) $(PIP) -r tests/requirements/dev.txt
	@touch $@

.venv-%/.ready: tests/requirements/bpy-%.txt
	@[ -x .venv-$*/$(BIN)/python ] || $(if $(filter 5.2,$*),$(PYTHON313),$(PYTHON)) -m venv .venv-$* \
	    || { rm -rf .venv-$*; echo "Python's venv module is missing: install python3-venv."; exit 1; }
	.venv-$*/$(BIN)/python $(PIP) -r $<
	@.venv-$*/$(BIN)/python tests/check_bpy.py
	@touch $@
