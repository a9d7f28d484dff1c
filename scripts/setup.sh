#!/usr/bin/env bash
# Installs what the build and the tests need and this machine lacks. Safe to repeat: each step looks first, and says
# what it does only when it does something.
#
#   scripts/setup.sh build   wasm target, cargo-leptos, wasm-bindgen, wasm-opt
#   scripts/setup.sh test    all of that, and nextest, PostgreSQL, Chromium, the browser tests' packages
#   scripts/setup.sh bench   nginx, beside which the gateway is measured
set -euo pipefail
cd "$(dirname "$0")/.."

part=${1:-build}
tools=${TOLLBRIDGE_CACHE:-$HOME/.cache/tollbridge}/tools
mkdir -p "$tools/bin"
export PATH="$tools/bin:$HOME/.cargo/bin:$PATH"

cargo_leptos_version=0.3.10 # the newest that compiles with rustc 1.95; 0.3.11 needs 1.96
binaryen_version=132.0.0

say() { printf 'setup: %s\n' "$*" >&2; }
have() { command -v "$1" >/dev/null 2>&1; }

install_debian() {
  local missing=()
  for package in "$@"; do
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return
  if ! have apt-get; then
    say "please install what matches Debian's ${missing[*]}, then run this again"
    exit 1
  fi
  say "installing ${missing[*]} (Debian packages)"
  local sudo=()
  [ "$(id -u)" -eq 0 ] || sudo=(sudo)
  "${sudo[@]}" apt-get update -qq
  DEBIAN_FRONTEND=noninteractive "${sudo[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# The normal way is rustup's. Where rustup can download nothing, Debian's rustc builds the standard library for wasm
# from Debian's own source package, and `debian-web` becomes a rustup toolchain.
set_up_wasm_target() {
  if have rustup && rustup target list --installed 2>/dev/null | grep -q wasm32-unknown-unknown; then
    rm -f "$tools/toolchain"
    return
  fi
  [ -s "$tools/toolchain" ] && [ -d /usr/lib/rustlib/wasm32-unknown-unknown/lib ] && rustc +debian-web --version >/dev/null 2>&1 && return
  say 'adding the wasm target with rustup'
  if timeout 60 rustup target add wasm32-unknown-unknown 2>/dev/null; then
    rm -f "$tools/toolchain"
    return
  fi
  say "rustup cannot download it: building it from Debian's packages instead"
  install_debian cargo-web rustc-web rust-web-src lld-19
  ln -sf /usr/bin/lld-19 "$tools/bin/rust-lld"
  if ! ls /usr/lib/rustlib/wasm32-unknown-unknown/lib/libstd-*.rlib >/dev/null 2>&1; then
    say 'compiling the standard library for wasm (about a minute)'
    build_wasm_std
  fi
  rustup toolchain link debian-web /usr
  echo debian-web > "$tools/toolchain"
}

build_wasm_std() {
  local crate lib=/usr/lib/rustlib/wasm32-unknown-unknown/lib
  crate=$(mktemp -d)
  mkdir -p "$crate/src"
  printf '[package]\nname = "empty"\nversion = "0.0.0"\nedition = "2021"\n' > "$crate/Cargo.toml"
  : > "$crate/src/lib.rs"
  (cd "$crate" && env -u RUSTUP_TOOLCHAIN PATH="/usr/bin:$PATH" CARGO_TARGET_DIR="$crate/target" RUSTC_BOOTSTRAP=1 \
    /usr/bin/cargo build -q -Z build-std=std,panic_abort,panic_unwind,proc_macro \
    --target wasm32-unknown-unknown --release)
  mkdir -p "$lib"
  find "$crate/target/wasm32-unknown-unknown/release/deps" -name '*.rlib' ! -name 'libempty-*' -exec cp {} "$lib/" \;
  rm -rf "$crate"
}

# Compiled light: with its own profile (fat link-time optimisation) it takes over 20 minutes and 4 GB.
set_up_cargo_leptos() {
  [ "$(cargo-leptos --version 2>/dev/null)" = "cargo-leptos $cargo_leptos_version" ] && return
  say "compiling cargo-leptos $cargo_leptos_version (some minutes, once)"
  in_build_toolchain env CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_OPT_LEVEL=0 \
    CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_TARGET_DIR="$tools/build" \
    cargo install -q cargo-leptos --version "$cargo_leptos_version" --locked --root "$tools"
}

# wasm-bindgen's command must be exactly the library's version.
set_up_wasm_bindgen() {
  local version
  version=$(sed -n '/^name = "wasm-bindgen"$/{n;s/version = "\(.*\)"/\1/p}' Cargo.lock)
  [ "$(wasm-bindgen --version 2>/dev/null)" = "wasm-bindgen $version" ] && return
  say "compiling wasm-bindgen $version (once)"
  in_build_toolchain env CARGO_PROFILE_RELEASE_OPT_LEVEL=1 CARGO_PROFILE_RELEASE_LTO=off CARGO_TARGET_DIR="$tools/build" \
    cargo install -q wasm-bindgen-cli --version "=$version" --root "$tools" --force
}

# Debian's binaryen 108 breaks wasm-bindgen's externref table and the page stays dead, so npm's is used.
set_up_wasm_opt() {
  wasm-opt --version 2>/dev/null | grep -q "version ${binaryen_version%%.*}" && return
  say "installing binaryen $binaryen_version (npm)"
  npm install --silent --no-save --prefix "$tools" "binaryen@$binaryen_version" >/dev/null
  ln -sf "$tools/node_modules/.bin/wasm-opt" "$tools/bin/wasm-opt"
}

set_up_nextest() {
  have cargo-nextest && return
  say 'compiling cargo-nextest (once)'
  env CARGO_TARGET_DIR="$tools/build" cargo install -q cargo-nextest --locked --root "$tools"
}

set_up_cargo_deny() {
  have cargo-deny && return
  say 'compiling cargo-deny (once)'
  env CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_OPT_LEVEL=1 CARGO_TARGET_DIR="$tools/build" \
    cargo install -q cargo-deny --locked --root "$tools"
}

set_up_browser_tests() {
  [ -x /usr/bin/chromium ] || install_debian chromium
  if ! cmp -s end2end/package-lock.json end2end/node_modules/.installed-lock; then
    say "installing the browser tests' packages (npm)"
    npm ci --silent --prefix end2end >/dev/null
    cp end2end/package-lock.json end2end/node_modules/.installed-lock
  fi
}

in_build_toolchain() {
  if [ -s "$tools/toolchain" ]; then RUSTUP_TOOLCHAIN=$(cat "$tools/toolchain") "$@"; else "$@"; fi
}

if [ "$part" = bench ]; then
  have nginx || [ -x /usr/sbin/nginx ] || install_debian nginx-light
  exit
fi
have cargo || { say 'Rust is missing: install it from https://rustup.rs'; exit 1; }
have npm || { say 'Node.js with npm is missing (20 or newer)'; exit 1; }
set_up_wasm_target
set_up_cargo_leptos
set_up_wasm_bindgen
set_up_wasm_opt
if [ "$part" = test ]; then
  set_up_nextest
  set_up_cargo_deny
  [ -x "$(ls -d /usr/lib/postgresql/*/bin/initdb 2>/dev/null | tail -1)" ] || install_debian postgresql
  set_up_browser_tests
fi
