# What the other scripts share: speaking, free ports, packages, and a Docker engine. Sourced, never run.
#
# Whatever is started through here is stopped through here, and nothing else is.

# shellcheck shell=bash

# Debian gives root alone the folders in which dockerd and iptables stand.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

say() { printf '%s\n' "$*"; }
warn() { printf 'warning: %s\n' "$*" >&2; }
die() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}
have() { command -v "$1" >/dev/null 2>&1; }

# Whether a command can be run as root. Without a terminal, sudo must not ask for a password.
may_be_root() { [ "$(id -u)" -eq 0 ] || { have sudo && { [ -t 0 ] || sudo -n true 2>/dev/null; }; }; }

# Runs a command as root: as we are, or through sudo.
as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  elif may_be_root; then
    sudo "$@"
  else
    die "this needs root, and sudo is missing or would ask for a password here; run as root: $*"
  fi
}

# --- packages ---------------------------------------------------------------------------------------------------------

# Prints the packages behind the commands that are missing.
missing_packages() {
  have docker || say docker.io
  have dockerd || docker_answers || say docker.io
  # Debian 13 has taken the command-line client out of docker.io.
  if ! have docker && apt-cache show docker-cli >/dev/null 2>&1; then say docker-cli; fi
  have iptables || docker_answers || say iptables
  # Where the kernel has AppArmor on, the engine refuses to start containers without its parser.
  if [ "$(cat /sys/module/apparmor/parameters/enabled 2>/dev/null)" = Y ] && ! have apparmor_parser; then
    say apparmor
  fi
  if ! busybox_is_static; then say busybox-static; fi
  if ! have prometheus || ! have promtool; then say prometheus; fi
  if ! have prometheus-alertmanager || ! have amtool; then say prometheus-alertmanager; fi
  # The tests put socket proxies before the engine.
  have haproxy || say haproxy
  have prometheus-blackbox-exporter || say prometheus-blackbox-exporter
  # Rust cannot link, and `ring` cannot be built, without a C compiler.
  have cc || say build-essential
}

busybox_is_static() { have busybox && ! ldd "$(command -v busybox)" >/dev/null 2>&1; }

# Installs the named packages. Monitoring services that come with them are neither started nor enabled: they would sit
# on ports 9090, 9093 and 9115. The engine's own service may start: it is wanted.
install_packages() {
  have apt-get || die "these are missing and this is not Debian or Ubuntu: $*; install them by hand"
  say "Installing from the distribution's packages: $*"
  as_root env ROOT="$ROOT" bash "$ROOT/scripts/install.sh" "$@"
}

# --- the engine -------------------------------------------------------------------------------------------------------

# How to reach the engine: empty, or `sudo -g docker` for a person who is not (yet) in that group.
ENGINE_AS=()
# What this process started: "", "service" or the folder of an engine of our own.
ENGINE_STARTED=

docker_answers() { have docker && timeout 10 docker version --format '{{.Server.Version}}' >/dev/null 2>&1; }
docker_answers_to_group() {
  have docker && have sudo && getent group docker >/dev/null &&
    timeout 60 sudo -g docker docker version --format '{{.Server.Version}}' >/dev/null 2>&1
}

# Runs a command that talks to the engine.
with_engine() {
  local name kept=()
  if [ ${#ENGINE_AS[@]} -eq 0 ]; then
    "$@"
    return
  fi
  # sudo starts with an empty environment.
  for name in PATH HOME CI TMPDIR DOCKER_HOST CARGO_HOME CARGO_TARGET_DIR RUSTUP_HOME RUSTUP_TOOLCHAIN; do
    [ -z "${!name:-}" ] || kept+=("$name=${!name}")
  done
  "${ENGINE_AS[@]}" env "${kept[@]}" "$@"
}
docker_() { with_engine docker "$@"; }

# Makes sure that an engine answers; starts one if none does.
engine_up() {
  engine_reach && return
  [ -z "${DOCKER_HOST:-}" ] || die "no Docker engine answers at DOCKER_HOST=$DOCKER_HOST; unset it, or start that engine"
  may_be_root || die "no Docker engine answers, and starting one needs root; run as root: systemctl start docker, or: dockerd"
  # An engine that answers root alone is an engine: a second one beside it would harm it.
  if [ "$(id -u)" -ne 0 ] && [ -S /var/run/docker.sock ] && as_root docker version >/dev/null 2>&1; then
    die "the Docker engine does not let $(id -un) in; run: sudo usermod -aG docker $(id -un), then log in anew"
  fi
  if [ -d /run/systemd/system ]; then
    say "No Docker engine answers: starting the service docker."
    as_root systemctl start docker || die "the service docker does not start; see: journalctl -u docker"
    ENGINE_STARTED=service
  else
    engine_start_own
  fi
  for _ in $(seq 60); do
    engine_reach && return
    sleep 0.5
  done
  [ "$ENGINE_STARTED" = service ] || tail -n 20 "$ENGINE_STARTED/log" >&2
  engine_down
  die "the Docker engine was started and does not answer within 30 s"
}

engine_reach() {
  if docker_answers; then
    ENGINE_AS=()
  elif [ "$(id -u)" -ne 0 ] && docker_answers_to_group; then
    ENGINE_AS=(sudo -g docker --)
  else
    return 1
  fi
}

# Left to itself an engine has addresses for 31 networks, which the tests of Compose can use up. These are for some 500,
# within the same range.
ENGINE_ADDRESSES=(--default-address-pool "base=172.17.0.0/16,size=16" --default-address-pool "base=172.18.0.0/15,size=24")

# An engine with a data folder of its own, so that containers of a stopped engine stay as they are.
engine_start_own() {
  have dockerd || die "no Docker engine answers, and dockerd is not installed; run: make setup"
  ENGINE_STARTED=$(mktemp -d /var/tmp/sickbay-engine.XXXXXX)
  say "No Docker engine answers: starting one, its log is $ENGINE_STARTED/log."
  # setsid: Ctrl-C on the terminal ends us, and we end the engine in good order.
  # shellcheck disable=SC2016
  as_root bash -c 'folder=$0
    exec setsid dockerd --data-root "$folder/data" --exec-root "$folder/run" --pidfile "$folder/pid" "$@" \
      >"$folder/log" 2>&1 </dev/null &' "$ENGINE_STARTED" "${ENGINE_ADDRESSES[@]}"
}

# Stops the engine if this process started it, unless somebody else has come to use it.
engine_down() {
  local started=$ENGINE_STARTED pid mounts
  ENGINE_STARTED=
  [ -n "$started" ] || return 0
  if [ -n "$(docker_ ps --quiet 2>/dev/null)" ]; then
    say "The Docker engine that was started keeps running: there are other containers on it."
    return 0
  fi
  if [ "$started" = service ]; then
    say "Stopping the service docker again."
    as_root systemctl stop docker.socket docker.service 2>/dev/null || as_root systemctl stop docker
    return 0
  fi
  # It may have been started a moment ago, and not have said its number yet.
  for _ in $(seq 30); do
    pid=$(cat "$started/pid" 2>/dev/null || true)
    [ -z "$pid" ] || break
    sleep 0.1
  done
  if [ -n "$pid" ]; then
    say "Stopping the Docker engine that was started."
    # The shell's own kill: sudo would look for a program, which a small system lacks.
    # shellcheck disable=SC2016
    as_root sh -c 'kill "$1"' sh "$pid" 2>/dev/null || true
    for _ in $(seq 150); do
      [ -d "/proc/$pid" ] || break
      sleep 0.1
    done
    if [ -d "/proc/$pid" ]; then
      warn "the Docker engine (process $pid) does not stop; its folder is $started"
      return 0
    fi
  fi
  # A network namespace and some layers stay mounted when an engine ends.
  mapfile -t mounts < <(awk -v under="$started/" 'index($5, under) == 1 { print $5 }' /proc/self/mountinfo | sort -r)
  [ ${#mounts[@]} -eq 0 ] || as_root umount --lazy "${mounts[@]}" 2>/dev/null || true
  as_root rm -rf --one-file-system "$started" 2>/dev/null || warn "could not remove $started"
}

# The engine's address as the client sees it: DOCKER_HOST, the chosen context, or the default socket.
engine_url() {
  local url
  url=$(docker_ context inspect --format '{{.Endpoints.docker.Host}}' 2>/dev/null || true)
  say "${url:-${DOCKER_HOST:-unix:///var/run/docker.sock}}"
}

# --- ports and waiting ------------------------------------------------------------------------------------------------

PORTS_GIVEN=" "

# Sets the named variable to a TCP port that nobody uses and that was not given before. Below the range from which the
# kernel takes ports for outgoing connections, so that none of those takes it in between.
free_port() {
  local port hex
  for _ in $(seq 200); do
    port=$((20000 + RANDOM % 12000))
    printf -v hex '%04X' "$port"
    case $PORTS_GIVEN in *" $port "*) continue ;; esac
    if ! grep -qE "^ *[0-9]+: [0-9A-F]+:$hex " /proc/net/tcp /proc/net/tcp6 2>/dev/null; then
      PORTS_GIVEN+="$port "
      printf -v "$1" '%s' "$port"
      return
    fi
  done
  die "found no free TCP port between 20000 and 32000"
}

# Whether GET http://127.0.0.1:PORT/PATH is answered with 200. Bash alone, so that curl need not be installed.
http_ok() {
  local answer=
  { exec 9<>"/dev/tcp/127.0.0.1/$1"; } 2>/dev/null || return 1
  printf 'GET %s HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n' "$2" >&9 2>/dev/null
  IFS= read -r -t 2 answer <&9 2>/dev/null || true
  exec 9>&- 9<&-
  [[ $answer == HTTP/1.?" 200"* ]]
}

# Milliseconds of a clock that only goes forward.
now_ms() {
  local up
  read -r up _ </proc/uptime
  up=${up/./}
  say "$((10#$up * 10))"
}
