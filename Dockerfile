# On Linux, PyTorch from PyPI carries CUDA: start with `docker run --gpus all …`. Without a GPU the same image
# works with the sketch engine, or on the CPU; `docker build --build-arg CPU=1 .` makes a smaller one, with
# PyTorch's CPU build.
FROM python:3.11-slim-bookworm

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PYTHONUNBUFFERED=1 \
    HF_HOME=/cache/huggingface \
    ALBUMGEN_DATA_DIR=/data

# make sets the environment up; gcc builds the optional MusicGen kernel, which needs libgomp1 to run. The fonts
# write album titles in any script, emoji included; the sketch engine plays with the SoundFont (MIT). tini is
# process 1: it reaps orphaned processes and passes signals on.
RUN apt-get update \
    && apt-get install --no-install-recommends --yes \
        fonts-noto-cjk fonts-noto-color-emoji fonts-noto-core gcc libc6-dev libgomp1 make \
        musescore-general-soundfont-small tini \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 10001 albumgen \
    && mkdir -p /app /data /cache/huggingface \
    && chown -R albumgen:albumgen /app /data /cache

USER albumgen
WORKDIR /app

# The environment first: it changes far less often than the code.
ARG CPU=
COPY --chown=albumgen:albumgen pyproject.toml constraints.txt Makefile README.md ./
COPY --chown=albumgen:albumgen albumgen_core/__init__.py albumgen_core/
COPY --chown=albumgen:albumgen albumgen_core/engines/neural/musicgen/_native*.[ch] albumgen_core/engines/neural/musicgen/
COPY --chown=albumgen:albumgen bot/__init__.py bot/
COPY --chown=albumgen:albumgen cogs/__init__.py cogs/
RUN make setup RUNTIME=1 CPU="$CPU"

COPY --chown=albumgen:albumgen . .

# Weights are kept in the hub cache, jobs and results in the data folder: neither belongs in the image.
VOLUME ["/cache/huggingface", "/data"]

# Liveness only: /readyz tells whether the engine is there too.
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s \
    CMD ["/app/.venv/bin/python", "-m", "bot.monitoring.healthcheck"]

# SIGTERM stops the bot politely, with exit status 0; give it longer than its grace_seconds:
# `docker stop --time 40`.
ENTRYPOINT ["/usr/bin/tini", "--"]
CMD ["/app/.venv/bin/albumgen-bot"]
