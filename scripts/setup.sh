#!/usr/bin/env bash
# Installs what the demo and the tests need and is not there: a Docker engine, Prometheus, Alertmanager, the blackbox
# exporter, a static busybox and a C compiler, all from the distribution's own packages. Does nothing if nothing is missing.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

have cargo || die "Rust is missing; see https://rustup.rs, or: apt-get install rustup && rustup default stable"

mapfile -t packages < <(missing_packages | sort -u)
if [ ${#packages[@]} -gt 0 ]; then
  install_packages "${packages[@]}"
  mapfile -t packages < <(missing_packages | sort -u)
  [ ${#packages[@]} -eq 0 ] || die "still missing after the installation: ${packages[*]}"
fi
