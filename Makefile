# Everything that is done to this repository. `make help` lists it.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

TOOL      := go tool -modfile=go.tools.mod
GOLANGCI  := bin/golangci-lint
HELM      := bin/helm
VERSION   ?= $(shell sed -n 's/^appVersion: *//p' manifests/chart/headstart/Chart.yaml)
export VERSION
# Rooms whose tests run under the race detector: the ones with goroutines. The others are pure.
RACE      := ./history/... ./gpuwarm/... ./adapter/... ./controller/...
FUZZTIME  ?= 20s
BENCHTIME ?= 1s
# Go leaves folders named testdata out of ./...: this one holds the generator of the synthetic traces.
LINTED    := ./... ./testdata/generate ./testdata/traces
# The end-to-end tests mostly wait, each on a control plane of its own: two packages at a time leave two cores air. The longest come
# first, so that neither is left over at the end.
E2E_FLAGS ?= -p=2 -count=1 -timeout=40m
E2E_TESTS ?= ./e2e/warm ./e2e ./e2e/kinds ./...

.PHONY: help
help: ## Show this list.
	@awk 'BEGIN {FS = ":.*## "} /^[a-zA-Z0-9_.-]+:.*## / {printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

##@ Build

.PHONY: build
build: ## Build bin/headstart and bin/kubectl-headstart.
	hack/build.sh
	ln -sf headstart bin/kubectl-headstart

.PHONY: generate
generate: ## Regenerate deepcopy code, CRDs, and the Helm chart's copies of the manifests.
	$(TOOL) controller-gen object:headerFile=hack/boilerplate.go.txt paths=./api/...
	$(TOOL) controller-gen crd paths=./api/... output:crd:artifacts:config=manifests/base/crds
	hack/chart.sh

.PHONY: figures
figures: ## Draw the figures of the documentation anew, by a replay with the forecaster as it is now.
	go run ./hack/figures -out docs/images

.PHONY: fmt
fmt: ## Format all Go files.
	$(TOOL) gofumpt -w . testdata

##@ Check

# The control plane comes first: the unit tests of history read from a real Prometheus where there is one.
.PHONY: test
test: bin unit race e2e ## Run every test: unit, race, end to end. Does its own set-up.

.PHONY: unit
unit: ## Run the unit tests of the product.
	@[ -x bin/prometheus ] || echo "NOTE: without bin/prometheus (make bin builds it) history is not tested against a real Prometheus"
	go test -timeout=30m ./...

.PHONY: race
race: ## Run the tests of the concurrent rooms under the race detector.
	go test -race -timeout=30m $(RACE)

# Built first, so that go test's time limit is the tests' own.
.PHONY: e2e
e2e: bin $(HELM) ## Run the end-to-end tests on a real control plane, which is built into bin/ when it is missing (about 13 minutes on 2 cores, once).
	cd test && go test $(E2E_FLAGS) $(E2E_TESTS)

.PHONY: fuzz
fuzz: ## Run every fuzz target for FUZZTIME (20s).
	hack/fuzz.sh $(FUZZTIME)

.PHONY: bench
bench: ## Run the benchmarks of the product for BENCHTIME (1s) each.
	go test -run='^$$' -bench=. -benchmem -benchtime=$(BENCHTIME) ./...

.PHONY: bench-adapter
bench-adapter: ## Measure the adapter against custom-metrics-apiserver's own test-adapter, interleaved.
	cd test && go test -run='^$$' -bench=. -benchtime=$(BENCHTIME) -timeout=30m ./...

.PHONY: bench-forecast
bench-forecast: build ## Measure the forecaster against its bars and write one table; BAR=speed, m4, calibration, loop or harm measures one.
	go run ./forecaster/bench $(BAR)

.PHONY: verify
verify: ## Check that generated files are current.
	hack/verify.sh

.PHONY: lint
lint: $(GOLANGCI) ## Lint both modules.
	@failed=0; \
	$(GOLANGCI) run $(LINTED) || failed=1; \
	(cd test && ../$(GOLANGCI) run --config ../.golangci.yml ./...) || failed=1; \
	exit $$failed

.PHONY: lint-fix
lint-fix: $(GOLANGCI) ## Let the linters mend what they can.
	$(GOLANGCI) run --fix $(LINTED)
	cd test && ../$(GOLANGCI) run --config ../.golangci.yml --fix ./...

$(GOLANGCI): go.lint.mod
	@echo "building golangci-lint into bin/ (one to six minutes, once)"
	@mkdir -p bin
	go build -modfile=go.lint.mod -trimpath -ldflags '-s -w' -o $@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint

.PHONY: vuln
vuln: ## Look for known vulnerabilities (needs vuln.go.dev).
	go run golang.org/x/vuln/cmd/govulncheck@v1.9.0 ./...

##@ Install and look

.PHONY: manifests
manifests: bin/kubectl ## Render every overlay into dist/.
	@mkdir -p dist
	@for o in manifests/overlays/*/; do n=$$(basename $$o); bin/kubectl kustomize $$o > dist/headstart-$$n.yaml; echo dist/headstart-$$n.yaml; done

.PHONY: chart
chart: $(HELM) ## Package the Helm chart into dist/.
	@mkdir -p dist
	$(HELM) package manifests/chart/headstart --destination dist

$(HELM): go.helm.mod
	@echo "building helm into bin/ (one to two minutes, once)"
	@mkdir -p bin
	go build -modfile=go.helm.mod -trimpath -ldflags '-s -w' -o $@ helm.sh/helm/v4/cmd/helm

bin/kubectl:
	@echo "building kubectl into bin/ (half a minute, once)"
	@mkdir -p bin
	cd test && go build -trimpath -ldflags '-s -w' -o ../$@ k8s.io/kubernetes/cmd/kubectl

.PHONY: image
image: ## Build the container image with docker.
	docker build --build-arg VERSION=$(VERSION) -t headstart.dev/headstart:$(VERSION) .

.PHONY: report-demo
report-demo: build ## Make dist/report.html: the dry run of a synthetic trace, as a page.
	@mkdir -p dist
	bin/headstart report --input testdata/office_hours_5m.csv.gz --lead 10m --capacity 20 --shortage-cost 20 --policies all --headroom --sweep -o html > dist/report.html
	@echo dist/report.html

.PHONY: clean
clean: ## Remove bin/ (what was built) and dist/.
	rm -rf bin dist

# The demo brings its own targets.
-include test/demo.mk
