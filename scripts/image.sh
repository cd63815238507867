#!/usr/bin/env bash
# Builds the image of the containers that the demo and the tests break, from the static busybox: no registry is asked.
# Usage: scripts/image.sh [NAME:TAG]          (default: sickbay-demo:1)
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

name=${1:-sickbay-demo:1}
engine_reach || die "no Docker engine answers; run: make setup, or start one"
busybox_is_static || die "a static busybox is missing; run: make setup"

# A version of the recipe, so that an older image under the same name is built anew.
recipe="recipe-1 $(busybox | sed -n 1p)"
[ "$(docker_ image inspect --format '{{index .Config.Labels "sickbay.recipe"}}' "$name" 2>/dev/null)" != "$recipe" ] || exit 0

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
mkdir -p "$root/bin" "$root/tmp" "$root/www"
cp "$(command -v busybox)" "$root/bin/busybox"
for applet in $(busybox --list); do
  [ "$applet" = busybox ] || ln -sf busybox "$root/bin/$applet"
done
chmod 1777 "$root/tmp"
say "ok" >"$root/www/index.html"
tar -C "$root" --numeric-owner --owner=0 --group=0 -c . |
  docker_ import \
    --change 'CMD ["sleep","100000"]' \
    --change 'ENV PATH=/bin' \
    --change "LABEL sickbay.recipe=\"$recipe\"" \
    - "$name" >/dev/null
say "Built the image $name from $(command -v busybox)."
