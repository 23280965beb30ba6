# rcae with a model service as its default command; runs without root and downloads nothing at start.
#
#   docker build -t rcae .                          PyTorch for CPUs
#   docker build -t rcae:cuda --build-arg TORCH=cu130 .
#   docker run --rm -p 127.0.0.1:8000:8000 -v ./runs:/runs:ro -v ./key:/run/secrets/key:ro -v record:/data \
#     rcae serve /runs/parts --host 0.0.0.0 --api-key-file /run/secrets/key
ARG PYTHON=3.12
FROM python:${PYTHON}-slim AS build
# Name of PyTorch's wheel index: cpu, or cu130 for NVIDIA GPUs.
ARG TORCH=cpu
RUN python -m venv /opt/rcae
ENV PATH=/opt/rcae/bin:$PATH PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
COPY constraints.txt /source/
# PyTorch comes first: it is large, and a change of our own code need not install it again.
RUN pip install -c /source/constraints.txt --index-url https://download.pytorch.org/whl/${TORCH} torch
COPY pyproject.toml setup.py README.md LICENSE NOTICE /source/
COPY src /source/src
RUN pip install -c /source/constraints.txt "/source[train,export,sign,line,ray,remote]"

FROM python:${PYTHON}-slim
COPY --from=build /opt/rcae /opt/rcae
RUN useradd --uid 10001 --user-group --no-create-home rcae \
 && install -d -o rcae -g rcae /data
ENV PATH=/opt/rcae/bin:$PATH PYTHONUNBUFFERED=1 HOME=/data MPLCONFIGDIR=/tmp
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8000
# It asks the service; commands that end by themselves end before it matters.
HEALTHCHECK --interval=30s --timeout=5s --start-period=120s CMD ["python", "-c", \
  "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/ready', timeout=4)"]
ENTRYPOINT ["rcae"]
CMD ["--help"]
