# World Tracing: set-up, the main job, the tests and the packages. Needs only Python 3.11 and make.
#   make trace [IMAGE=photo] [OUT=dir]   photo to .blend and rendered novel view
#   make test                            everything that runs without a GPU or a display
#   make extension                       the zips to install in Blender, in dist/
#   make gui-test [BLENDER=path]         a real Blender window under Xvfb, with screenshots
#   make lint                            ruff

PYTHON ?= python3.11
PYTHON313 ?= $(firstword $(shell python3.13 -c "import sys; print(sys.executable)" 2>/dev/null) \
    $(wildcard $(HOME)/.pyenv/versions/3.13*/bin/python3.13))
IMAGE ?= examples/coffee.jpg
OUT ?= out

PY := .venv/bin/python
PIP := -m pip install --quiet --disable-pip-version-check
BPY_SITE = $(shell $(PY) -c "import importlib.util as u; print(u.find_spec('bpy').submodule_search_locations[0])")
BLENDER_EXT = $(BPY_SITE)/4.5/scripts/addons_core/bl_pkg/cli/blender_ext.py
VALID_TAGS = $(BPY_SITE)/4.5/scripts/modules/_bpy_internal/extensions/tags.py
BPY_TESTED := 4.2 5.0 $(if $(PYTHON313),5.2)
EXTENSION_SOURCES := $(sort $(shell find __init__.py blender_manifest.toml LICENSE worldtracing_addon backend/worldtracing \
    -type f -not -name "*.pyc"))
SMOKE_ZIP = $(firstword $(wildcard dist/world_tracing-*-linux_x64.zip))

.PHONY: trace test test-core test-blender extension gui-test lint clean FORCE

trace: .venv/.trace
	$(PY) examples/trace_photo.py "$(IMAGE)" --out "$(OUT)"

test: lint test-core test-blender
	@echo "make test: all tiers passed (bpy 4.5 $(BPY_TESTED))"

lint: .venv/.dev
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .

test-core: .venv/.dev dist/.built
	$(PY) -m pytest -q tests/core tests/backend tests/packaging

# The built zip is what gets installed and tested, in one process per Blender version.
test-blender: .venv/.dev dist/.built $(BPY_TESTED:%=.venv-%/.ready)
	@for version in 4.5 $(BPY_TESTED); do \
	    python=$$([ $$version = 4.5 ] && echo $(PY) || echo .venv-$$version/bin/python); \
	    echo "== bpy $$version"; \
	    WT_ZIP="$(SMOKE_ZIP)" $$python -m pytest -q tests/blender || exit 1; \
	done
	@[ -n "$(PYTHON313)" ] || echo "bpy 5.2 was left out: there is no Python 3.13 on this machine."

extension: dist/.built
	@ls -1 dist/*.zip

dist/.built: .venv/.trace wheels/.ready .venv/.extension-files $(EXTENSION_SOURCES)
	@rm -rf dist && mkdir dist
	$(PY) $(BLENDER_EXT) build --split-platforms --source-dir . --output-dir dist --valid-tags "$(VALID_TAGS)"
	@for zip in dist/*.zip; do $(PY) $(BLENDER_EXT) validate "$$zip" --valid-tags "$(VALID_TAGS)" || exit 1; done
	@touch $@

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
	@[ -x .venv-$*/bin/python ] || $(if $(filter 5.2,$*),$(PYTHON313),$(PYTHON)) -m venv .venv-$* \
	    || { rm -rf .venv-$*; echo "Python's venv module is missing: install python3-venv."; exit 1; }
	.venv-$*/bin/python $(PIP) -r $<
	@.venv-$*/bin/python tests/check_bpy.py
	@touch $@
