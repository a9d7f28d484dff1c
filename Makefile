# Every target is safe to repeat and sets up what it needs. `make run` and `make test` are the two that matter.
SHELL := /bin/bash
cache := $(or $(TOLLBRIDGE_CACHE),$(HOME)/.cache/tollbridge)
export PATH := $(cache)/tools/bin:$(HOME)/.cargo/bin:$(PATH)
export CARGO_TARGET_DIR ?= $(CURDIR)/target
binary := $(CARGO_TARGET_DIR)/release/tollbridge
built := target/site/.built
sources := $(shell find src migrations style public -type f 2>/dev/null) Cargo.toml Cargo.lock

.PHONY: help run test dev build lint unit e2e conformance fuzz soak mutants bench bench-anomaly bench-gateway bench-listeners \
	measure clean setup setup-test
help:
	@echo 'make run    build and serve on http://127.0.0.1:3000'
	@echo 'make test   the checks and tests, but for what takes long or downloads clients (see parts)'
	@echo 'parts: make dev build lint unit e2e conformance fuzz soak mutants bench bench-anomaly bench-gateway bench-listeners measure clean'

run: build
	@exec $(binary) serve

test: lint e2e unit

build: $(built)

$(built): $(sources) scripts/setup.sh
	@$(MAKE) --no-print-directory setup
	@echo 'building the release (the first time takes some minutes)'
	@scripts/leptos.sh build --release --split --precompress
	@touch $@

dev: setup
	@scripts/leptos.sh watch --split

lint: setup-test
	cargo fmt --check
	cargo clippy --quiet --features ssr --all-targets -- -D warnings
	cargo clippy --quiet --features hydrate --lib -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --quiet --features ssr --no-deps --document-private-items
	cargo deny --log-level error check bans licenses sources

unit: setup-test
	@cargo test --quiet --doc --features ssr
	@TOLLBRIDGE_TEST_ALL=1 scripts/with_postgres.sh cargo nextest run --features ssr

e2e: setup-test build
	@TOLLBRIDGE_BINARY=$(binary) npm --silent --prefix end2end test

# The official SDKs and Claude Code against the gateway. Not part of `test`, because it downloads them.
conformance: setup-test
	@scripts/conformance.sh

# Half a minute for each parser of what others send; FUZZ_SECONDS for longer.
fuzz:
	@scripts/fuzz.sh

# The kill tests, long: 200 kills on SQLite and 50 on PostgreSQL, of the whole server and of what records alone. About four minutes.
soak: setup-test
	@TOLLBRIDGE_KILLS=200 TOLLBRIDGE_TEST_ALL=1 scripts/with_postgres.sh cargo nextest run --features ssr --test gateway --test recorder \
		--no-capture killed_at_any_moment

# Breaks the recorder in sixteen ways, each in a copy, and fails if no test notices. About ten minutes.
mutants: setup-test
	@scripts/mutants.sh

bench: setup
	@scripts/with_postgres.sh cargo bench --features server --bench ledger

# Precision and recall of the two anomaly rules (docs/alerts.md).
bench-anomaly: setup
	@cargo bench --quiet --bench anomaly

# What the gateway adds to a call, beside nginx. Wants a machine at rest.
bench-gateway: build
	@scripts/setup.sh bench
	@TOLLBRIDGE_BINARY=$(binary) cargo bench --features server --bench gateway

# What ten thousand pages that listen for changes cost.
bench-listeners: setup
	@cargo bench --features ssr --bench listeners

measure: setup-test build
	@TOLLBRIDGE_BINARY=$(binary) node scripts/measure_page.mjs

setup:
	@scripts/setup.sh build

setup-test:
	@scripts/setup.sh test

clean:
	rm -rf target end2end/node_modules end2end/output
