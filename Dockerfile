# The operator's image: Python, three libraries and two packages of ours.
#
#   docker build -t reasoning-operator .
#
# BASE_IMAGE is any Debian-based image with Python >= 3.11 and its venv module. On top of it come 24 MB.
ARG BASE_IMAGE=python:3.12.12-slim-bookworm

FROM ${BASE_IMAGE} AS build
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends binutils >/dev/null
WORKDIR /build
COPY operator/requirements.txt constraints.txt ./
RUN python3 -m venv --without-pip /opt/venv \
 && python3 -m venv /tmp/pip \
 && /tmp/pip/bin/pip --python /opt/venv/bin/python3 install --quiet -c constraints.txt -r requirements.txt pydantic PyYAML \
 && find /opt/venv -name '*.so' -exec strip --strip-unneeded {} +
# What is in it, in CycloneDX: names, versions and licences of the Python packages.
COPY tools/sbom.txt ./
RUN /tmp/pip/bin/pip install --quiet -c constraints.txt -r sbom.txt \
 && /tmp/pip/bin/cyclonedx-py environment --output-reproducible --output-format JSON --output-file /build/sbom.cdx.json \
      /opt/venv/bin/python3

FROM ${BASE_IMAGE}
ARG BASE_IMAGE
ARG VERSION=0.1.0
LABEL org.opencontainers.image.title="reasoning-operator" \
      org.opencontainers.image.description="Runs ReasoningTrainingJobs" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.base.name="${BASE_IMAGE}"
COPY --from=build /opt/venv /opt/venv
COPY --from=build /build/sbom.cdx.json /usr/share/sbom/reasoning-operator.cdx.json
COPY operator/reasoning_operator /app/reasoning_operator
COPY trainer_image/reasoning_contract /app/reasoning_contract
# the root file system is read-only when it runs: it could not keep what it compiles
RUN /opt/venv/bin/python3 -m compileall -q --invalidation-mode unchecked-hash /app
ENV PATH=/opt/venv/bin:$PATH PYTHONPATH=/app PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 65532:65532
WORKDIR /tmp
ENTRYPOINT ["python3", "-m", "reasoning_operator"]
