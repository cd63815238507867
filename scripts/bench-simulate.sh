#!/usr/bin/env bash
# How long `sickbay simulate` takes for the log of a month with many alerts, and how much memory.
#
# It prints one line and never fails because of a figure. Usage: scripts/bench-simulate.sh [ALERTS]
set -euo pipefail
cd "$(dirname "$0")/.."
alerts=${1:-100000}
[ -n "${SICKBAY_BENCH_BUILT:-}" ] || cargo build --release --quiet --bin sickbay --example recorded_month
target=${CARGO_TARGET_DIR:-target}
work=$(mktemp -d "${TMPDIR:-/tmp}/sickbay-bench.XXXXXX")
trap 'rm -rf "$work"' EXIT
"$target/release/examples/recorded_month" rules/container-down.yaml "$work" "$alerts"
python3 - "$target/release/sickbay" "$work" "$alerts" <<'PYTHON'
import resource, subprocess, sys, time
sickbay, work, alerts = sys.argv[1:]
began = time.monotonic()
subprocess.run([sickbay, "simulate", work, "--rules", "rules"], check=True, stdout=subprocess.DEVNULL)
seconds, memory = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
print(f"simulate: {alerts} alerts in {seconds:.1f} s, {memory:.0f} MiB at most")
PYTHON
