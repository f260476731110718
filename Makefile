# Two commands do everything, with only Python (3.11 to 3.13), make and git on the machine:
#   make run    the pipeline on the built-in example (CORES=4 to limit it, ARGS for more arguments of snakemake)
#   make test   style checks and all tests with their coverage (ARGS for some tests only)
PYTHON ?= python3
VENV ?= .venv
CORES ?= all
ARGS ?=

# Nothing is inherited from another environment.
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV
export PYTHONNOUSERSITE := 1

.PHONY: run test lint docs clean

run: $(VENV)/installed
	$(VENV)/bin/snakemake --cores $(CORES) $(ARGS)

test: lint
	NUMBA_NUM_THREADS=1 OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(VENV)/bin/python -m pytest -n 2 --dist loadfile $(or $(ARGS),--cov)

lint: $(VENV)/installed-test
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy --cache-dir $(VENV)/mypy
	$(VENV)/bin/snakefmt --check Snakefile workflow
	$(VENV)/bin/snakemake --lint

docs: $(VENV)/installed-test
	PATH="$(abspath $(VENV))/bin:$$PATH" $(VENV)/bin/python -m sphinx -W --keep-going -b html docs docs/_build/html

$(VENV)/installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[all]'
	touch $@

$(VENV)/installed-test: $(VENV)/installed
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	touch $@

clean:
	rm -rf $(VENV) results .snakemake
