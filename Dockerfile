# GPU-capable: torch's Linux wheels from PyPI carry CUDA; start with `docker run --gpus all …`.
# On a machine without a GPU the same image works with the sketch engine, or on the CPU.
FROM python:3.11-slim-bookworm

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PYTHONUNBUFFERED=1 \
    HF_HOME=/cache/huggingface \
    ALBUMGEN_DATA_DIR=/data

# make runs the targets; gcc builds the optional MusicGen kernel; the fonts write album titles that are not in Latin, Greek or Cyrillic letters.
RUN apt-get update \
    && apt-get install --no-install-recommends --yes gcc libc6-dev make fonts-noto-core fonts-noto-cjk \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 10001 albumgen \
    && mkdir -p /app /data /cache/huggingface \
    && chown -R albumgen:albumgen /app /data /cache

USER albumgen
WORKDIR /app

# The environment first: it changes far less often than the code.
COPY --chown=albumgen:albumgen pyproject.toml constraints.txt Makefile README.md ./
COPY --chown=albumgen:albumgen albumgen_core/__init__.py albumgen_core/
COPY --chown=albumgen:albumgen albumgen_core/engines/neural/musicgen/_native*.[ch] albumgen_core/engines/neural/musicgen/
COPY --chown=albumgen:albumgen bot/__init__.py bot/
COPY --chown=albumgen:albumgen cogs/__init__.py cogs/
RUN make setup

COPY --chown=albumgen:albumgen . .
# A fresh checkout's files are younger than an environment out of the layer cache; its content is the same, and
# `make run` must not install it again at every start.
RUN touch .venv/.installed

# Weights are kept in the hub cache, jobs and results in the data folder: neither belongs in the image.
VOLUME ["/cache/huggingface", "/data"]

# Liveness only: /readyz tells whether Discord and the worker are there.
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD [".venv/bin/python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:9464/healthz', timeout=4)"]

# make passes SIGTERM on and waits; give the bot longer than its grace_seconds: `docker stop --time 40`.
CMD ["make", "run"]
