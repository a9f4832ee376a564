# What a developer types. `make demo` shows the product, `make test` passes its tests; both set up what they need.

PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test lint clean

demo: .venv/ready
	$(BIN)/ami-planfix demo

test: lint
	$(BIN)/pytest -n auto

lint: .venv/ready
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

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
