# Programs of another Debian than this one, unpacked into a folder of their own; nothing is installed. To be sourced, after
# lib.sh. It sets a trap on EXIT.
# shellcheck shell=bash

new=
trap '[ -z "$new" ] || rm -rf "$new"' EXIT

# Unpacks packages of a suite of Debian into a folder: unpack WHAT SUITE FOLDER PACKAGE...
unpack() {
  local what=$1 suite=$2 into=$3 mirror keyring=/usr/share/keyrings/debian-archive-keyring.gpg
  shift 3
  if ! have apt-get || [ ! -r "$keyring" ]; then
    die "$what is missing, and this is not Debian: install it by hand"
  fi
  mirror=$(grep -rhE '^(URIs: |deb )' /etc/apt/sources.list /etc/apt/sources.list.d/ 2>/dev/null |
    grep -oE 'https?://[^ ]*/debian/?( |$)' | head -n 1 || true)
  [ -n "$mirror" ] || die "$what is missing, and there is no Debian mirror in the apt sources"
  new=$(mktemp -d "$into.XXXXXX")
  mkdir -p "$new/apt/lists/partial" "$new/apt/cache/archives/partial"
  say "deb [signed-by=$keyring] $mirror $suite main" >"$new/apt/sources.list"
  apt() {
    apt-get -qq -o "Dir::Etc::sourcelist=$new/apt/sources.list" -o Dir::Etc::sourceparts=/dev/null \
      -o "Dir::State::lists=$new/apt/lists" -o "Dir::Cache=$new/apt/cache" -o APT::Sandbox::User= "$@" >&2
  }
  apt update || die "the Debian mirror $mirror does not answer"
  (cd "$new" && apt download "$@") || die "$mirror lacks: $*"
  for deb in "$new"/*.deb; do dpkg-deb -x "$deb" "$new"; done
  rm -rf "$new"/*.deb "$new/apt"
  chmod 755 "$new"
  # Another process may have been quicker.
  mv -T "$new" "$into" 2>/dev/null || [ -d "$into" ]
}
