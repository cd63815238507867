#!/usr/bin/env bash
# Checks the example files under deploy/ and docker-compose.yml with the tools that they are written for.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

for tool in promtool amtool prometheus-blackbox-exporter; do
  have "$tool" || die "$tool is missing; run: make setup"
done

# Runs a check and prints what it said only if it failed.
check() {
  local what=$1 output
  shift
  if output=$("$@" 2>&1); then
    say "ok: $what"
  else
    printf '%s\n' "$output" >&2
    die "$what is not in order"
  fi
}

# Prints where Alertmanager would send an alert with these labels.
routed_to() { amtool config routes test --config.file="$ROOT/deploy/alertmanager.yml" "$@"; }
goes_to() {
  local expected=$1
  shift
  [ "$(routed_to "$@")" = "$expected" ] || { routed_to "$@" && return 1; }
}

check "deploy/alertmanager.yml" amtool check-config "$ROOT/deploy/alertmanager.yml"
check "route of an alert to treat" goes_to sickbay,pager remediate=true alertname=ProbeFailed container=web
check "route of sickbay's own alerts" goes_to pager alertname=SickbayDown severity=critical
check "deploy/prometheus.yml" promtool check config "$ROOT/deploy/prometheus.yml"
check "deploy/alert-rules.yml" promtool check rules --lint=all --lint-fatal "$ROOT/deploy/alert-rules.yml"
check "deploy/alert-rules.test.yml" promtool test rules "$ROOT/deploy/alert-rules.test.yml"
check "deploy/blackbox.yml" prometheus-blackbox-exporter --config.check --config.file="$ROOT/deploy/blackbox.yml"

# Compose is in no Debian 12 package, so it is asked only where it is.
if have docker && docker compose version >/dev/null 2>&1; then
  check "docker-compose.yml" env DOCKER_GID=0 docker compose --project-directory "$ROOT" config --quiet
else
  say "left out: docker-compose.yml (Docker Compose 2 is not installed)"
fi
