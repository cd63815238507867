#!/usr/bin/env bash
# Starts the demonstration of docker-compose.yml: the secret, the group of the socket, then `docker compose up`.
# Needs Docker Compose 2 and an image registry; `make demo` needs neither.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

docker compose version >/dev/null 2>&1 || die "Docker Compose 2 is missing; \`make demo\` does without it"
[ -S /var/run/docker.sock ] || die "there is no /var/run/docker.sock; this demonstration needs a local Docker engine"

# Nobody else on this machine may enter the folder. The file itself is readable, because Compose hands it into the
# containers as it is, and Alertmanager and sickbay run there under other users.
secret=$ROOT/deploy/secrets/webhook_token
mkdir -p "${secret%/*}"
chmod 700 "${secret%/*}"
if [ ! -s "$secret" ]; then
  head -c 32 /dev/urandom | od -An -v -tx1 | tr -d ' \n' >"$secret"
  chmod 444 "$secret"
fi

DOCKER_GID=$(stat -c %g /var/run/docker.sock)
export DOCKER_GID
docker compose --project-directory "$ROOT" up --build --detach --wait
say "Running. Prometheus http://localhost:9090, Alertmanager http://localhost:9093, sickbay http://localhost:10112."
say "Break the web server with \`make break\`, read the log with \`make log\`, remove everything with \`make down\`."
