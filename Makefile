# Everything that is done to this repository. `make help` lists it.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

TOOL      := go tool -modfile=go.tools.mod
GOLANGCI  := bin/golangci-lint
HELM      := bin/helm
# Builds programs into bin/ where they are missing or out of date: those named, or the control
# plane.
BUILD     := cd test && go run ./build
# Makes images and releases. It is a module of its own, so that the product does not depend on what
# it needs.
RELEASE   := cd build && go run .
VERSION   ?= $(shell sed -n 's/^appVersion: *//p' manifests/chart/headstart/Chart.yaml)
export VERSION
# The image's place, without a tag, and what it runs on.
IMAGE     ?= headstart.dev/headstart
PLATFORMS ?= linux/amd64,linux/arm64
RELEASE_PLATFORMS ?= linux/amd64,linux/arm64,darwin/amd64,darwin/arm64,windows/amd64,windows/arm64
# Where images and releases are written.
DIST      ?= dist
# The address of the project: its releases are below.
HOME_URL  ?= https://headstart.dev/headstart
RELEASE_FLAGS = -version='$(VERSION)' -image='$(IMAGE)' -platforms='$(PLATFORMS)' -home='$(HOME_URL)' -dist='$(abspath $(DIST))'
FUZZTIME  ?= 20s
BENCHTIME ?= 1s
# How many Forecasts bench-scale measures.
N         ?= 300
STORM     ?= 15m
SEEDS     ?= 1 2 3 4 5
# Which packages are tested how. A list is made when a recipe runs.
PACKAGES   = $$(hack/packages.sh $(1))
# The end-to-end tests mostly wait, each on a control plane of its own, so two packages at a time
# keep two cores busy enough.
E2E_FLAGS ?= -p=2 -count=1 -timeout=40m

.PHONY: help
help: ## Show this list.
	@awk 'BEGIN {FS = ":.*## "} /^[a-zA-Z0-9_.-]+:.*## / {printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

##@ Build

.PHONY: build
build: ## Build bin/headstart and bin/kubectl-headstart.
	hack/build.sh
	ln -sf headstart bin/kubectl-headstart

.PHONY: generate
generate: ## Regenerate deepcopy code, CRDs, docs/api.md, gRPC code, and the Helm chart's copies of the manifests.
	$(TOOL) controller-gen object:headerFile=hack/boilerplate.go.txt paths=./api/...
	hack/crds.sh
	go run ./hack/apiref > docs/api.md.new && mv docs/api.md.new docs/api.md
	go run -modfile=go.tools.mod adapter/externalscaler/pb/protoc.go adapter/externalscaler/pb/externalscaler.proto
	hack/chart.sh

.PHONY: figures
figures: ## Draw the figures of the documentation, by a replay with the present forecaster.
	go run ./hack/figures -out docs/images

.PHONY: fmt
fmt: ## Format all Go files.
	$(TOOL) gofumpt -w . testdata

##@ Check

.PHONY: quick
quick: vet lint-changed unit ## Check a change in a minute or two: vet, lint what changed, unit tests. No control plane.

.PHONY: test
test: bin ## Run every test once. Builds the control plane into bin/ where it is missing.
	@$(MAKE) --no-print-directory -j2 --output-sync=target beside e2e

# End-to-end tests mostly wait. What they leave of the processor is enough for the unit tests.
.PHONY: beside
beside:
	@nice -n 19 $(MAKE) --no-print-directory -j1 plain race

.PHONY: vet
vet: ## Run go vet over all modules.
	go vet $(call PACKAGES,product)
	cd test && go vet ./...
	cd build && go vet ./...

# What -short leaves out runs in make test. Vet has its own target.
.PHONY: unit
unit: ## Run the unit tests with fewer and shorter cases, without the race detector.
	go test -short -vet=off -timeout=30m $(call PACKAGES,product)
	cd test && go test -short -vet=off -timeout=30m $$(../hack/packages.sh quick)
	cd build && go test -short -vet=off -timeout=30m ./...

.PHONY: plain
plain: ## Run the unit tests of the packages without goroutines.
	go test -timeout=30m $(call PACKAGES,plain)
	go test -timeout=30m -run='^TestServingPlansWhatTheReplayPlans$$' ./controller # fewer cases under the race detector
	cd test && go test -timeout=30m $$(../hack/packages.sh quick)
	cd build && go test -timeout=30m ./...

.PHONY: race
race: ## Run the unit tests of the packages with goroutines, under the race detector.
	@[ -x bin/prometheus ] || echo "NOTE: history is not tested against a real Prometheus, which make bin builds"
	go test -race -timeout=30m $(call PACKAGES,race)

# The binaries are built first, so that go test's time limit is the tests' own.
.PHONY: smoke
smoke: e2e-bin ## Run the end-to-end tests of the common case, on a real control plane.
	cd test && go test $(E2E_FLAGS) $$(../hack/packages.sh smoke)

.PHONY: full
full: e2e-bin keda-bin $(HELM) ## Run all other end-to-end tests.
	cd test && go test $(E2E_FLAGS) $$(../hack/packages.sh full)

.PHONY: e2e-bin
e2e-bin:
	@$(BUILD) control-plane headstart

.PHONY: keda-bin
keda-bin: ## Build KEDA's operator and metrics adapter into bin/, for their end-to-end test.
	@$(BUILD) keda

.PHONY: e2e
e2e: smoke full ## Run all end-to-end tests.

.PHONY: storm
storm: e2e-bin ## Let faults of all kinds happen, for STORM (15m) with each of SEEDS (1 2 3 4 5).
	cd test && for seed in $(SEEDS); do \
		go test ./e2e/storm -count=1 -v -timeout=60m -seed=$$seed -storm=$(STORM); \
	done

.PHONY: fuzz
fuzz: ## Run every fuzz target for FUZZTIME (20s).
	hack/fuzz.sh $(FUZZTIME)

.PHONY: bench
bench: ## Run the benchmarks of the product for BENCHTIME (1s) each.
	go test -run='^$$' -bench=. -benchmem -benchtime=$(BENCHTIME) ./...

.PHONY: bench-adapter
bench-adapter: ## Measure all doors, calm and disturbed, against custom-metrics-apiserver's own test-adapter.
	@$(BUILD) control-plane headstart test-adapter
	cd test && go test -run='^$$' -bench=. -benchtime=1x -timeout=30m ./bench
	cd test && go test -run='^$$' -bench=Serving -benchtime=1x -timeout=30m ./bench \
		-args -metrics=10000 -reviewed=false -build=false

.PHONY: bench-scale
bench-scale: ## Measure N=300 Forecasts on a real control plane; N=300,1000,3000 also gives what one more costs.
	@$(BUILD) control-plane headstart && go run ./scale -n '$(N)' $(SCALE_FLAGS)

.PHONY: bench-forecast
bench-forecast: build ## Measure the forecaster; BAR=speed, m4, calibration, loop, young or harm measures one part.
	go run ./forecaster/bench $(BAR)

.PHONY: verify
verify: ## Check that generated files are current.
	hack/verify.sh

.PHONY: lint
lint: $(GOLANGCI) ## Lint all modules.
	hack/lint.sh

.PHONY: lint-changed
lint-changed: $(GOLANGCI) ## Lint the packages that differ from main's.
	hack/lint.sh --changed

.PHONY: lint-fix
lint-fix: $(GOLANGCI) ## Let the linters fix what they can.
	hack/lint.sh --fix

$(GOLANGCI): go.lint.mod
	@echo "building golangci-lint into bin/ (one to six minutes, once)"
	$(BUILD) golangci-lint

.PHONY: vuln
vuln: ## Look for known vulnerabilities (needs vuln.go.dev).
	go run golang.org/x/vuln/cmd/govulncheck@v1.9.0 ./...

##@ Install and look

.PHONY: manifests
manifests: bin/kubectl ## Render every overlay into dist/.
	@mkdir -p dist
	@for overlay in manifests/overlays/*/; do \
		file=dist/headstart-$$(basename $$overlay).yaml; \
		bin/kubectl kustomize $$overlay > $$file; \
		echo $$file; \
	done

.PHONY: chart
chart: $(HELM) ## Package the Helm chart into dist/.
	@mkdir -p dist
	$(HELM) package manifests/chart/headstart --destination dist

$(HELM): go.helm.mod
	@echo "building helm into bin/ (one to two minutes, once)"
	$(BUILD) helm

bin/kubectl:
	$(BUILD) kubectl

.PHONY: image
image: ## Make the container image IMAGE in dist/, for PLATFORMS. No container engine is needed.
	$(RELEASE) image $(RELEASE_FLAGS)

.PHONY: image-push
image-push: ## Push the image that make image has made, to IMAGE=registry.example/team/headstart.
	$(RELEASE) push $(RELEASE_FLAGS)

.PHONY: release
release: ## Make everything of a release VERSION=v0.1.0, in dist/VERSION/: see docs/releasing.md.
	$(RELEASE) release $(RELEASE_FLAGS) -platforms='$(RELEASE_PLATFORMS)'

.PHONY: size
size: ## Say how much of the binary each module is.
	$(RELEASE) size $(RELEASE_FLAGS)

.PHONY: report-demo
report-demo: build ## Make dist/report.html: the dry run of a synthetic trace, as a page.
	@mkdir -p dist
	bin/headstart report --input testdata/office_hours_5m.csv.gz --lead 10m --capacity 20 --shortage-cost 20 \
		--policies all --headroom --sweep -o html > dist/report.html
	@echo dist/report.html

.PHONY: clean
clean: ## Remove bin/ (what was built) and dist/.
	rm -rf bin dist

.PHONY: bin
bin: ## Build the control plane and KEDA into bin/, where they are missing.
	@$(BUILD) control-plane keda

##@ Demo

.PHONY: demo
demo: ## Watch two services on a real control plane. TRACE=file.csv replays your demand; DEMO_FLAGS=-help lists more.
	@$(BUILD) control-plane headstart demo && exec ../bin/demo $(if $(TRACE),-trace='$(abspath $(TRACE))') $(DEMO_FLAGS)
