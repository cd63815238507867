#!/usr/bin/env bash
# The simulation: SEED=123 plays one seed and tells its story if it fails, SEEDS=1000000 plays so many on all cores.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$ROOT"

export SEED=${SEED:-} SEEDS=${SEEDS:-} RUST_BACKTRACE=${RUST_BACKTRACE:-0}
# shellcheck disable=SC2086 # CARGO may be a command with arguments
exec ${CARGO:-cargo} test --locked --quiet --profile sim --test sim -- --nocapture --exact no_seed_breaks_an_invariant
