#!/usr/bin/env bash
# Planted bugs: each patch of tests/mutants is applied to a copy of the tree, and the test it names must fail there.
#
# A patch begins with `what: …` and `test: TARGET NAME`, where TARGET is `lib` or a test binary of tests/. Arguments are
# names of patches, without `.patch`; none means all. Nothing outside of target/mutants is changed.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

WORK=${MUTANTS_DIR:-$ROOT/target/mutants}
TREE=$WORK/tree
export SEED='' SEEDS=${SEEDS:-10000} RUST_BACKTRACE=0

header() { sed -n "s/^$1: //p" "$2" | head -1; }

# The tree as it stands, with what is not committed yet.
copy_tree() {
  rm -rf "$TREE"
  mkdir -p "$TREE"
  (cd "$ROOT" && git ls-files -z --cached --others --exclude-standard |
    tar --null --files-from=- --ignore-failed-read -cf - 2>/dev/null) | tar -C "$TREE" -xf -
}

# Builds a test binary and prints its path.
build() {
  local target=(--test "$1") log=$WORK/build.log
  [ "$1" != lib ] || target=(--lib)
  # shellcheck disable=SC2086 # CARGO may be a command with arguments
  if ! (cd "$TREE" && ${CARGO:-cargo} test --locked --no-run --target-dir "$WORK/build" "${target[@]}") >"$log" 2>&1; then
    tail -40 "$log" >&2
    return 1
  fi
  sed -n 's/^ *Executable .*(\(.*\))$/\1/p' "$log" | head -1
}

# Runs one patch; says `caught`, `SURVIVED` or `BROKEN`, and what caught it.
try() {
  local patch=$1 target test binary log=$WORK/run.log
  read -r target test <<<"$(header test "$patch")"
  (cd "$TREE" && git apply --unidiff-zero --recount "$patch") 2>"$log" || { say "BROKEN it does not apply: $(head -1 "$log")"; return; }
  if binary=$(build "$target"); then
    if (cd "$TREE" && "$binary" --exact "$test" --nocapture) >"$log" 2>&1; then
      say "SURVIVED $target $test"
    elif grep -q "^test result: FAILED" "$log"; then
      say "caught $(sed -n 's/^\(seed [0-9]* breaks [a-z_]*\).*/\1/p' "$log" | head -1)"
    else
      say "BROKEN $target $test did not run to its end"
    fi
  else
    say "BROKEN it does not compile"
  fi
  (cd "$TREE" && git apply --reverse --unidiff-zero --recount "$patch")
}

if [ $# -eq 0 ]; then
  patches=("$ROOT"/tests/mutants/*.patch)
else
  patches=("${@/#/$ROOT/tests/mutants/}")
  patches=("${patches[@]/%/.patch}")
fi

copy_tree
missed=0
for patch in "${patches[@]}"; do
  began=$SECONDS
  verdict=$(try "$patch")
  printf '%-34s %-9s %4s s  %s\n' "$(basename "$patch" .patch)" "${verdict%% *}" $((SECONDS - began)) "${verdict#* }"
  [ "${verdict%% *}" = caught ] || missed=$((missed + 1))
done
[ "$missed" -eq 0 ] || die "$missed of ${#patches[@]} planted bugs were not caught"
say "all ${#patches[@]} planted bugs were caught"
