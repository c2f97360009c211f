# air in an image: built from source by the project's own scripts, installed from its wheel. torch brings CUDA with it, so the
# same image runs with and without a GPU:
#   docker build -t air .
#   docker run --rm --gpus all -v "$PWD:/data" air score --model /data/model --heads heads.json traces.jsonl -o scored.jsonl
FROM debian:12 AS build
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates git python3 && rm -rf /var/lib/apt/lists/*
COPY . /air
WORKDIR /air
RUN scripts/make_wheel.sh

FROM debian:12
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates python3-venv && rm -rf /var/lib/apt/lists/*
COPY --from=build /air/dist/ /dist/
RUN python3 -m venv /opt/air && /opt/air/bin/pip install --no-cache-dir "$(echo /dist/*.whl)[parquet]" && rm -r /dist
ENV PATH=/opt/air/bin:$PATH
WORKDIR /data
ENTRYPOINT ["air"]
