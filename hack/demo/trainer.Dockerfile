# The CPU trainer with the models and rows of hack/tinymodel.
ARG MODELS_IMAGE=tinymodel
ARG TRAINER_IMAGE=reasoning-trainer:cpu

FROM ${MODELS_IMAGE} AS models

FROM ${TRAINER_IMAGE}
COPY --from=models / /
