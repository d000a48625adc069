#!/usr/bin/env bash
# The topology of deploy/ for real: a server and three workers in network namespaces of their own, with own addresses on a bridge, TLS and token.
# In the middle of the run one worker's link is cut and mended, and another is lost: killed, its namespace removed. The model must be,
# bit for bit, that of `dpfl run` on one machine.   usage: npm run build && scripts/network-test.sh
# Needs root and iproute2 (Linux); where they are missing it says so and skips, with exit code 0.
set -euo pipefail
cd "$(dirname "$0")/.."
dpfl="$PWD/dist/cli/main.js"

skip() { echo "skipped: $1"; exit 0; }
[ "$(uname)" = Linux ] || skip 'network namespaces are a thing of Linux'
[ "$(id -u)" = 0 ] || skip 'making network namespaces needs root'
command -v ip >/dev/null || skip 'ip is missing; install iproute2'
[ -f dist/cli/main.js ] || { echo 'dpfl is not built: npm run build'; exit 1; }

id=dpfl$$
bridge=${id}b
work=$(mktemp -d)
pids=()
cleanup() {
  for pid in "${pids[@]}"; do kill -KILL "$pid" 2>/dev/null || true; done
  for node in s 1 2 3; do ip netns delete "$id-$node" 2>/dev/null || true; done
  ip netns delete "$id-hub" 2>/dev/null || true
  rm -rf "$work"
}
trap cleanup EXIT
ip netns add "$id-hub" 2>"$work/error" || skip "this user may not make network namespaces ($(cat "$work/error"))"

# The bridge has a namespace of its own, too: nothing touches this machine's network.
hub() { ip netns exec "$id-hub" ip "$@"; }
hub link add "$bridge" type bridge 2>"$work/error" || skip "this kernel has no bridges ($(cat "$work/error"))"
hub link set "$bridge" up
join() { # node, last number of its address
  ip netns add "$id-$1"
  hub link add "v$1" type veth peer name eth0 netns "$id-$1"
  hub link set "v$1" master "$bridge" up
  ip -n "$id-$1" address add "10.77.0.$2/24" dev eth0
  ip -n "$id-$1" link set eth0 up
  ip -n "$id-$1" link set lo up
}
join s 10
for worker in 1 2 3; do join "$worker" "2$worker"; done

cp configs/quickstart.yaml "$work/run.yaml"
cd "$work"
settings=(--set seedModel.steps=5 --set federation.rounds=6 --set federation.expectedCohort=400 --set federation.shardSize=4)
settings+=(--set federation.silenceSeconds=2 --set evaluation.every=6 --set federation.workers=2)
echo 'one machine: dpfl run'
$dpfl run run.yaml "${settings[@]}" --output alone >/dev/null 2>alone.log || { cat alone.log; exit 1; }
expected=$(sha256sum alone/*/model.onnx | cut -d' ' -f1)

$dpfl certs --host 10.77.0.10 --out certs >/dev/null
od -An -N32 -tx1 /dev/urandom | tr -d ' \n' >token
ip netns exec "$id-s" $dpfl server run.yaml "${settings[@]}" --output network --listen 10.77.0.10:50051 \
  --tls certs/server --token-file token >server.out 2>server.log &
server=$!
pids+=("$server")
until_log() { # pattern, seconds
  for _ in $(seq $((10 * $2))); do
    grep -q "$1" server.log && return 0
    kill -0 "$server" 2>/dev/null || break
    sleep 0.1
  done
  echo "FAILED: the server did not say '$1'"; tail -n 20 server.log; exit 1
}
round() { # waits until round $1 is recorded
  for _ in $(seq 1200); do
    [ "$(cat network/*/rounds.jsonl 2>/dev/null | wc -l)" -gt "$1" ] && return 0
    sleep 0.05
  done
  echo "FAILED: round $1 was not reached"; tail -n 20 server.log; exit 1
}
until_log 'listening on' 60
declare -A worker
for each in 1 2 3; do
  ip netns exec "$id-$each" $dpfl worker --server 10.77.0.10:50051 --name "w$each" --tls certs/worker --token-file token \
    >"w$each.log" 2>&1 &
  worker[$each]=$!
  pids+=("${worker[$each]}")
done
until_log '3 connected' 30

round 1
hub link set v1 down
echo "round $(($(wc -l < network/*/rounds.jsonl) - 1)) done: the link of worker 1 is cut"
kill -KILL "${worker[2]}"
ip netns delete "$id-2"
echo 'worker 2 is lost: killed, its namespace removed'
sleep 5
hub link set v1 up
echo "round $(($(wc -l < network/*/rounds.jsonl) - 1)) done: the link of worker 1 is mended"
wait "$server" || { echo 'FAILED: the server'; tail -n 20 server.log; exit 1; }

found=$(sha256sum network/*/model.onnx | cut -d' ' -f1)
faults=$(grep -oh '"faults":{[^}]*}' network/*/rounds.jsonl | sort | uniq -c || true)
echo "faults in the records:"
echo "${faults:-  none}"
[ -n "$faults" ] || { echo 'FAILED: no fault was felt; the run was over too soon'; exit 1; }
if [ "$found" != "$expected" ]; then echo "FAILED: model $found, on one machine $expected"; exit 1; fi
echo "passed: model.onnx is $found on one machine and on the network"
