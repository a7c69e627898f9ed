#!/bin/sh
# Builds the image of the Dockerfile and runs its command. Without a Docker daemon the steps of the Dockerfile run in a new
# virtual environment, with the study in its short form: TORCH_INDEX="" takes torch from the ordinary index.
set -eu
cd "$(dirname "$0")/.."
if docker info >/dev/null 2>&1; then
  docker build --tag raft_exp .
  exec docker run --rm raft_exp
fi
echo "no Docker daemon: the steps of the Dockerfile in a new environment"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/build"
"$work/build/bin/pip" install --quiet --disable-pip-version-check build hatchling
"$work/build/bin/python" -m build --wheel --no-isolation --outdir "$work/dist" . >/dev/null
"${PYTHON:-python3}" -m venv "$work/run"
"$work/run/bin/pip" install --quiet --disable-pip-version-check ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} -c constraints.txt torch
"$work/run/bin/pip" install --quiet --disable-pip-version-check -c constraints.txt "$work"/dist/*.whl
mkdir "$work/work"
cd "$work/work"
"$work/run/bin/python" -m raft_exp +debug=short
