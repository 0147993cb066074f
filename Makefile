# For everybody: `make demo`, `make lab` and `make test`. One before every commit: `make check`.
PYTHON ?= python3
BIN := .venv/bin
WORKERS ?= auto
NOTEBOOKS := $(wildcard notebooks/*.ipynb)
# What may stay in a stored notebook: outputs and counts, nothing that differs from run to run.
TIDY := --keep-output --keep-count --extra-keys "metadata.widgets metadata.language_info cell.metadata.execution"

.PHONY: demo lab test test-oldest check lint quick notebooks picture screenshots docs torture torture-team fuzz bench audit sbom constraints grid-library clean

demo: .venv/core
	$(BIN)/itnio-nb demo

lab: .venv/lab
	$(BIN)/itnio-nb lab

test: .venv/test
	$(BIN)/pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder tests
	$(BIN)/pytest -n $(WORKERS) --dist loadfile --nbval --nbval-current-env notebooks

check: lint quick

lint: .venv/test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/nbstripout --verify $(TIDY) $(NOTEBOOKS)

quick: .venv/test
	$(BIN)/pytest -q -n $(WORKERS) -p no:nbval --hypothesis-profile quick tests/unit

# The other end of each dependency's range: pandas 2.3 and the oldest of everything else that is allowed. What those
# packages have deprecated among themselves since is not ours. Of a server they show in the ledger's own tests, not in
# those of runs once more.
test-oldest: .venv/oldest
	.venv-oldest/bin/pytest -q -n $(WORKERS) -W ignore::DeprecationWarning --hypothesis-profile quick -k "not (runs and postgres)" tests/unit
	.venv-oldest/bin/pytest -n $(WORKERS) --dist loadfile --nbval --nbval-current-env notebooks

# Run the notebooks anew and store them, with pictures of the forms (needs Chromium) and without what differs from run
# to run; look at `git diff` afterwards.
notebooks: .venv/test
	$(BIN)/python docs/make_notebooks.py
	$(BIN)/nbstripout $(TIDY) $(NOTEBOOKS)

# The README's picture of the first notebook's result; needs Chromium.
picture: .venv/test
	$(BIN)/python docs/make_picture.py

# The pictures of the forms, light and dark, from the running application; needs Chromium.
screenshots: .venv/test
	$(BIN)/python docs/make_screenshots.py

# The table of faults and words, from the tests that meet each fault; the licences of all dependencies.
docs: .venv/test
	$(BIN)/python docs/make_fault_table.py
	$(BIN)/python -m tools.licence_table

# Kills and faults at random until there were enough of them: 10 to 20 minutes. SEED=4711 begins with that round;
# LEDGER=postgres has the ledger in a server, where the phones of a killed sender are waited for: some hours.
torture: .venv/test
	ITNIO_PROGRESS=off PYTHONWARNINGS=ignore::UserWarning $(BIN)/python -m tests.torture.torture --processes 3 --kills 200 --faults 2000 --of-each 50 $(if $(SEED),--seed $(SEED)) $(if $(LEDGER),--ledger $(LEDGER))

# Eight machines of a network on one run over one ledger in PostgreSQL, while everything fails that can: some minutes;
# needs root, PostgreSQL and iproute2.
torture-team: .venv/test
	$(BIN)/python -m tests.torture.team $(if $(SEED),--seed $(SEED))

# A hundred thousand files changed at random: none may raise anything but an InputError; some minutes.
fuzz: .venv/test
	$(BIN)/python -m tests.torture.fuzz --inputs 100000

# What costs what, beside other ways of doing it; prints a table and writes it to docs/performance.md. LARGE=1 adds runs
# of 20,000 groups.
bench: .venv/bench
	$(BIN)/python benchmarks/performance.py $(if $(LARGE),--large)

# Published weaknesses of all that is pinned or installed. "Error 1": some were found; "Error 3": something, or all,
# could not be looked up. make itself ends with 2 in both cases: let a scheduler run the line below.
audit: .venv/audit
	$(BIN)/python -m tools.audit

# What itnio-nb and its extras bring, as CycloneDX, in sbom.cdx.json; the same pins make the same file.
sbom: .venv/audit
	$(BIN)/python -m tools.sbom

# What the grid of the forms takes from TanStack Table, as one file; needs Node.
grid-library:
	cd tools/grid_library && npm ci && npm run build

# Pin the newest versions of everything, for all platforms.
constraints: .venv/test
	$(BIN)/uv pip compile --universal --no-header --no-annotate --all-extras --python-version 3.11 --upgrade \
		--quiet --output-file constraints.txt pyproject.toml

.venv/core: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "itnio-nb needs Python 3.11 or newer: make $(MAKECMDGOALS) PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -m venv .venv || \
		{ echo "Python cannot make a virtual environment; on Debian and Ubuntu: apt install python3-venv"; exit 1; }
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable .
	@touch $@

.venv/lab: .venv/core
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[lab,runbook,keyring,postgres]"
	@touch $@

.venv/test: .venv/core
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[test]"
	@touch $@

.venv/audit: .venv/test
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[audit]"
	@touch $@

.venv/bench: .venv/test
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[bench]"
	@touch $@

.venv/oldest: .venv/test
	rm -rf .venv-oldest
	$(BIN)/uv venv --quiet --python $(BIN)/python .venv-oldest
	$(BIN)/uv pip install --quiet --python .venv-oldest/bin/python --resolution lowest-direct --editable ".[test]"
	@touch $@

clean:
	rm -rf .venv .venv-oldest sbom.cdx.json itnio-demo itnio-notebooks notebooks/results .mypy_cache .pytest_cache .ruff_cache .hypothesis
