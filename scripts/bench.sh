#!/usr/bin/env bash
# P1 and P2 of the intake path: sickbay against the ceiling, side by side on the same machine with the same bodies.
#
# Each figure is the median of several short rounds taken in turn, so that whatever else the machine does meets both.
# It prints a table and never fails because of a figure. Usage: scripts/bench.sh [SECONDS_PER_ROUND [ROUNDS]]
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-4}
rounds=${2:-3}
command -v wrk >/dev/null || { echo "bench: wrk is missing; install Debian's package wrk" >&2; exit 1; }
[ -n "${SICKBAY_BENCH_BUILT:-}" ] || cargo build --release --quiet --bin sickbay --example ceiling
target=${CARGO_TARGET_DIR:-target}
work=$(mktemp -d "${TMPDIR:-/tmp}/sickbay-bench.XXXXXX")
pids=()
clean() { for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done; wait 2>/dev/null || true; rm -rf "$work"; }
trap clean EXIT

# 1,000 playbooks, one of which matches the bodies. It may run once, so every other alert meets a full budget: the path
# of an alert storm, with two records an alert (received, refused).
mkdir "$work/rules"
{
  echo "version: 1"
  echo "playbooks:"
  for number in $(seq 1 999); do
    printf '  - name: other-%s\n    matchers:\n      - alertname = "OtherAlert%s"\n    steps:\n      - notify: {to: [log], message: "{{ labels.alertname }}"}\n' "$number" "$number"
  done
  printf '  - name: bench\n    matchers:\n      - alertname = "BenchAlert"\n    limits: {runs: 1, per: 1d, cooldown: 0s, scope: playbook}\n    steps:\n      - notify: {to: [log], message: "{{ labels.alertname }}"}\n'
} >"$work/rules/bench.yaml"

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
wait_for() { for _ in $(seq 100); do curl -fsS -o /dev/null "$1" 2>/dev/null && return; sleep 0.1; done; echo "bench: $1 does not answer" >&2; exit 1; }

ceiling=127.0.0.1:$(free_port)
"$target/release/examples/ceiling" "$ceiling" "$work/ceiling.jsonl" & pids+=($!)
sickbay_pid=
start_sickbay() {
  [ -z "$sickbay_pid" ] || { kill "$sickbay_pid"; wait "$sickbay_pid" 2>/dev/null || true; }
  rm -rf "$work/data"
  sickbay=127.0.0.1:$(free_port)
  "$target/release/sickbay" --rules="$work/rules/*.yaml" --storage.path="$work/data" --web.listen-address="$sickbay" \
    --log.level=error 2>"$work/sickbay.log" & sickbay_pid=$!
  pids+=("$sickbay_pid")
  wait_for "http://$sickbay/-/healthy"
}
sleep 0.5

round() { wrk -t2 -c32 -d"${seconds}s" -s bench/alerts.lua "http://$1" -- "$2" "$3" | awk '/^RESULT/ {print $2, $3, $4, $5}'; }
median() { sort -n | awk '{line[NR] = $0} END {print line[int((NR + 1) / 2)]}'; }

measure() { # NAME TARGET CEILING_PATH KIND
  local name=$1 goal=$2 path=$3 kind=$4
  for alerts in 1 10 100; do
    : >"$work/ours"; : >"$work/theirs"
    for _ in $(seq "$rounds"); do
      round "$ceiling$path" "$alerts" "$kind" >>"$work/theirs"
      # A fresh log and state for each round: otherwise later rounds would pay for earlier ones.
      start_sickbay
      [ "$kind" = new ] || curl -fsS -o /dev/null "http://$sickbay/-/healthy"
      round "$sickbay/api/v1/webhook" "$alerts" "$kind" >>"$work/ours"
    done
    read -r ours errors p50 p99 < <(median <"$work/ours")
    read -r theirs _ < <(median <"$work/theirs")
    awk -v n="$name" -v a="$alerts" -v o="$ours" -v t="$theirs" -v g="$goal" -v e="$errors" -v p="$p50" -v q="$p99" \
      'BEGIN {printf "| %s | %d | %d | %d | %.2f | %s | %d | %.1f / %.1f |\n", n, a, o, t, o / t, g, e, p, q}'
  done
}

echo "commit $(git rev-parse --short HEAD 2>/dev/null || echo unknown), $(date -u +%F), $(nproc) cores, $rounds rounds of ${seconds} s, 32 connections"
echo
echo "| what | alerts per body | sickbay req/s | ceiling req/s | ratio | target | errors | p50 / p99 ms |"
echo "|---|---|---|---|---|---|---|---|"
measure "P1 new episodes, durable" ">= 0.8" /durable new
measure "P2 repeats" ">= 0.85" /parse repeat
