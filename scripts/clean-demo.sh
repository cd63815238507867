#!/usr/bin/env bash
# Removes what a demo leaves behind if it is killed with SIGKILL: its containers, its image, its daemons and its folders,
# and an engine that it started. A demo that is running right now would lose its own as well.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# The daemons are told by the folder in their command lines, which no other program has.
for command_line in /proc/[0-9]*/cmdline; do
  pid=${command_line#/proc/}
  pid=${pid%/cmdline}
  if tr '\0' ' ' 2>/dev/null <"$command_line" | grep -qE -- '--(config\.file|storage\.path)=[^ ]*/sickbay-demo\.[A-Za-z0-9]{6}/' &&
    kill "$pid" 2>/dev/null; then
    say "Stopped process $pid."
  fi
done
if engine_reach; then
  for container in $(docker_ ps --all --quiet --filter label=sickbay.demo=true); do
    docker_ rm --force --volumes "$container" >/dev/null && say "Removed container $container."
  done
  for image in $(docker_ image ls --quiet --filter reference='sickbay-demo-web-*:demo'); do
    docker_ image rm --force "$image" >/dev/null && say "Removed image $image."
  done
fi
for folder in "${TMPDIR:-/tmp}"/sickbay-demo.??????; do
  if [ -d "$folder" ]; then rm -rf "$folder" && say "Removed $folder."; fi
done
for ENGINE_STARTED in /var/tmp/sickbay-engine.??????; do
  if [ -d "$ENGINE_STARTED" ]; then engine_down; fi
done
