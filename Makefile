# Sona Hub. `make` lists what there is; README.md explains it.
.DEFAULT_GOAL := help
SHELL := /bin/bash

export CGO_ENABLED ?= 0
export GOFLAGS := -buildvcs=false

MUSIC ?=
ROOMS ?=
LAB   ?=
GOLANGCI := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
TEMPL    := github.com/a-h/templ/cmd/templ@v0.3.977
FUZZTIME ?= 60s
FUZZDIR  ?= airplay firmware homekit hub sne sonos ui wallet

.PHONY: help run build test lab soak fuzz bench lint generate

help: ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 16

build: ## the commands, into bin/
	go build -trimpath -o bin/ ./hub/cmd/...

run: build ## platform and hub on this machine; MUSIC=folder, ROOMS=all
	@m="$(MUSIC)"; exec ./bin/sonademo $${m:+--music "$${m/#\~/$$HOME}"} $(if $(ROOMS),--rooms "$(ROOMS)")

test: ## everything that needs no root, under 5 minutes
	go vet ./...
	go test -timeout 8m ./...

lab: ## against real peers, needs root; LAB=airplay for one
	go test -tags lab -p 1 -count=1 -timeout 20m -v ./hub/lab/$(if $(LAB),$(LAB)/...,...)

soak: ## the long lengths and counts, by hand; LAB=airplay for one lab
	SONAHUB_SOAK=1 go test -count=1 -timeout 3h -v $(if $(LAB),-tags lab ./hub/lab/$(LAB)/...,-run 'Kill|Outage' ./hub/app/...)

# A run that ends with "context deadline exceeded" and no failing input only ended: a busy toolchain takes its own end for a failure.
fuzz: ## every fuzz target, FUZZTIME each, then a table; FUZZDIR=sne for some
	@table=$$(mktemp -d) && trap 'rm -r "$$table"' EXIT && failed=0; \
	for pkg in $$(grep -rl --include='*_test.go' '^func Fuzz' $(FUZZDIR) | xargs -n1 dirname | sort -u); do \
	  for f in $$(grep -h '^func Fuzz' $$pkg/*_test.go | sed -E 's/^func (Fuzz[A-Za-z0-9_]*).*/\1/'); do \
	    echo "== $$pkg $$f"; result=ok; \
	    go test -run '^$$' -fuzz "^$$f\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x ./$$pkg >"$$table/run" 2>&1 || \
	      if grep -q '^    context deadline exceeded' "$$table/run" && ! grep -q 'Failing input' "$$table/run"; then result=ok; \
	      else result=FAILED; failed=1; cat "$$table/run"; fi; \
	    sed -nE 's/.*execs: ([0-9]+).*new interesting: ([0-9]+) \(total: ([0-9]+)\).*/\1 \2 \3/p' "$$table/run" | tail -n1 | { read -r execs new all; echo "$$pkg $$f $${execs:-0} $${new:-0} $${all:-0} $$result" >>"$$table/all"; }; \
	  done; done; \
	awk 'BEGIN { print "package target executions new_interesting corpus result" } { print; n += $$3 } END { print "total", NR, n, "-", "-", "-" }' "$$table/all" | column -t; exit $$failed

bench: ## the figures of the design beside a peer or a bare primitive; writes BENCHMARKS.md
	SONAHUB_BENCH=1 go test -count=1 -timeout 30m -run '^TestBench' -v ./hub/lab/bench

lint: ## golangci-lint, the linters and their reasons are in .golangci.yml
	go run $(GOLANGCI) run ./...

generate: ## templates to Go
	go run $(TEMPL) generate -include-version=false ./ui
