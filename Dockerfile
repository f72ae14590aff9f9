# spec2 with all that trains, generates, simulates and serves; no vendor tool.
#
#     docker build -t spec2 .
#     docker run --rm -v "$PWD:/work" --user "$(id -u):$(id -g)" spec2 demo
#
# tests/test_dockerfile.py holds every step; make test-wheel takes them in a clean environment, without Docker.
FROM python:3.11-slim-bookworm

# Verilator's output is compiled, with clang into quicker simulators; the last two are for boards on JTAG.
RUN apt-get update \
    && apt-get install -y --no-install-recommends clang g++ make perl libusb-1.0-0 libftdi1-2 \
    && rm -rf /var/lib/apt/lists/*

# torch without CUDA, from its own index; everything else from the registry.
RUN pip install --no-cache-dir torch==2.13.0 --index-url https://download.pytorch.org/whl/cpu

COPY . /src
RUN pip install --no-cache-dir '/src[pruning,serve,sweep,tensorboard]' && rm -rf /src/build

# Whoever runs it need not be root: caches find a folder by themselves (hw/util/caches.py).
WORKDIR /work
ENTRYPOINT ["spec2"]
CMD ["--help"]
