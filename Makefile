# Nothing but python3 (3.11 or newer) is needed: the environment is made in .venv.
PYTHON ?= python3
BIN := .venv/bin

NOTEBOOKS := $(patsubst examples/%,build/docs/%,$(wildcard examples/notebooks/*.ipynb))
SOURCES := $(shell find src -name '*.py')

.PHONY: check demo docs notebooks package test

demo: .venv/installed
	$(BIN)/rcae demo -o demo

test: .venv/installed
	$(BIN)/python -m pytest -n 2

check: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The site in build/site, with executed notebooks and with pictures that a model trained for it draws.
docs: notebooks build/docs/pictures
	$(BIN)/mkdocs build

notebooks: $(NOTEBOOKS)

build/docs/notebooks/%.ipynb: examples/notebooks/%.ipynb $(SOURCES) | .venv/with-docs
	rm -rf build/docs/run/$* && mkdir -p build/docs/run/$* && cp $< build/docs/run/$*
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/jupyter-nbconvert --to notebook --execute --output-dir $(@D) build/docs/run/$*/$*.ipynb

build/docs/pictures: docs/site/pictures.py $(SOURCES) | .venv/with-docs
	$(BIN)/python $< $@ && touch $@

# PYTHONS='python3.12 python3.13' tries the wheel with others.
package: .venv/with-package
	$(BIN)/python scripts/try_package.py -o dist $(foreach python,$(PYTHONS),--python $(python))

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(call install,dev)

.venv/with-%: .venv/installed
	$(call install,$*)

# uv installs in seconds; without it pip does the same in minutes. uv reads only its own name for extra
# wheel folders, so PIP_FIND_LINKS is passed on when it is set.
define install
@if command -v uv >/dev/null 2>&1; then uv=uv; \
elif $(BIN)/python -m pip install --quiet uv; then uv=$(BIN)/uv; fi; \
if [ -n "$$uv" ]; then \
  UV_FIND_LINKS="$${UV_FIND_LINKS-$${PIP_FIND_LINKS-}}" $$uv pip install --python $(BIN)/python -c constraints.txt -e '.[$(1)]'; \
else $(BIN)/python -m pip install -c constraints.txt -e '.[$(1)]'; fi
touch $@
endef
