#!/usr/bin/env bash
# Breaks the web server of docker-compose.yml.
# Usage: scripts/break.sh [kill|page]     kill: its process dies (default)     page: it runs and answers 404
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

container=sickbay-web
case ${1:-kill} in
  # SIGKILL, as the out-of-memory killer does it. `docker stop` would not do: sickbay takes that for a person's wish.
  kill) docker kill "$container" >/dev/null && say "Killed $container." ;;
  page) docker exec "$container" rm -f /tmp/www/index.html && say "$container runs and has lost its page." ;;
  *) die "unknown fault \`$1\`; there are: kill, page" ;;
esac
say "Prometheus notices within half a minute. Follow with: make log"
