##@ Demo

.PHONY: demo
demo: ## Watch two services under one demand on a real control plane on this machine. TRACE=file.csv replays your own; DEMO_FLAGS=-help lists more.
	@cd test && go build -trimpath -o ../bin/demo ./demo && exec ../bin/demo $(if $(TRACE),-trace='$(abspath $(TRACE))') $(DEMO_FLAGS)

.PHONY: bin
bin: ## Build what the local control plane is made of into bin/, where it is missing.
	@cd test && go build -trimpath -o ../bin/demo ./demo && exec ../bin/demo -build
