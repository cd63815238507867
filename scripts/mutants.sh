#!/usr/bin/env bash
# Planted bugs: the patches of tests/mutants take guards away, and the tests they name must fail.
#
# A patch begins with `what: …` and a line `test: TARGET NAME` for each test that must fail; TARGET is `lib` or a test
# binary of tests/. What it changes hangs on `crate::planted("its name")`, so that as many as possible are applied to one
# copy of the tree and built at once, and switched on one by one. With none switched on, all the tests must pass.
# Arguments are names of patches, without `.patch`; none means all. Nothing outside of target/mutants is changed.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

WORK=${MUTANTS_DIR:-$ROOT/target/mutants}
TREE=$WORK/tree
export SEED='' SEEDS=${SEEDS:-10000} FAILURES=1 RUST_BACKTRACE=0 PLANTED=''
# How many seeds the simulation plays to show that nothing fails while no bug is switched on.
SEEDS_WITHOUT=500

tests_of() { sed -n 's/^test: //p' "$1"; }
name_of() { basename "$1" .patch; }

# The tree as it stands, with what is not committed yet, and with the switch.
copy_tree() {
  mkdir -p "$TREE"
  find "$TREE" -mindepth 1 -maxdepth 1 -exec rm -rf {} +
  (cd "$ROOT" && git ls-files -z --cached --others --exclude-standard |
    tar --null --files-from=- --ignore-failed-read -cf - 2>/dev/null) | tar -C "$TREE" -xf -
  cat >>"$TREE/src/lib.rs" <<'RUST'

/// Whether this planted bug is switched on.
#[must_use]
pub fn planted(bug: &str) -> bool {
    static ON: std::sync::LazyLock<String> = std::sync::LazyLock::new(|| std::env::var("PLANTED").unwrap_or_default());
    *ON == bug
}
RUST
}

# Applies a patch as a whole or not at all. The tree is no repository of its own, and must not be taken for a part of ours.
apply() { (cd "$TREE" && GIT_CEILING_DIRECTORIES=$WORK git apply "$1") 2>"$WORK/apply.log"; }

# Builds a test binary and prints its path.
build() {
  local which=(--test "$1") log=$WORK/build.log
  [ "$1" != lib ] || which=(--lib)
  # shellcheck disable=SC2086 # CARGO may be a command with arguments
  (cd "$TREE" && ${CARGO:-cargo} test --locked --no-run --target-dir "$WORK/build" "${which[@]}") >"$log" 2>&1 || return 1
  sed -n 's/^ *Executable .*(\(.*\))$/\1/p' "$log" | head -1
}

# run BINARY TESTS…: whether they all pass, and ran at all.
run() {
  local binary=$1
  shift
  (cd "$TREE" && "$binary" --exact "$@" --nocapture) >"$WORK/run.log" 2>&1 && grep -q "^running $# tests\?$" "$WORK/run.log"
}

report() { printf '%-36s %-9s %4s s  %s\n' "$@"; }

missed=0
caught=0
broken() {
  report "$1" BROKEN - "$2"
  missed=$((missed + 1))
}

# Switches each of the patches on that name a test of this binary.
try_all() {
  local target=$1 binary=$2 patch name test began seed
  shift 2
  for patch in "$@"; do
    name=$(name_of "$patch")
    while read -r test; do
      began=$SECONDS
      if PLANTED=$name run "$binary" "$test"; then
        report "$name" SURVIVED $((SECONDS - began)) "$target $test"
        missed=$((missed + 1))
      elif grep -q "^test result: FAILED" "$WORK/run.log"; then
        seed=$(sed -n 's/^\(seed [0-9]* breaks [a-z_]*\).*/\1/p' "$WORK/run.log" | head -1)
        report "$name" caught $((SECONDS - began)) "$target ${seed:-${test##*::}}"
        caught=$((caught + 1))
      else
        broken "$name" "$target $test did not run to its end"
      fi
    done < <(tests_of "$patch" | sed -n "s/^$target //p")
  done
}

# Builds what is applied, once for each test binary that these patches name, and tries them. 1 if it does not compile.
try_applied() {
  local target binary tests
  for target in $(for patch in "$@"; do tests_of "$patch"; done | cut -d' ' -f1 | sort -u); do
    binary=$(build "$target") || return 1
    mapfile -t tests < <(for patch in "$@"; do tests_of "$patch" | sed -n "s/^$target //p"; done | sort -u)
    if SEEDS=$SEEDS_WITHOUT run "$binary" "${tests[@]}"; then
      try_all "$target" "$binary" "$@"
    else
      tail -20 "$WORK/run.log" >&2
      die "$target: a test fails, or is not there, although no planted bug is switched on"
    fi
  done
}

mkdir -p "$WORK"
WORK=$(cd "$WORK" && pwd -P)
TREE=$WORK/tree
if [ $# -eq 0 ]; then
  pending=("$ROOT"/tests/mutants/*.patch)
else
  pending=("${@/#/$ROOT/tests/mutants/}")
  pending=("${pending[@]/%/.patch}")
fi
all=${#pending[@]}
while [ ${#pending[@]} -gt 0 ]; do
  copy_tree
  applied=()
  left=()
  for patch in "${pending[@]}"; do
    # Those that change the same lines take turns.
    if apply "$patch"; then applied+=("$patch"); else left+=("$patch"); fi
  done
  if [ ${#applied[@]} -eq 0 ]; then
    for patch in "${left[@]}"; do broken "$(name_of "$patch")" "it does not apply"; done
    break
  fi
  if ! try_applied "${applied[@]}"; then
    grep -m 3 -A 6 '^error' "$WORK/build.log" >&2 || tail -20 "$WORK/build.log" >&2
    if [ ${#applied[@]} -eq 1 ]; then
      broken "$(name_of "${applied[0]}")" "it does not compile"
    else
      die "the patches do not compile; to find the one: scripts/mutants.sh NAME"
    fi
  fi
  pending=("${left[@]}")
done
[ "$missed" -eq 0 ] || die "$missed tests or patches of $all planted bugs did not do what they should"
say "all $all planted bugs were caught, $caught times, in $SECONDS s"
