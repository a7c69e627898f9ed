# The embedded study on a CPU, from the wheel: `docker build -t raft_exp . && docker run --rm raft_exp`.
# Results outside the container: `docker run --rm -v "$PWD/work:/work" raft_exp`. Other studies: append settings, as in
# `docker run --rm raft_exp python -m raft_exp +experiment=pubmedqa ...`.
FROM python:3.12-slim AS build
WORKDIR /src
RUN pip install --no-cache-dir build hatchling
COPY . .
RUN python -m build --wheel --no-isolation

FROM python:3.12-slim
# An index with torch's CPU build, which is ten times smaller. With TORCH_INDEX="" torch comes from the ordinary index.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
COPY --from=build /src/dist/*.whl /src/constraints.txt /tmp/
RUN pip install --no-cache-dir ${TORCH_INDEX:+--index-url $TORCH_INDEX} -c /tmp/constraints.txt torch \
 && pip install --no-cache-dir -c /tmp/constraints.txt /tmp/*.whl \
 && rm /tmp/*.whl /tmp/constraints.txt
WORKDIR /work
ENV TOKENIZERS_PARALLELISM=false
CMD ["python", "-m", "raft_exp"]
