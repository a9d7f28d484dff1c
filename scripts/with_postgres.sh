#!/usr/bin/env bash
# Runs a command with an empty PostgreSQL cluster of its own: on a socket in a temporary folder, gone afterwards.
#   scripts/with_postgres.sh cargo nextest run
set -euo pipefail
bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -1)
bin=${bin:-$(dirname "$(command -v initdb)")}
folder=$(mktemp -d /tmp/tollbridge-postgres.XXXXXX)

# The server refuses to run as root.
as_server() {
  if [ "$(id -u)" -eq 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi
}
stop() {
  as_server "$bin/pg_ctl" -D "$folder/data" -m immediate stop >/dev/null 2>&1 || true
  rm -rf "$folder"
}
trap stop EXIT

[ "$(id -u)" -eq 0 ] && chown postgres "$folder"
as_server "$bin/initdb" -D "$folder/data" -U postgres --auth=trust >/dev/null
as_server "$bin/pg_ctl" -D "$folder/data" -w -l "$folder/log" \
  -o "-c listen_addresses= -k $folder -c max_connections=200" start >/dev/null
export TOLLBRIDGE_TEST_POSTGRES="postgres://postgres@localhost/postgres?host=$folder"
"$@"
