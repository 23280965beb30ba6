# Nothing but python3 (3.11 or newer) is needed: the environment is made in .venv.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test check

demo: .venv/installed
	$(BIN)/rcae demo -o demo

test: .venv/installed
	$(BIN)/python -m pytest -n 2

check: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# uv installs in seconds; without it pip does the same in minutes. uv reads only its own name for extra
# wheel folders, so PIP_FIND_LINKS is passed on when it is set.
.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	@if command -v uv >/dev/null 2>&1; then uv=uv; \
	elif $(BIN)/python -m pip install --quiet uv; then uv=$(BIN)/uv; fi; \
	if [ -n "$$uv" ]; then \
	  UV_FIND_LINKS="$${UV_FIND_LINKS-$${PIP_FIND_LINKS-}}" $$uv pip install --python $(BIN)/python -c constraints.txt -e '.[dev]'; \
	else $(BIN)/python -m pip install -c constraints.txt -e '.[dev]'; fi
	touch $@
