SHELL := /bin/bash
TOOL := go tool -modfile=go.tools.mod

.PHONY: generate
generate: ## Regenerate deepcopy code, CRDs and RBAC.
	$(TOOL) controller-gen object:headerFile=hack/boilerplate.go.txt paths=./api/...
	$(TOOL) controller-gen crd paths=./api/... output:crd:artifacts:config=manifests/base/crds
