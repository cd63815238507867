#!/usr/bin/env bash
# Prints the command of a real Docker Compose of the given generation, for the tests: 2 (Go) or 1 (Python).
#
# One that is installed is taken. Otherwise Debian's own package is unpacked into a folder of its own, without installing
# anything: Compose 2.26 of Debian 13, Compose 1.29 of Debian 12. Fails, saying why, where neither can be had.
# Usage: scripts/compose.sh 1|2
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
source "$ROOT/scripts/debian.sh"

# Everything that Compose 1 imports, beside Python itself.
V1_PACKAGES=(docker-compose python3-docker python3-dockerpty python3-docopt python3-dotenv python3-jsonschema
  python3-attr python3-pyrsistent python3-requests python3-certifi python3-chardet python3-charset-normalizer
  python3-idna python3-urllib3 python3-websocket python3-texttable python3-yaml python3-distro python3-six
  python3-packaging python3-pkg-resources)

folder=${XDG_CACHE_HOME:-$HOME/.cache}/sickbay-compose
mkdir -p "$folder"
case ${1:-} in
  2)
    if docker compose version >/dev/null 2>&1; then
      say "docker compose"
    elif have docker-compose && docker-compose version --short 2>/dev/null | grep -q '^v\?[2-9]'; then
      say docker-compose
    else
      [ -d "$folder/2" ] || unpack "Docker Compose" trixie "$folder/2" docker-compose
      say "$folder/2/usr/libexec/docker/cli-plugins/docker-compose"
    fi
    ;;
  1)
    if have docker-compose && docker-compose version --short 2>/dev/null | grep -q '^1\.'; then
      say docker-compose
    else
      [ -d "$folder/1" ] || unpack "Docker Compose" bookworm "$folder/1" "${V1_PACKAGES[@]}"
      packages=$folder/1/usr/lib/python3/dist-packages
      PYTHONPATH=$packages /usr/bin/python3 -m compose version >/dev/null 2>&1 ||
        die "Compose 1.29 of Debian 12 does not run with the Python of this system"
      say "env PYTHONPATH=$packages /usr/bin/python3 -m compose"
    fi
    ;;
  *) die "usage: scripts/compose.sh 1|2" ;;
esac
