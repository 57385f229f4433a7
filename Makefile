# One target for each thing that a person or CI does. `make` lists them.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# rustup puts cargo here and leaves it to a new login to find it.
export PATH := $(PATH):$(HOME)/.cargo/bin

# RocksDB is compiled once into a cache and linked by every profile; see .build/rocksdb. Where that is not made for the
# system, librocksdb-sys compiles it.
prepare := .build/packages
ifeq ($(shell uname -s),Linux)
prepare += ; ROCKSDB_LIB_DIR=$$(.build/rocksdb); export ROCKSDB_LIB_DIR ROCKSDB_STATIC=1
endif

.PHONY: help
help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | while IFS=$$'\t' read -r name text; do printf '  %-12s %s\n' "$$name" "$$text"; done

# What is off by default for what it weighs, and on in what is shipped, is tested and looked at as well.
all := --features govlog-daemon/fake-workload-api,govlog-agent/spiffe

shipped := govlog-server/spiffe,govlog-witness/spiffe,govlog-agent/spiffe

# By name, not --workspace: features that only the tests ask for, such as the fail points, must not reach a release.
.PHONY: build
build: ## Build the release binaries: govlog-server, govlog-witness, govlog-agent, govlog
	@$(prepare); cargo build --release --locked --bins -p govlog-server -p govlog-witness -p govlog-agent -p govlog-client \
		--features $(shipped)

# The binaries first: the tests of the parties together start them, and cargo only builds those of a test's own package.
.PHONY: test
test: ## Run all tests, doc tests included
	@$(prepare); \
	cargo build --workspace --locked --bins --tests $(all); \
	cargo test --workspace --locked --no-fail-fast $(all) | awk ' \
		{ print; fflush() } \
		/^test result:/ { passed += $$4; failed += $$6; ignored += $$8 } \
		END { printf "\ntotal: %d passed, %d failed, %d ignored\n", passed, failed, ignored; exit passed == 0 }'

.PHONY: strangers
strangers: ## After `make test`: let a SCITT verifier from PyPI and Go's sumdb judge a log of ours
	@.build/packages venv; tests/foreign/run

.PHONY: schemathesis
schemathesis: ## After `make test`: let schemathesis ask a running log everything that /openapi.json describes
	@.build/packages venv; tests/schemathesis/run

.PHONY: fuzz
fuzz: ## Fuzz every parser for 30 s each; FUZZ_SECONDS=600 make fuzz: longer
	@.build/packages; formats/fuzz/run "$${FUZZ_SECONDS:-30}"

.PHONY: demo
demo: $(if $(GOVLOG_BIN),,build) ## Build, then log what a real OPA decided and verify it offline (DEMO_ONCE=1: check it and stop)
	@deploy/demo/run

.PHONY: interop
interop: $(if $(GOVLOG_BIN),,build) ## Let a real SPIRE, Envoy and OPA feed a log, live; needs root, Go, Python 3, openssl and curl
	@tests/interop/run

.PHONY: shipped
shipped:
	@$(prepare); cargo check --locked --bins -p govlog-server -p govlog-witness -p govlog-agent -p govlog-client --features $(shipped)

.PHONY: bench
bench: build ## Offer load to a log with three witnesses on this machine and print what it took
	@$(prepare); cargo build --release --locked --bins -p govlog-benches; benches/run; benches/agent-run

.PHONY: lint
lint: fmt-check clippy docs ## Check format, Clippy and documentation; a warning is an error

.PHONY: fmt-check
fmt-check:
	@cargo fmt --all -- --check

.PHONY: clippy
clippy:
	@$(prepare); cargo clippy --workspace --all-targets --locked $(all) -- -D warnings

.PHONY: docs
docs:
	@$(prepare); RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked $(all)

.PHONY: deny
deny: ## Check the licences and origins of all dependencies, and the bans in .deny.toml
	@.build/packages; deny=$$(.build/cargo-deny); \
	"$$deny" --locked --config .deny.toml check --hide-inclusion-graph bans licenses sources

.PHONY: wasm
wasm: ## Build the formats for wasm32-unknown-unknown, where there is no clock, file or socket
	@.build/packages; \
	if command -v rustup >/dev/null; then rustup target add wasm32-unknown-unknown; fi; \
	cargo build --locked -p govlog-formats --target wasm32-unknown-unknown

.PHONY: fmt
fmt: ## Format the code
	@cargo fmt --all

.PHONY: clean
clean: ## Remove what cargo built; the cached RocksDB stays
	@cargo clean
