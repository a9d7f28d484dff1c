#!/usr/bin/env bash
# Installs the official SDKs and Claude Code into the cache folder and runs them against the gateway. Safe to repeat.
set -euo pipefail
cd "$(dirname "$0")/.."

folder=${TOLLBRIDGE_CACHE:-$HOME/.cache/tollbridge}/conformance
mkdir -p "$folder"

# $1: name of the environment, the others: packages. A stamp says which packages it has.
python_with() {
  local home=$folder/$1
  shift
  [ "$(cat "$home/.packages" 2>/dev/null)" = "$*" ] && return
  echo "conformance: installing $* (PyPI)" >&2
  python3 -m venv "$home"
  "$home/bin/pip" --quiet --disable-pip-version-check install "$@"
  echo "$*" > "$home/.packages"
}

python_with python-newest 'anthropic==2.12.0'
python_with python-old 'anthropic==0.40.0' 'httpx<0.28'
typescript=$folder/typescript
if [ "$(cat "$typescript/.packages" 2>/dev/null)" != 1.12.0 ]; then
  echo 'conformance: installing @anthropic-ai/sdk 1.12.0 (npm)' >&2
  mkdir -p "$typescript"
  npm --silent --prefix "$typescript" install --no-save --no-package-lock @anthropic-ai/sdk@1.12.0
  ln -sf "$(command -v node)" "$typescript/node"
  echo 1.12.0 > "$typescript/.packages"
fi

claude=$folder/claude-code
if [ "$(cat "$claude/.packages" 2>/dev/null)" != 2.1.197 ]; then
  echo 'conformance: installing @anthropic-ai/claude-code 2.1.197 (npm)' >&2
  mkdir -p "$claude"
  npm --silent --prefix "$claude" install --no-save --no-package-lock @anthropic-ai/claude-code@2.1.197
  echo 2.1.197 > "$claude/.packages"
fi

TOLLBRIDGE_CONFORMANCE=$folder cargo nextest run --features ssr --test gateway conformance
