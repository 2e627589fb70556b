# Everything runs in .venv, which these targets build by themselves.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUN := $(VENV)/.run-time
DEV := $(VENV)/.dev
DOCS := $(VENV)/.docs

.PHONY: demo test test-all test-page lint bench docs docs-pictures clean

demo: $(RUN)  ## classify synthetic music and draw the charts
	$(BIN)/python -m topgenre.demo demo
	$(BIN)/topgenre classify demo/*.* --top 3 --charts demo/charts
	@echo "The demo sound is synthetic. Charts: demo/charts"

test: $(DEV)  ## style, types and tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest -n 2 --dist loadfile -m "not alone" --cov --cov-report=
	$(BIN)/pytest -m alone --cov --cov-append --cov-report=term:skip-covered

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
	$(BIN)/python benchmarks/bench_library.py
	$(BIN)/python benchmarks/bench_server.py

docs: $(DOCS)  ## the documentation as plain files: site/index.html
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "Open site/index.html"

docs-pictures: $(RUN)  ## draw the documentation's spectrograms and charts anew
	$(BIN)/python docs/pictures.py

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(RUN): pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/pip install -q -c constraints.txt -e .
	@touch $@

$(DEV): pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/pip install -q -c constraints.txt -e '.[train,dev]'
	@touch $@ $(RUN)

$(DOCS): pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/pip install -q -c constraints.txt -e '.[docs]'
	@touch $@ $(RUN)

clean:
	rm -rf $(VENV) $(VENV)-3.* build dist site .mypy_cache .ruff_cache .pytest_cache .coverage
