# The CPU trainer with the models and rows of hack/tinymodel.
ARG MODELS_IMAGE=tinymodel
ARG TRAINER_IMAGE=reasoning-trainer:cpu

FROM ${MODELS_IMAGE} AS models

FROM ${TRAINER_IMAGE}
# The image consists of nothing but the models and the rows.
# hadolint ignore=DL3067
COPY --from=models / /
