# Everything runs in .venv, which these targets build by themselves.
PYTHON ?= python3
PYTHONS ?= python3.11 python3.12 python3.13
VENV := .venv
BIN := $(VENV)/bin
RUN := $(VENV)/.run-time
DEV := $(VENV)/.dev
DOCS := $(VENV)/.docs
TOOLS := .venv-tools
LOCK := requirements-ci.txt
FUZZ_SECONDS ?= 60
# A file of versions with hashes. If it is given, nothing but what it names is installed, and PyTorch.
LOCKED ?=
# What is installed for one run of the tests is compiled when it is imported, if it ever is.
HELD := $(if $(LOCKED),--no-compile --no-index --no-build-isolation -c $(VENV)/locked.txt)
# The time that packages say they are of: that of the last change.
EPOCH := $(shell git log -1 --format=%ct 2>/dev/null || echo 1735689600)

# Without compiled files, every process of every test would compile all that it imports.
unexport PYTHONDONTWRITEBYTECODE

.DELETE_ON_ERROR:
.PHONY: demo test style types suite coverage test-all test-page pages lint bench docs docs-pictures fuzz dist sbom audit lock clean

demo: $(RUN)  ## classify synthetic music and draw the charts
	$(BIN)/python -m topgenre.demo demo
	$(BIN)/topgenre classify demo/*.* --top 3 --charts demo/charts
	@echo "The demo sound is synthetic. Charts: demo/charts"

test: style types suite  ## style, types and tests; side by side with make -j2

style: $(DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(DEV)
	$(BIN)/mypy

suite: $(DEV)
	$(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder

coverage: $(DEV)  ## how much of the code the tests run; takes half as long again as they do
	$(BIN)/pytest --cov --cov-report=term:skip-covered

test-page:  ## the types of the page's scripts; needs npx
	npx --yes -p typescript@5 tsc -p src/topgenre/web/jsconfig.json

test-all:  ## the run-time tests on every supported Python that is installed
	for version in 3.11 3.12 3.13; do \
	  if python$$version -c 'import sys' 2>/dev/null; then \
	    python$$version -m venv $(VENV)-$$version && \
	    $(VENV)-$$version/bin/pip install -q -c constraints.txt -e '.[dev]' && \
	    $(VENV)-$$version/bin/pytest -q --ignore tests/test_training.py || exit 1; \
	  else echo "python$$version is not installed"; fi; \
	done

lint: $(DEV)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/mypy

bench: $(DEV)  ## our times beside librosa's, in one process
	$(BIN)/python benchmarks/bench_spectrograms.py
	$(BIN)/python benchmarks/bench_audio.py
	$(BIN)/python benchmarks/bench_classify.py
	$(BIN)/python benchmarks/bench_serving.py
	$(BIN)/python benchmarks/bench_library.py
	$(BIN)/python benchmarks/bench_server.py

docs: $(DOCS)  ## the documentation as plain files: site/index.html
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "Open site/index.html"

pages: $(DEV)  ## the page that needs no server: dist/pages/; needs npm
	npm ci --prefix pages --ignore-scripts --no-audit --no-fund
	$(BIN)/python pages/build.py dist/pages
	@echo "Any host of plain files will do: python3 -m http.server -d dist/pages"

docs-pictures: $(DEV)  ## draw the documentation's pictures anew; three of them need Chromium
	$(BIN)/python docs/pictures.py
	$(BIN)/python docs/cast.py
	$(BIN)/python docs/browser_pictures.py

fuzz: $(DEV)  ## damaged bytes for all that reads files
	$(BIN)/pip install -q atheris==3.0.0
	for target in audio preprocessed tags journal parts; do \
	  PYTHONPATH=tests $(BIN)/python fuzz/run.py $$target --seconds $(FUZZ_SECONDS) || exit 1; \
	done

dist: $(TOOLS)  ## both packages, built twice and compared; the wheel alone, tried
	rm -rf dist build
	SOURCE_DATE_EPOCH=$(EPOCH) $(TOOLS)/bin/python -m build --outdir dist
	SOURCE_DATE_EPOCH=$(EPOCH) $(TOOLS)/bin/python -m build --outdir build/again
	for package in dist/*; do cmp $$package build/again/$${package##*/} || exit 1; done
	test $$(cat dist/*.whl | wc -c) -lt 10000000
	$(PYTHON) -m venv build/fresh
	build/fresh/bin/pip install -q dist/*.whl
	cd build && fresh/bin/topgenre doctor

smoke: build/fresh  ## the wheel in an empty environment of every supported Python that is installed
	for python in $(PYTHONS); do \
	  if $$python -c 'import sys' 2>/dev/null; then \
	    rm -rf build/smoke && $$python -m venv build/smoke && \
	    build/smoke/bin/pip install -q dist/*.whl && \
	    cd build/smoke && bin/topgenre --version && bin/topgenre doctor && \
	    bin/python -m topgenre.demo demo && bin/topgenre classify demo/ && cd ../.. || exit 1; \
	  else echo "$$python is not installed"; fi; \
	done

sbom: build/fresh  ## all that a user installs with the wheel: dist/topgenre.cdx.json
	$(TOOLS)/bin/pip install -q cyclonedx-bom==7.5.0
	$(TOOLS)/bin/cyclonedx-py environment --output-reproducible --output-file dist/topgenre.cdx.json \
	  build/fresh/bin/python

audit: build/fresh  ## known vulnerabilities of what a user installs; needs the network
	$(TOOLS)/bin/pip install -q pip-audit==2.10.1
	PIPAPI_PYTHON_LOCATION=build/fresh/bin/python $(TOOLS)/bin/pip-audit --progress-spinner off

# Without PyTorch: pip takes the build without GPUs, where it finds one, and that has other hashes.
# With extras: to older versions of pip `a[b]` is not held by `a==1`, and a newer `a` has no hash.
lock: $(TOOLS)  ## requirements-ci.txt anew: the newest versions for CI, with hashes
	$(TOOLS)/bin/pip install -q uv==0.13.9
	echo "# All that CI installs but PyTorch and what it alone brings, with hashes;" \
	  "\`make lock\` writes this file." > $(LOCK).new
	echo "torch; python_version < '3'" | $(TOOLS)/bin/uv pip compile pyproject.toml \
	  --extra dev --extra train --override /dev/stdin -c constraints.txt --python-version 3.11 \
	  --universal --generate-hashes --no-header --no-strip-extras >> $(LOCK).new
	mv $(LOCK).new $(LOCK)

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/locked.txt: $(LOCKED) constraints.txt | $(VENV)/bin/python
	$(BIN)/pip install -q --no-compile --require-hashes -r $(LOCKED)
	$(BIN)/pip freeze --exclude-editable --exclude torch > $@
	$(BIN)/pip install -q --no-compile -c constraints.txt -c $@ torch

# With versions held, pip asks no index, so it says so if the file lacks what pyproject.toml wants.
$(RUN) $(DEV): $(if $(LOCKED),$(VENV)/locked.txt)

$(RUN): pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/pip install -q -c constraints.txt $(HELD) -e .
	@touch $@

$(DEV): pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/pip install -q -c constraints.txt $(HELD) -e '.[train,dev]'
	@touch $@ $(RUN)

$(DOCS): pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/pip install -q -c constraints.txt -e '.[docs]'
	@touch $@ $(RUN)

build/fresh:
	$(MAKE) dist

$(TOOLS):
	$(PYTHON) -m venv $@
	$@/bin/pip install -q build==1.3.0

clean:
	rm -rf $(VENV) $(TOOLS) $(VENV)-3.* build dist site .mypy_cache .ruff_cache .pytest_cache .coverage
