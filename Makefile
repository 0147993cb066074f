# Two commands for everybody: `make demo` and `make test`. One before every commit: `make check`.
PYTHON ?= python3
BIN := .venv/bin
NOTEBOOKS := $(wildcard notebooks/*.ipynb)
# What may stay in a stored notebook: outputs and counts, nothing that differs from run to run.
TIDY := --keep-output --keep-count --extra-keys "metadata.widgets metadata.language_info cell.metadata.execution"

.PHONY: demo test check notebooks constraints clean

demo: .venv/core
	$(BIN)/itnio-nb demo

test: .venv/test
	$(BIN)/pytest tests
	$(BIN)/pytest --nbval --nbval-current-env notebooks

check: .venv/test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/nbstripout --verify $(TIDY) $(NOTEBOOKS)
	$(BIN)/pytest -q -m "not slow" tests

# Run the notebooks anew and store them without what differs from run to run; look at `git diff` afterwards.
notebooks: .venv/test
	ITNIO_SANDBOX=1 ITNIO_PROGRESS=off PYDEVD_DISABLE_FILE_VALIDATION=1 $(BIN)/jupyter-execute --inplace $(NOTEBOOKS)
	$(BIN)/nbstripout $(TIDY) $(NOTEBOOKS)

# Pin the newest versions of everything, for all platforms.
constraints: .venv/test
	$(BIN)/pip install --quiet uv
	$(BIN)/uv pip compile --universal --no-header --no-annotate --all-extras --python-version 3.11 --upgrade \
		--quiet --output-file constraints.txt pyproject.toml

.venv/core: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "itnio-nb needs Python 3.11 or newer: make $(MAKECMDGOALS) PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -m venv .venv || \
		{ echo "Python cannot make a virtual environment; on Debian and Ubuntu: apt install python3-venv"; exit 1; }
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable .
	@touch $@

.venv/test: .venv/core
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[test]"
	@touch $@

clean:
	rm -rf .venv itnio-demo notebooks/results .mypy_cache .pytest_cache .ruff_cache .hypothesis
