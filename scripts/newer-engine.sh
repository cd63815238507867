#!/usr/bin/env bash
# Starts the Docker engine of Debian 13 (26.1) beside the one that runs, in a network namespace of its own, and runs a
# command there. Without a command: the tests that need an engine.
#
# Nothing is installed: the packages are unpacked into a folder of their own. Needs root and runc. At the end, also after a
# failure or Ctrl-C, the command, the containers, the engine and its containerd are ended and waited for.
# Usage: scripts/newer-engine.sh [COMMAND...]
# The trap runs what stands in functions here.
# shellcheck disable=SC2317
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
source "$ROOT/scripts/debian.sh"

[ "$(id -u)" -eq 0 ] || die "the engine runs in a network namespace of its own, and only root may make one; run it as root"
bash "$ROOT/scripts/setup.sh" strace faketime
have ip || install_packages iproute2

folder=${XDG_CACHE_HOME:-$HOME/.cache}/sickbay-engine
[ -d "$folder" ] || {
  mkdir -p "$(dirname "$folder")"
  unpack "Docker 26.1" trixie "$folder" docker.io docker-cli containerd
}

space=sickbay-newer-$$
home=$(mktemp -d /var/tmp/sickbay-newer.XXXXXX)
engine=
command=

# Waits until a process is gone: gone PID SECONDS.
gone() {
  for _ in $(seq "$(($2 * 10))"); do
    [ -d "/proc/$1" ] || return 0
    # One that nobody has waited for yet is gone all the same.
    ! grep -qs '^State:[[:space:]]*Z' "/proc/$1/status" || return 0
    sleep 0.1
  done
  return 1
}

# Ends a process that was started here: asked first, then killed. end WHAT PID SECONDS.
end() {
  kill "$2" 2>/dev/null || return 0
  # With its number: within a trap, a bare `return` has the status of before the trap.
  ! gone "$2" "$3" || return 0
  warn "$1 (process $2) does not end within $3 s and is killed"
  kill -KILL "$2" 2>/dev/null || true
  gone "$2" 10 || warn "$1 (process $2) is still there"
}

# The processes whose words name our folder: containerd, and what holds a container. Nobody else's have that name in them.
ours() {
  local file pid words
  for file in /proc/[0-9]*/cmdline; do
    pid=${file#/proc/}
    pid=${pid%/cmdline}
    words=$(tr '\0' ' ' <"$file" 2>/dev/null) || continue
    case "$pid:$words" in
      "$$:"*) ;;
      *"$home/"*) say "$pid" ;;
    esac
  done
}

conclude() {
  local status=$? containers mounts pid
  trap - EXIT
  # A second Ctrl-C must not cut the tidying off.
  trap '' INT TERM HUP
  # What cannot be tidied keeps nothing else from being tidied.
  set +e
  [ -z "$command" ] || end "the command" "$command" 20
  if [ -n "$engine" ]; then
    # With the engine alone they would live on: their keepers are processes of their own.
    mapfile -t containers < <(timeout 20 docker ps --all --quiet 2>/dev/null || true)
    [ ${#containers[@]} -eq 0 ] || timeout 60 docker rm --force --volumes "${containers[@]}" >/dev/null 2>&1 || true
    end "the engine of Debian 13" "$engine" 30
    wait "$engine" 2>/dev/null || true
    # Its containerd ends with it, unless it was killed.
    for pid in $(ours); do end "a process of that engine" "$pid" 10; done
  fi
  mapfile -t mounts < <(awk -v under="$home/" 'index($5, under) == 1 { print $5 }' /proc/self/mountinfo | sort -r)
  [ ${#mounts[@]} -eq 0 ] || umount --lazy "${mounts[@]}" 2>/dev/null || true
  ip netns delete "$space" 2>/dev/null || true
  rm -rf --one-file-system "$home" 2>/dev/null || warn "could not remove $home"
  exit "$status"
}
trap conclude EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# The words before a command that is to run in there. Not `ip netns exec`: it hides the control groups, without which no
# engine starts.
inside=(nsenter "--net=/run/netns/$space")

ip netns add "$space"
"${inside[@]}" ip link set lo up
export PATH="$folder/usr/bin:$folder/usr/sbin:$PATH" DOCKER_HOST="unix://$home/docker.sock"
# Each program takes the place of the one before it, so that the process is the engine itself and no shell around it.
# setsid: Ctrl-C on the terminal ends us, and we end the engine in good order.
setsid "${inside[@]}" dockerd --host "$DOCKER_HOST" --data-root "$home/data" --exec-root "$home/run" --pidfile "$home/pid" \
  "${ENGINE_ADDRESSES[@]}" >"$home/log" 2>&1 </dev/null &
engine=$!
for _ in $(seq 120); do
  ! docker_answers || break
  kill -0 "$engine" 2>/dev/null || break
  sleep 0.5
done
docker_answers || {
  tail -n 20 "$home/log" >&2
  die "the engine of Debian 13 does not start here"
}
say "$(docker version --format 'Docker {{.Server.Version}}, API {{.Server.APIVersion}}') answers at $DOCKER_HOST."

cd "$ROOT"
if [ $# -eq 0 ]; then
  set -- cargo test --locked --no-fail-fast --test live --test crash --test e2e
  ! cargo nextest --version >/dev/null 2>&1 ||
    set -- cargo nextest run --locked --no-fail-fast --test live --test crash --test e2e
fi
# Behind us, so that a signal to us is heard at once and not when the command ends.
"${inside[@]}" "$@" <&0 &
command=$!
status=0
wait "$command" || status=$?
command=
exit "$status"
