# syntax=docker/dockerfile:1
# Both images of Prism Router.
#   docker build --target extproc  -t prism-extproc:VERSION  .
#   docker build --target operator -t prism-operator:VERSION .
# The packages in them are pinned by hash in images/*.txt ("make image-requirements" renews them).
ARG PYTHON=python:3.13.15-slim-trixie

FROM ${PYTHON} AS build
ENV PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
# Without pip: what installs into it stays in this stage.
RUN python -m venv --without-pip /opt/prism

FROM build AS wheel
COPY images/build.txt images/
RUN pip install --require-hashes --only-binary :all: --requirement images/build.txt
COPY pyproject.toml README.md LICENSE ./
COPY examples/demo examples/demo
COPY examples/models/table.yaml examples/models/
COPY extproc extproc
COPY operator operator
RUN pip wheel --no-deps --no-build-isolation --wheel-dir /wheels .

# Dependencies first: they change less often than the code.
FROM build AS extproc-env
COPY images/extproc.txt images/
RUN pip --python /opt/prism/bin/python install --require-hashes --only-binary :all: \
        --requirement images/extproc.txt
RUN --mount=from=wheel,source=/wheels,target=/wheels \
    pip --python /opt/prism/bin/python install --no-deps /wheels/*.whl

FROM build AS operator-env
COPY images/operator.txt images/
RUN pip --python /opt/prism/bin/python install --require-hashes --only-binary :all: \
        --requirement images/operator.txt
RUN --mount=from=wheel,source=/wheels,target=/wheels \
    pip --python /opt/prism/bin/python install --no-deps /wheels/*.whl

FROM ${PYTHON} AS runtime
LABEL org.opencontainers.image.licenses=Apache-2.0
# Its packages bring their compiled code; nothing is written at run time. onnxruntime would send
# telemetry to its maker.
ENV ORT_DISABLE_TELEMETRY=1 \
    PATH=/opt/prism/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp
WORKDIR /
USER 65532:65532

FROM runtime AS extproc
LABEL org.opencontainers.image.title=prism-extproc
COPY --from=extproc-env /opt/prism /opt/prism
ENTRYPOINT ["prism"]
CMD ["--help"]

FROM runtime AS operator
LABEL org.opencontainers.image.title=prism-operator
COPY --from=operator-env /opt/prism /opt/prism
ENTRYPOINT ["prism-operator"]
CMD ["--help"]
