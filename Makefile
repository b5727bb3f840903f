# The two commands: `make quickstart` and `make test`. PYTHON=python3.12 picks the interpreter,
# VENV=... the environment's folder.
VENV ?= .venv
export VENV
# Linux with transparent huge pages on request: the large buffers of a training step then cost a
# fifth fewer seconds on a CPU. Elsewhere it is ignored.
export GLIBC_TUNABLES ?= glibc.malloc.hugetlb=1
RUN = $(VENV)/bin/python -m

.PHONY: quickstart test install lint slow long parity wheel clean

install:
	@bash requirements/install.sh

quickstart: install
	@$(RUN) experiments.quickstart $(ARGS)

test: install lint
	@$(RUN) pytest -n 2 --dist worksteal $(ARGS)

lint: install
	@$(RUN) ruff check .
	@$(RUN) ruff format --check .
	@$(VENV)/bin/lint-imports --no-cache

slow: install
	@$(RUN) pytest -m slow -n 2 --dist worksteal $(ARGS)

long: install
	@$(RUN) pytest -m long $(ARGS)

parity: install
	@$(RUN) pytest -m parity $(ARGS)

wheel: install
	@$(RUN) build --wheel --no-isolation

clean:
	rm -rf $(VENV) build dist *.egg-info
