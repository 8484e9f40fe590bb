# A Python (3.11, 3.12 or 3.13) and this file are all it takes: `make book`, `make test`.
# Works with GNU make 3.81, the one macOS brings.
PYTHON ?= python3
VENV ?= .venv

BIN := $(VENV)/bin
PYTHON_VERSION := $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
PYTHON_VERSIONS := 3.11 3.12 3.13
WRONG_PYTHON = This book needs Python $(PYTHON_VERSIONS) and `$(PYTHON)` is $(or $(PYTHON_VERSION),not there): name \
  another one, as in `make PYTHON=python3.12 book`
# Both files are the last thing their step writes, so an interrupted step is done again. The Python's version is in
# the name: another PYTHON makes the environment anew.
CREATED := $(VENV)/python-$(PYTHON_VERSION)
INSTALLED := $(VENV)/installed-$(PYTHON_VERSION)

KERAS_BACKEND ?= tensorflow
TF_CPP_MIN_LOG_LEVEL ?= 2
export KERAS_BACKEND TF_CPP_MIN_LOG_LEVEL

.PHONY: help venv book serve test check contract screenshots lighthouse bench release lock clean

help:
	@echo 'make book   build the book into _build/html, running the notebooks that changed'
	@echo 'make serve  show the built book at http://127.0.0.1:8000'
	@echo 'make test   check the style and run the tests'
	@echo 'make check  check the style only'
	@echo 'make screenshots  picture all pages of the built book, desk and phone, light and dark, into _build/screenshots'
	@echo 'make lighthouse   score the built book: performance, accessibility, best practices'
	@echo 'make contract     run all notebooks on the packages of Colab, table in _build/colab.txt'
	@echo 'make bench  time the preprocessing (of a real set: make bench DATA=FOLDER), the network, training'
	@echo 'make venv   only create $(VENV) with the locked packages'
	@echo 'make release      name this version in badges and install lines (REF=main: the branch again)'
	@echo 'make lock   compile requirements.txt from pyproject.toml'
	@echo 'make clean  remove the built book and the caches, but not $(VENV)'
	@echo
	@echo 'PYTHON=python3.12 chooses the Python; SSRNET_RUNG, SSRNET_DATASET and SSRNET_DATA reach the notebooks.'

venv: $(INSTALLED)

# uv itself comes from the lock like everything else: pip can read the part of the lock that is about it.
$(CREATED):
	$(if $(filter $(PYTHON_VERSION),$(PYTHON_VERSIONS)),,$(error $(WRONG_PYTHON)))
	$(PYTHON) -m venv --clear $(VENV)
	awk '/^[a-z]/ { wanted = /^uv==/ } wanted' requirements.txt > $(VENV)/uv.txt
	$(BIN)/python -m pip install --quiet --require-hashes --requirement $(VENV)/uv.txt
	touch $@

# --no-config: the constraints that [tool.uv] has for `make lock` carry no hashes, and --require-hashes would refuse them.
# Compiled here once: where PYTHONDONTWRITEBYTECODE is set, as in many containers, every kernel and every program of the
# tests would compile TensorFlow for itself, which takes longer than importing it.
$(INSTALLED): $(CREATED) requirements.txt pyproject.toml
	$(BIN)/uv pip install --no-config --python $(BIN)/python --compile-bytecode --require-hashes \
	  --requirement requirements.txt
	$(BIN)/uv pip install --no-config --python $(BIN)/python --no-deps --no-build-isolation --editable .
	touch $@

book: $(INSTALLED)
	$(BIN)/jupyter-book build . -W --keep-going -n

serve: book
	$(BIN)/python -m http.server --bind 127.0.0.1 --directory _build/html 8000

test: check
	$(BIN)/python -m pytest -n 2 --dist worksteal $(TESTS)

check: $(INSTALLED)
	$(BIN)/ruff check .

contract: $(INSTALLED)
	$(BIN)/python tests/colab.py $(COLAB_PYTHON)

screenshots: $(INSTALLED)
	$(BIN)/python tests/screenshots.py

lighthouse: $(INSTALLED)
	$(BIN)/python tests/lighthouse.py

bench: $(INSTALLED)
	$(BIN)/python benchmarks/preprocessing.py $(DATA)
	$(BIN)/python benchmarks/forward.py
	$(BIN)/python benchmarks/training.py

release: $(INSTALLED)
	$(BIN)/python book/name_release.py $(REF)

lock: $(INSTALLED)
	$(BIN)/uv pip compile --universal --generate-hashes --python-version 3.11 --all-extras --no-emit-index-url \
	  --no-header --output-file requirements.txt pyproject.toml

clean:
	rm -rf _build .pytest_cache .ruff_cache .hypothesis
