#!/usr/bin/env bash
# Installs Debian packages without letting the monitoring services among them start, now or at the next boot.
# Called as root by setup.sh, with the names of the packages.
set -euo pipefail

policy=/usr/sbin/policy-rc.d
aside=
mine=

# Our policy stands only while apt runs; whatever was there before comes back.
restore() {
  [ -z "$mine" ] || rm -f "$policy"
  [ -z "$aside" ] || mv -f "$aside" "$policy"
}
trap restore EXIT
trap 'exit 130' INT TERM

if [ -e "$policy" ] || [ -L "$policy" ]; then
  aside=$policy.before-sickbay
  mv "$policy" "$aside"
fi
mine=yes
cat >"$policy" <<POLICY
#!/bin/sh
# Temporary, by sickbay's scripts/install.sh: see there.
case \$1 in prometheus*) exit 101 ;; esac
[ -z "$aside" ] || exec "$aside" "\$@"
exit 0
POLICY
chmod 755 "$policy"

export DEBIAN_FRONTEND=noninteractive
options=(-o DPkg::Lock::Timeout=120 -o Acquire::Retries=3 -qq)
apt-get "${options[@]}" update
apt-get "${options[@]}" install --yes --no-install-recommends "$@" </dev/null

# `systemctl disable` also where systemd does not run: an image made from this machine would start them.
for package in "$@"; do
  case $package in
    prometheus*) if command -v systemctl >/dev/null; then systemctl disable --quiet "$package" 2>/dev/null || true; fi ;;
  esac
done
