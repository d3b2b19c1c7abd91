# make train                          draw the demo faces and train a small network on them
# make train DATASET=path EPOCH=20    train the full 64x64 network on your own folder
# make page                           open a page to play with a trained network
# make test                           lint and tests
# make soak                           the long tests: faults by the dozen, memory over epochs
# make bench                          measure training on this machine
# make setup                          only install into .venv

PYTHON ?= python3
EPOCH ?= $(if $(DATASET),25,22)
ARGS ?=
BIN := .venv/bin
# Else `user = true` in pip's own settings breaks the installation, and Python does not find the project's modules
export PIP_USER = 0
unexport PYTHONSAFEPATH

.PHONY: setup train page test soak bench

setup: .venv/train.installed

.venv/bin/python:
	@$(PYTHON) -c 'import cli.program'
	@$(PYTHON) -m venv .venv || { rm -rf .venv; echo "install Python's venv module first (Debian: apt install python3-venv)"; exit 1; }

.venv/train.installed: requirements.txt | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

.venv/page.installed: requirements-page.txt .venv/train.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-page.txt
	@touch $@

.venv/dev.installed: requirements-dev.txt .venv/page.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

ifdef DATASET
export DATASET  # so that the shell quotes it
train: setup
	$(BIN)/python train-dcgan.py --dataset "$$DATASET" --epoch $(EPOCH) $(ARGS)
else
train: setup
	$(BIN)/python -m photos.demo data/demo --n 2048
	$(BIN)/python train-dcgan.py --dataset data/demo --epoch $(EPOCH) --batch_size 32 --gf_dim 32 --df_dim 32 \
		--precision auto --ema 0.995 --name demo $(ARGS)
endif

page: .venv/page.installed
	$(BIN)/python page.py $(ARGS)

test: .venv/dev.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m pytest -q -n 2 --dist worksteal

soak: .venv/dev.installed
	$(BIN)/python -m pytest -q -n 2 -m soak --durations 0

bench: setup
	$(BIN)/python -m benchmarks.train
	$(BIN)/python -m benchmarks.operations
