#!/usr/bin/env bash
# Installs Debian packages without letting the monitoring services and the SSH server among them start, now or at the next
# boot.
# Called as root by setup.sh, with the names of packages that are not installed yet.
set -euo pipefail

policy=/usr/sbin/policy-rc.d
aside=
mine=
log=$(mktemp)

# Our policy stands only while apt runs; whatever was there before comes back.
restore() {
  [ -z "$mine" ] || rm -f "$policy"
  [ -z "$aside" ] || mv -f "$aside" "$policy"
  rm -f "$log"
}
trap restore EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

if [ -e "$policy" ] || [ -L "$policy" ]; then
  aside=$policy.before-sickbay
  mv "$policy" "$aside"
fi
mine=yes
# The engine may start where systemd looks after it. Elsewhere its start script fails in many containers, and the whole
# installation with it; lib.sh starts an engine there when one is needed.
cat >"$policy" <<POLICY
#!/bin/sh
# Temporary, by sickbay's scripts/install.sh: see there.
[ -d /run/systemd/system ] || exit 101
case \$1 in prometheus* | ssh*) exit 101 ;; esac
[ -z "$aside" ] || exec "$aside" "\$@"
exit 0
POLICY
chmod 755 "$policy"

# Quiet unless it fails.
apt() {
  DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=120 -o Acquire::Retries=3 "$@" >"$log" 2>&1 </dev/null || {
    cat "$log" >&2
    echo "error: apt-get $1 failed (see above); repair that, then try again" >&2
    exit 1
  }
}
apt update
apt install --yes --no-install-recommends "$@"

for package in "$@"; do
  case $package in
    prometheus*)
      # Whichever of the two the machine boots with.
      deb-systemd-helper disable "$package.service" >/dev/null 2>&1 || true
      update-rc.d "$package" disable >/dev/null 2>&1 || true
      ;;
    openssh-server)
      # The tests start one of their own on loopback; nobody asked for a door into this machine.
      deb-systemd-helper disable ssh.service >/dev/null 2>&1 || true
      deb-systemd-helper disable ssh.socket >/dev/null 2>&1 || true
      update-rc.d ssh disable >/dev/null 2>&1 || true
      ;;
  esac
done
