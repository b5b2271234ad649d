# Each target makes .venv and installs what it needs first, if need be.
#   make train             train wgan_gp on the packaged digits
#   make test              every test
#   make lint              ruff, mypy, import-linter
#   make zoo [NAME=...] [SEEDS="0 1 2"] [BFLOAT16=1]
#                          train and judge rows by default options, write docs/results/, docs/ZOO.md
#   make bench             every benchmark: training steps, sampling and metrics beside PyTorch,
#                          folders, commands, workers; write docs/results/ and
#                          docs/performance.md; needs PyTorch (200 MB and more), which it installs,
#                          a C++ compiler for torch.compile, 8 GB of memory, an hour and a half, and
#                          nothing else at work on the machine

PYTHON ?= python3
PY := .venv/bin/python
PIP := $(PY) -m pip --disable-pip-version-check --quiet

# Files whose age says what .venv holds.
VENV := .venv/.made
BASE := .venv/.installed
ALL := .venv/.installed-test-dev
BENCH := .venv/.installed-bench

.PHONY: train test lint zoo bench

train: $(BASE)
	$(PY) train.py --variant=wgan_gp

test: $(ALL)
	$(PY) -m pytest -n 2 --dist loadgroup

lint: $(ALL)
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	.venv/bin/lint-imports

zoo: $(BASE)
	$(PY) tools/zoo.py $(NAME) $(if $(SEEDS),--seeds $(SEEDS)) $(if $(BFLOAT16),--bfloat16)

bench: $(BENCH)
	$(PY) benchmarks/train_steps.py
	$(PY) benchmarks/sampling.py
	$(PY) benchmarks/ablations.py
	$(PY) benchmarks/profile_steps.py
	$(PY) benchmarks/folder_speed.py
	$(PY) benchmarks/commands_speed.py
	$(PY) benchmarks/workers_speed.py
	$(PY) benchmarks/metrics_speed.py

$(VENV):
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python >= 3.11 is needed: make PYTHON=python3.11")'
	$(PYTHON) -m venv .venv
	touch $@

$(BASE): pyproject.toml | $(VENV)
	@echo 'Installing into .venv: a few minutes the first time'
	$(PIP) install -e .
	touch $@

$(ALL): pyproject.toml | $(VENV)
	@echo 'Installing into .venv: a few minutes the first time'
	$(PIP) install -e '.[test,dev]'
	touch $@ $(BASE)

$(BENCH): pyproject.toml | $(VENV)
	@echo 'Installing into .venv: a few minutes the first time'
	$(PIP) install -e '.[bench]'
	touch $@ $(BASE)
