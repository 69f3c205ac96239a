# Targets are listed by `make help`. All of them work on a fresh clone with Go, git and make. The race detector
# needs cgo, and that a C compiler (except on macOS): where there is none tests run without it, and say so.

STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
MODULES     := $(sort $(dir $(shell git ls-files --cached --others --exclude-standard go.mod '*/go.mod')))

RACE        := $(if $(or $(filter 1,$(shell go env CGO_ENABLED)),$(filter darwin,$(shell go env GOOS))),-race)

# each runs a command in every module, stopping at the first that fails.
each = @set -e; for dir in $(MODULES); do echo "== $$dir: $(strip $(1))"; (cd $$dir && $(1)); done

norace = $(if $(RACE),,@echo "no C compiler (cgo): the race detector is left out")

.PHONY: help
help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1	\2/p' $(MAKEFILE_LIST) | expand -t 18

.PHONY: run
run: ## start the example program, a small shop with a page to watch, on localhost:8080
	cd examples/orders && go run . -demo

.PHONY: demo
demo: ## take a tour of the example program by itself: what the client sees, beside what the tasks do
	cd examples/orders && go run ./demo

.PHONY: test
test: ## run all tests of all modules under the race detector, then those that it would disturb or slow down
	$(call norace)
	$(call each, go test $(RACE) ./...)
	go test -run 'PlainGoroutine|Allocations|PendingListIsSmall|NoTaskIsLost' ./bgtasks ./chimw

.PHONY: durable
durable: ## kill processes with durable tasks 50 times under load, on SQLite and Postgres
	$(call norace)
	cd bgtasks/bgriver && BGRIVER_KILLS=50 go test $(RACE) -count=1 -v -timeout 20m -run 'Killed|Outage' .

.PHONY: short
short: ## run the tests that take little time
	$(call each, go test -short ./...)

.PHONY: suites
suites: ## run the test suites of chi, cors and httprate with and without the middleware, and compare
	go run ./internal/suites

.PHONY: fuzz
FUZZTIME ?= 1m
fuzz: ## fuzz every target for FUZZTIME, 1m
	@set -e; for dir in bgtasks chimw internal/compat; do listed=$$(cd $$dir && go test -list '^Fuzz' .); \
		for target in $$(echo "$$listed" | grep '^Fuzz'); do \
		echo "== $$dir: $$target"; \
		(cd $$dir && go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 3s .); done; done

.PHONY: leaks
leaks: ## run the library's tests with the profile of goroutines that can never go on, where this Go has it
	@if GOEXPERIMENT=goroutineleakprofile go version >/dev/null 2>&1; then \
		GOEXPERIMENT=goroutineleakprofile go test ./...; else echo "skipped: this Go has no goroutineleakprofile"; fi

.PHONY: bench
bench: ## measure what requests and tasks cost, beside what one would write instead; takes minutes
	cd internal/bench && go build -o bench . && ./bench $(BENCHFLAGS)

.PHONY: profile
profile: ## profile a request with one task, from two cores at once: cpu, mem, mutex and block.prof in internal/bench
	cd internal/bench && go test -run '^$$' -bench 'RequestTogether/tasks=1' -benchtime 3s -cpuprofile cpu.prof -memprofile mem.prof -mutexprofile mutex.prof -blockprofile block.prof
	@echo 'look with: cd internal/bench && go tool pprof -top bench.test cpu.prof'

.PHONY: escape
escape: ## say what bgtasks.Add and the middleware put on the heap, as the compiler sees it
	@go build -gcflags=-m ./bgtasks ./chimw 2>&1 | grep -E '^(bgtasks/(add|attempt|list|queue)|chimw/(exchange|host|middleware|route))\.go:.*(escapes|moved) to heap'

.PHONY: soak
soak: ## attack real processes for minutes and compare the ledgers; SOAK='-duration 10m -seed 7' for more
	cd internal/soak && go run . $(SOAK)

.PHONY: cover
cover: ## run the tests with coverage of the library's packages; the profile is coverage.out
	go test -coverpkg=./bgtasks,./chimw -coverprofile=coverage.all ./bgtasks ./chimw
	@grep -v /methodsets.go: coverage.all > coverage.out # 256 generated types: see TestWriterForEachSetOfMethodsHasJustThose
	go tool cover -func=coverage.out | tail -n 1

.PHONY: lint
lint: ## vet and bgvet, staticcheck, gofmt, and whether go.mod is tidy and generated code fresh
	@set -e; tool=$$(mktemp -d); trap 'rm -r $$tool' EXIT; (cd bgtasks/bgvet && go build -o $$tool ./cmd/bgvetall); \
		for dir in $(MODULES); do echo "== $$dir: bgvetall ./..."; (cd $$dir && go vet -vettool=$$tool/bgvetall -scannererr=false ./...); done
	$(call each, go run $(STATICCHECK) ./...)
	$(call each, go mod tidy -diff)
	@set -e; unformatted=$$(gofmt -l .); if [ -n "$$unformatted" ]; then echo "gofmt would change: $$unformatted"; exit 1; fi
	@set -e; before=$$(cksum chimw/methodsets.go); go generate ./...; \
		if [ "$$before" != "$$(cksum chimw/methodsets.go)" ]; then echo "chimw/methodsets.go was not fresh: commit it"; exit 1; fi

.PHONY: vuln
vuln: ## look for known vulnerabilities, where their database can be reached
	@.ci/vuln $(MODULES)
