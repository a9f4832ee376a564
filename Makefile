# What a developer types. `make demo` shows the product, `make test` passes its tests; both set up what they need.

PYTHON ?= python3
BIN := .venv/bin
# Tests start many daemons: not each of them is to compile the sources.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test lint compiled clean

demo: .venv/ready
	$(BIN)/ami-planfix demo

test: lint
	$(BIN)/pytest -n auto

lint: .venv/ready
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

# A copy of the project as packages have it, in build/compiled: what every event goes through is compiled.
compiled: build/compiled/ready

build/compiled/ready: .venv/ready packaging/compile.py $(shell git ls-files 'ami_planfix/*.py' 'tests/*.py')
	rm -rf build/compiled && mkdir -p build/compiled
	git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents --target-directory build/compiled
	$(BIN)/python packaging/compile.py build/compiled
	touch $@

# A package index that is down for a minute is asked again.
.venv/ready: pyproject.toml requirements.lock
	$(PYTHON) -m venv .venv
	for pause in 5 15 30 60 0; do \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint requirements.lock --editable '.[dev]' && break; \
	  test $$pause -gt 0 && sleep $$pause || exit 1; \
	done
	touch $@

clean:
	rm -rf .venv build dist
