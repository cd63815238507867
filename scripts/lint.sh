#!/usr/bin/env bash
# Format, lints, documentation, and the dependencies' licences and sources. Changes nothing.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$ROOT"

step() {
  say "== $*"
  "$@"
}

step cargo fmt --check
step cargo clippy --locked --all-targets --quiet -- -D warnings
RUSTDOCFLAGS="-D warnings" step cargo doc --locked --no-deps --document-private-items --quiet
if cargo deny --version >/dev/null 2>&1; then
  step cargo deny --locked check bans licenses sources
else
  say "left out: cargo deny (not installed; cargo install --locked cargo-deny)"
fi
if have shellcheck; then
  step shellcheck --external-sources --source-path=SCRIPTDIR scripts/*.sh .ci/run
else
  say "left out: shellcheck (not installed; apt-get install shellcheck)"
fi
