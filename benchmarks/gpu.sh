#!/bin/bash
# The table of a training step on one GPU: `benchmarks/gpu.sh [FOLDER]` writes its figures as JSON to FOLDER.
#
# 3B and 7B models in Qwen2.5's shapes; raft_exp, raft_exp compiled, a bare loop and TRL (where it is installed). About
# four minutes on an H100; the most important rows come first. With ACCELERATOR=cpu: a tiny model, to try the script.
set -u
cd "$(dirname "$0")/.."
out=${1:-.}
python=${PYTHON:-python3}
accelerator=${ACCELERATOR:-gpu}
export PYTHONPATH=$PWD${PYTHONPATH:+:$PYTHONPATH} PYTHONUNBUFFERED=1 PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True

trl=() liger=()
"$python" -c 'import trl' 2>/dev/null && trl=("TRL padded" "TRL padding-free" "TRL packing")
"$python" -c 'import trl, liger_kernel' 2>/dev/null && liger=("TRL Liger")

measure() { # name, model, rows, batch, contenders ...
    local name=$1 model=$2 rows=$3 batch=$4
    shift 4
    local count=$((2 * batch)) repeats=${REPEATS:-4}
    [ "$accelerator" = cpu ] && model=small batch=2 count=2 repeats=1
    echo "== $name"
    "$python" benchmarks/training.py --accelerator "$accelerator" --model "$model" --rows "$rows" --batch "$batch" \
        --count "$count" --repeats "$repeats" --threads "${THREADS:-4}" --json "$out/$name.json" --contenders "$@"
}

compiled=("raft_exp compiled")
[ "$accelerator" = cpu ] && compiled=() # needs a C++ compiler there
measure pubmedqa_3b 3b pubmedqa 8 raft_exp "bare loop" "${compiled[@]}" "${trl[@]}" "${liger[@]}"
measure pubmedqa_7b 7b pubmedqa 8 raft_exp "${compiled[@]}"
measure nq_3b 3b nq 4 raft_exp "bare loop" "${compiled[@]}" "${trl[@]:0:2}"
