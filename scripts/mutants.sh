#!/usr/bin/env bash
# Proves the recorder's tests: each patch in tests/recorder/mutants breaks one promise, and a test has to notice. Each is tried
# in a copy of the tree that is thrown away. Fails if one survives, does not apply or does not compile.
#
#   scripts/mutants.sh                 all of them
#   scripts/mutants.sh no_start …      some
#
# Not among them: leaving out a flush to disk. Only a loss of power can tell, and no test here takes the power away.
set -euo pipefail
cd "$(dirname "$0")/.."

cache=${TOLLBRIDGE_CACHE:-$HOME/.cache/tollbridge}
export CARGO_TARGET_DIR=${MUTANTS_TARGET_DIR:-$cache/mutants}
tree=$(mktemp -d /tmp/tollbridge-mutant.XXXXXX)
trap 'rm -rf "$tree" "$tree.log"' EXIT
export TOLLBRIDGE_KILLS=${TOLLBRIDGE_KILLS:-40}

copy_tree() {
  rm -rf "$tree" && mkdir "$tree"
  git ls-files -z --cached --others --exclude-standard | while IFS= read -r -d '' file; do
    if [ -e "$file" ]; then printf '%s\0' "$file"; fi
  done | xargs -0 cp --parents -t "$tree"
  # A test that hangs has noticed too.
  mkdir -p "$tree/.config"
  printf '[profile.default]\nslow-timeout = { period = "60s", terminate-after = 3 }\n' >"$tree/.config/nextest.toml"
}

tests() { # tests ARGUMENTS…   of the recorder, in the copy
  (cd "$tree" && cargo nextest "$@" --features server --lib --test recorder)
}

names=("$@")
if [ ${#names[@]} -eq 0 ]; then
  for patch in tests/recorder/mutants/*.patch; do names+=("$(basename "$patch" .patch)"); done
fi

copy_tree
if ! tests run -E 'binary(recorder) or test(recorder::tests::)' >"$tree.log" 2>&1; then
  tail -40 "$tree.log" >&2
  echo 'mutants: the tests fail without any mutant' >&2
  exit 1
fi

survivors=0
printf '%-28s %s\n' mutant 'caught by'
for name in "${names[@]}"; do
  copy_tree
  if ! patch -d "$tree" -p1 --quiet <"tests/recorder/mutants/$name.patch" >&2 || ! tests run --no-run >"$tree.log" 2>&1; then
    tail -20 "$tree.log" >&2
    echo "mutants: $name is out of date: it does not apply or does not compile" >&2
    exit 1
  fi
  caught=no
  tests run --no-fail-fast -E 'binary(recorder) or test(recorder::tests::)' >"$tree.log" 2>&1 || caught=yes
  failed=$(grep -aoE '^ +(FAIL|TIMEOUT|SIGABRT) .*' "$tree.log" | grep -oE '[a-z0-9_]+$' | sort -u | paste -sd' ' || true)
  [ "$caught" = yes ] || { failed='NOTHING: it survives'; survivors=$((survivors + 1)); }
  printf '%-28s %s\n' "$name" "${failed:-a test that did not come to its end}"
done
if [ "$survivors" -gt 0 ]; then
  echo "mutants: $survivors of ${#names[@]} survive" >&2
  exit 1
fi
echo "mutants: all ${#names[@]} are caught"
