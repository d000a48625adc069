#!/bin/sh
# usage: dpfl-serve <config> [flags of dpfl server]
# Begins a run, or goes on with the newest one in $DPFL_RUNS (/runs), so that a container which is started again loses nothing. One volume, one
# experiment. With DPFL_STAY=1 it stays idle when the run is over, for supervisors that would start it again.
set -eu
runs=${DPFL_RUNS:-/runs}
config=$1
shift
newest=
for directory in "$runs"/*/; do
  if [ -f "${directory}config.yaml" ]; then newest=${directory%/}; fi
done
if [ -n "$newest" ]; then
  set -- --resume "$newest" "$@"
else
  set -- "$config" --output "$runs" "$@"
fi
[ "${DPFL_STAY:-}" = 1 ] || exec dpfl server "$@"

dpfl server "$@" &
server=$!
stopped=
trap 'stopped=1; kill -TERM "$server" 2>/dev/null || true' TERM INT
status=0
wait "$server" || status=$?
while kill -0 "$server" 2>/dev/null; do
  status=0
  wait "$server" || status=$?
done
[ "$status" -eq 0 ] && [ -z "$stopped" ] || exit "$status"
touch /tmp/run-is-over
trap 'exit 0' TERM INT
while :; do
  sleep 3600 &
  wait $! || true
done
