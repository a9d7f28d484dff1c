#!/usr/bin/env bash
# Fuzzes each target, or those that are named, for FUZZ_SECONDS (30 unless said otherwise), beginning with the examples in
# fuzz/seeds. No sanitizer: the code has no unsafe parts, and without one a stable compiler does.
set -euo pipefail
cd "$(dirname "$0")/.."

cache=${TOLLBRIDGE_CACHE:-$HOME/.cache/tollbridge}
if ! command -v cargo-fuzz >/dev/null; then
  echo 'fuzz: compiling cargo-fuzz (once)' >&2
  env CARGO_TARGET_DIR="$cache/tools/build" cargo install -q cargo-fuzz --locked --root "$cache/tools"
fi
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(stream_tee usage_parsers tracking_input key_text request_scan)
for target in "${targets[@]}"; do
  corpus=$cache/fuzz/$target
  mkdir -p "$corpus"
  echo "fuzz: $target for ${FUZZ_SECONDS:-30} s" >&2
  cargo fuzz run --sanitizer none --target-dir "${CARGO_TARGET_DIR:-target}/fuzz" "$target" "$corpus" "fuzz/seeds/$target" \
    -- -max_total_time="${FUZZ_SECONDS:-30}" -timeout=10 -rss_limit_mb=1024 -print_final_stats=1 2>&1 |
    grep -E 'panicked|ERROR|artifact|stat::number_of_executed_units|Done|error' ||
    { echo "fuzz: $target found something, or did not run" >&2; exit 1; }
done
