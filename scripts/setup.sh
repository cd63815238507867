#!/usr/bin/env bash
# Installs what the demo and the tests need and is not there: a Docker engine, Prometheus, Alertmanager, the blackbox
# exporter, haproxy, a static busybox and a C compiler, all from the distribution's own packages. Does nothing if nothing is missing.
# Usage: scripts/setup.sh [COMMAND[=PACKAGE]...]    further commands to have, each in a package of the same or that name, and
# python3-venv
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

have cargo || die "Rust is missing; see https://rustup.rs, or: apt-get install rustup && rustup default stable"

missing() {
  local command
  missing_packages
  for command in "$@"; do
    if [ "$command" = python3-venv ]; then
      # Debian's Python says that it has `venv`, and fails without this.
      python3 -c 'import ensurepip' 2>/dev/null || say python3-venv
    else
      have "${command%%=*}" || say "${command#*=}"
    fi
  done
}

mapfile -t packages < <(missing "$@" | sort -u)
if [ ${#packages[@]} -gt 0 ]; then
  install_packages "${packages[@]}"
  hash -r
  mapfile -t packages < <(missing "$@" | sort -u)
  [ ${#packages[@]} -eq 0 ] || die "still missing after the installation: ${packages[*]}"
fi
