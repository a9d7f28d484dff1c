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

# As above, with one package of npm's.
node_with() {
  local home=$folder/$1
  [ "$(cat "$home/.packages" 2>/dev/null)" = "$2" ] && return
  echo "conformance: installing $2 (npm)" >&2
  mkdir -p "$home"
  npm --silent --prefix "$home" install --no-save --no-package-lock "$2"
  echo "$2" > "$home/.packages"
}

python_with python-newest 'anthropic==2.12.0'
python_with python-old 'anthropic==0.40.0' 'httpx<0.28'
node_with typescript @anthropic-ai/sdk@1.12.0
ln -sf "$(command -v node)" "$folder/typescript/node"
node_with claude-code @anthropic-ai/claude-code@2.1.197


TOLLBRIDGE_CONFORMANCE=$folder cargo nextest run --features ssr --test gateway conformance
