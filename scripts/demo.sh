#!/usr/bin/env bash
# One container breaks, and is healed: a real Prometheus, a real Alertmanager, a real Docker engine, and sickbay between
# them. Everything listens on loopback, on free ports, and lives in a temporary folder; all of it is gone afterwards.
#
# Environment: SICKBAY=PATH  runs that binary instead of building one.
#              EXAMPLE=FILE  copies the incident log there at the end: how incident_log.example.jsonl was written.
#              KEEP=1        keeps the temporary folder (logs, incident log) and says where it is.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$ROOT"

STAGE_SECONDS=${STAGE_SECONDS:-60}
WORK=
LOG=
CONTAINER=
IMAGE=
INCIDENT=
PIDS=()
FINISHED=

main() {
  trap clean_up EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP

  bash "$ROOT/scripts/setup.sh"
  engine_up
  local url
  url=$(engine_url)
  [[ $url == unix://* ]] || die "the demo needs a Docker engine on this machine, and the client speaks to $url; unset DOCKER_HOST"
  build

  WORK=$(mktemp -d "${TMPDIR:-/tmp}/sickbay-demo.XXXXXX")
  LOG=$WORK/data/incident_log.jsonl
  CONTAINER=sickbay-demo-web-${WORK##*.}
  # Docker's names take letters of both cases, and people read better without.
  CONTAINER=${CONTAINER,,}
  IMAGE=$CONTAINER:demo
  free_port WEB && free_port BLACKBOX && free_port PROMETHEUS && free_port ALERTMANAGER && free_port RECEIVER
  write_settings "$url"
  start_everything
  narrate
  FINISHED=yes
}

build() {
  if [ -n "${SICKBAY:-}" ]; then return; fi
  # The development profile: a release build takes several times as long, and the demo waits for Prometheus anyway.
  say "Building sickbay (a first build takes a few minutes)."
  (cd "$ROOT" && cargo build --locked --quiet --bin sickbay)
  local target
  target=$(cd "$ROOT" && cargo metadata --format-version 1 --no-deps --locked | sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p')
  SICKBAY=$target/debug/sickbay
}

write_settings() {
  head -c 32 /dev/urandom | od -An -v -tx1 | tr -d ' \n' >"$WORK/token"
  chmod 600 "$WORK/token"

  cat >"$WORK/prometheus.yml" <<YAML
global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}
rule_files: [alert-rules.yml]
alerting:
  alertmanagers:
    - static_configs: [{targets: ["127.0.0.1:$ALERTMANAGER"]}]
scrape_configs:
  - job_name: probe
    metrics_path: /probe
    params: {module: [http_2xx]}
    static_configs:
      - targets: ["http://127.0.0.1:$WEB/"]
        labels: {container: "$CONTAINER"}
    relabel_configs:
      - {source_labels: [__address__], target_label: __param_target}
      - {source_labels: [__param_target], target_label: instance}
      - {target_label: __address__, replacement: "127.0.0.1:$BLACKBOX"}
YAML

  # The shipped alert ProbeFailed, with less patience.
  cat >"$WORK/alert-rules.yml" <<YAML
groups:
  - name: demo
    rules:
      - alert: ProbeFailed
        expr: probe_success{container!=""} == 0
        for: 2s
        labels: {severity: critical, remediate: "true"}
        annotations:
          summary: "{{ \$labels.instance }} (container {{ \$labels.container }}) does not answer its probe."
YAML

  cat >"$WORK/alertmanager.yml" <<YAML
route:
  receiver: sickbay
  group_by: ['...']
  group_wait: 0s
  group_interval: 1s
  repeat_interval: 1h
receivers:
  - name: sickbay
    webhook_configs:
      - url: http://127.0.0.1:$RECEIVER/api/v1/webhook
        send_resolved: true
        http_config:
          authorization: {type: Bearer, credentials_file: "$WORK/token"}
YAML

  cat >"$WORK/sickbay.yml" <<YAML
web:
  listen_address: 127.0.0.1:$RECEIVER
  external_url: http://127.0.0.1:$RECEIVER/
webhook:
  senders:
    - {name: alertmanager, bearer_token_file: "$WORK/token"}
storage:
  path: "$WORK/data"
docker:
  hosts:
    - {name: local, url: "$1"}
YAML
}

# --- starting ---------------------------------------------------------------------------------------------------------

start_everything() {
  bash "$ROOT/scripts/image.sh" "$IMAGE"
  # Where sudo gives it the socket's group, sudo is the process in front of it: so it says its own number.
  # shellcheck disable=SC2016
  start sickbay with_engine bash -c 'echo "$$" >"$0" && exec "$@"' "$WORK/sickbay.pid" \
    "$SICKBAY" serve --config.file="$WORK/sickbay.yml" --rules=rules/probe-failed.yaml --storage.path="$WORK/data"
  # It hears who does what to containers from its start on; of what was before, Docker forgets most within minutes.
  wait_until "sickbay is ready" http_ok "$RECEIVER" /-/ready
  docker_ run --detach --name "$CONTAINER" \
    --label sickbay.enable=true --label sickbay.demo=true \
    --publish "127.0.0.1:$WEB:8080" \
    --health-cmd 'wget -q -O /dev/null http://127.0.0.1:8080/' \
    --health-interval 1s --health-timeout 2s --health-retries 3 \
    "$IMAGE" sh -c 'echo "serving /www on port 8080"; exec httpd -f -v -p 8080 -h /www' >/dev/null

  # A copy: clean-demo.sh knows the demo's daemons by the folder in their command lines.
  cp "$ROOT/deploy/blackbox.yml" "$WORK/blackbox.yml"
  start blackbox prometheus-blackbox-exporter --config.file="$WORK/blackbox.yml" --web.listen-address="127.0.0.1:$BLACKBOX"
  start alertmanager prometheus-alertmanager --config.file="$WORK/alertmanager.yml" --storage.path="$WORK/alertmanager" \
    --web.listen-address="127.0.0.1:$ALERTMANAGER" --cluster.listen-address=
  start prometheus prometheus --config.file="$WORK/prometheus.yml" --storage.tsdb.path="$WORK/prometheus" \
    --web.listen-address="127.0.0.1:$PROMETHEUS"
  wait_until "the blackbox exporter answers" http_ok "$BLACKBOX" /
  wait_until "Alertmanager is ready" http_ok "$ALERTMANAGER" /-/ready
  wait_until "Prometheus is ready" http_ok "$PROMETHEUS" /-/ready
  wait_until "the container is healthy" container_is_healthy
  wait_until "Prometheus sees the container answer" probe_is 1
}

# Starts a daemon in the background, its output in a file of its own.
start() {
  local name=$1
  shift
  # A group of its own: Ctrl-C reaches this script only, which then stops the daemons in order.
  set -m
  "$@" >"$WORK/$name.log" 2>&1 </dev/null &
  set +m
  PIDS+=("$!")
}

container_is_healthy() { [ "$(docker_ inspect --format '{{.State.Health.Status}}' "$CONTAINER" 2>/dev/null)" = healthy ]; }
probe_is() {
  promtool query instant "http://127.0.0.1:$PROMETHEUS" "probe_success == $1" 2>/dev/null | grep -q "$CONTAINER"
}

# --- the story --------------------------------------------------------------------------------------------------------

narrate() {
  say ""
  FAULT_AT=$(now_ms)
  tell "quiet" "The container $CONTAINER serves a page; Prometheus looks at it every second."
  docker_ kill "$CONTAINER" >/dev/null
  tell "fault" "Its process was killed (SIGKILL). Nothing in Docker brings it back: it has no restart policy."

  wait_until "the alert is firing" alert_is_firing
  tell "alert" "Prometheus saw the probe fail and fires ProbeFailed; Alertmanager has it and tells sickbay."

  wait_until "sickbay decides" decided
  tell "decision" "sickbay opened incident $INCIDENT: playbook $(field playbook "$(record decision)") takes the alert, every gate agrees."

  wait_until "the evidence is kept" has step.finished '"verb":"capture"'
  tell "evidence" "State, exit code, health and the last log lines stand in the incident log, before anything is touched."

  wait_until "the restart is recorded" has action.intent
  tell "intent" "The restart is written down and on disk, and only then sent to Docker."
  wait_until "Docker answers" has action.outcome
  tell "restart" "Docker has restarted the container."

  # Which of the two comes first depends on the clock of Prometheus.
  wait_until "the container recovers and the alert resolves" recovered_and_resolved
  wait_until "the incident is closed" has incident.closed
  local verdict
  verdict=$(field verdict "$(record incident.closed)")
  [ "$verdict" = recovered ] || fail "the incident ended as \`$verdict\`, not as \`recovered\`"
  tell "closed" "Incident $INCIDENT is closed, its verdict is recovered."

  say ""
  say "The incident, as \`sickbay log show $INCIDENT\` tells it:"
  say ""
  "$SICKBAY" log show --path "$WORK/data" "$INCIDENT" || fail "log show failed"
  say ""
  say "The log, as \`sickbay log verify\` sees it:"
  say ""
  "$SICKBAY" log verify "$WORK/data" || fail "log verify failed"
  [ -z "${EXAMPLE:-}" ] || cat "$WORK"/data/incident_log/*.jsonl >"$EXAMPLE"
  say ""
  say "It took $(seconds_since_fault) s from the fault to the closed incident."
}

alert_is_firing() {
  amtool --alertmanager.url="http://127.0.0.1:$ALERTMANAGER" alert query --output=json "container=$CONTAINER" 2>/dev/null |
    grep -q '"fingerprint"'
}
# The decision opens the incident that the rest is about.
decided() {
  INCIDENT=$(field inc "$(grep -F '"kind":"decision"' "$LOG" 2>/dev/null)")
  [ -n "$INCIDENT" ] || return 1
  has decision '"result":"run"' || fail "sickbay refused to act: $(record decision)"
}

RECOVERED=
RESOLVED=
recovered_and_resolved() {
  if [ -z "$RECOVERED" ] && has step.finished '"verb":"verify"'; then
    RECOVERED=yes
    if container_is_healthy; then tell "healthy" "The container passes its health check again, and has for a while."; fi
  fi
  if [ -z "$RESOLVED" ] && has alert.ended; then
    RESOLVED=yes
    tell "resolved" "Prometheus sees the page again; Alertmanager told sickbay that the alert has resolved."
  fi
  [ -n "$RECOVERED" ] && [ -n "$RESOLVED" ]
}

# The incident's first record of a kind that also contains the text; `has` says whether there is one.
record() { grep -F "\"kind\":\"$1\"" "$LOG" 2>/dev/null | grep -F "\"inc\":\"$INCIDENT\"" | grep -F -- "${2:-}" | head -n 1; }
has() { [ -n "$(record "$@")" ]; }
# The value of a text member of a record.
field() { sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p" <<<"$2" | head -n 1; }

tell() { printf '%7s s  %-9s %s\n' "$(seconds_since_fault)" "$1" "$2"; }
seconds_since_fault() {
  local elapsed=$(($(now_ms) - FAULT_AT))
  printf '%d.%d' $((elapsed / 1000)) $((elapsed % 1000 / 100))
}

# Waits until the rest of the arguments, run as a command, succeeds; gives up if a daemon has died, or the time is over.
wait_until() {
  local what=$1 deadline=$(($(now_ms) + STAGE_SECONDS * 1000)) pid
  shift
  until "$@"; do
    for pid in "${PIDS[@]}"; do
      [ -d "/proc/$pid" ] || fail "waiting until $what, a daemon ended (see its log above)"
    done
    # Past this record nothing more comes; the verdict is judged at the end.
    if [ -n "$INCIDENT" ] && has incident.closed && ! has incident.closed '"verdict":"recovered"'; then
      fail "waiting until $what, the incident ended: $(record incident.closed)"
    fi
    [ "$(now_ms)" -lt "$deadline" ] || fail "waited $STAGE_SECONDS s until $what, in vain"
    sleep 0.1
  done
}

# --- the end ----------------------------------------------------------------------------------------------------------

fail() {
  local file
  {
    say ""
    for file in blackbox prometheus alertmanager sickbay; do
      say "--- the end of $file.log"
      tail -n 15 "$WORK/$file.log" 2>/dev/null || true
    done
    say "--- the container"
    docker_ ps --all --filter "name=$CONTAINER" 2>/dev/null || true
    docker_ logs --tail 5 "$CONTAINER" 2>&1 || true
    say "--- the end of the incident log"
    tail -n 15 "$LOG" 2>/dev/null || true
    say ""
  } >&2
  die "the demo did not go as it should: $*"
}

# Stops what was started, in reverse order: on success, on failure, on Ctrl-C.
clean_up() {
  local status=$? index
  trap '' INT TERM HUP
  set +e
  if [ -s "$WORK/sickbay.pid" ]; then kill -TERM "$(cat "$WORK/sickbay.pid")" 2>/dev/null; fi
  for ((index = ${#PIDS[@]} - 1; index >= 0; index--)); do end "${PIDS[index]}"; done
  if [ -n "$CONTAINER" ]; then docker_ rm --force --volumes "$CONTAINER" >/dev/null 2>&1; fi
  if [ -n "$IMAGE" ]; then docker_ image rm "$IMAGE" >/dev/null 2>&1; fi
  engine_down
  if [ -n "$WORK" ]; then
    if [ -n "${KEEP:-}" ]; then say "Kept: $WORK"; else rm -rf "$WORK"; fi
  fi
  if [ -n "$FINISHED" ]; then
    say "The demo is over; what it started is gone."
  elif [ "$status" -ge 128 ]; then
    say "Interrupted; what the demo started is gone."
  fi
  exit "$status"
}

# Ends a daemon and what it started: first politely, after five seconds not.
end() {
  local _
  kill -TERM -- "-$1" 2>/dev/null || return 0
  for _ in $(seq 50); do
    kill -0 -- "-$1" 2>/dev/null || return 0
    sleep 0.1
  done
  kill -KILL -- "-$1" 2>/dev/null
}

main "$@"
