#!/usr/bin/env bash
# Runs every test: the ones on a real Docker engine, a real Prometheus and a real Alertmanager, and the check of the
# example files (scripts/check-deploy.sh) included. Arguments go to the Rust test runner.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

trap engine_down EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

bash "$ROOT/scripts/setup.sh" strace faketime openssl ip=iproute2 nsenter=util-linux ssh=openssh-client \
  sshd=openssh-server chromium python3 python3-venv
engine_up
cd "$ROOT"

# The tests speak to the socket themselves and know nothing of the client's contexts.
url=$(engine_url)
[ "$url" = unix:///var/run/docker.sock ] || export DOCKER_HOST=$url
if cargo nextest --version >/dev/null 2>&1; then
  # All of them, so that one run names every failure.
  with_engine cargo nextest run --locked --no-fail-fast "$@"
  cargo test --locked --doc --quiet
else
  with_engine cargo test --locked --no-fail-fast "$@"
fi
