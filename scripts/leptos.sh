#!/usr/bin/env bash
# Runs cargo-leptos with the tools that scripts/setup.sh installed, in the toolchain that has the wasm target.
set -euo pipefail
tools=${TOLLBRIDGE_CACHE:-$HOME/.cache/tollbridge}/tools
export PATH="$tools/bin:$HOME/.cargo/bin:$PATH"
[ -s "$tools/toolchain" ] && export RUSTUP_TOOLCHAIN=$(cat "$tools/toolchain")
exec cargo leptos "$@"
