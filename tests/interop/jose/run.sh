#!/usr/bin/env bash
# The crate's JOSE against `jose` of npm and `jwcrypto` of PyPI, in both directions, each pinned. Installs both where they are
# missing. Ends with `N passed, N failed`, and exit code 0 only if nothing failed.
#   tests/interop/jose/run.sh [cargo profile, release if none]
set -euo pipefail
cd "$(dirname "$0")/../../.."
profile=${1:-release}
target=${CARGO_TARGET_DIR:-target}
folder=$target/$profile
[[ $profile == dev ]] && folder=$target/debug
here=tests/interop/jose
fail() { echo "$here/run.sh: $*" >&2; exit 1; }

cargo build --locked --quiet --profile "$profile" -p dynamic-key --example jose-peer --features jwe
(cd $here && npm ci --silent --no-audit --no-fund) || fail "the packages of npm cannot be installed"
venv=$target/jose-venv
[[ -x $venv/bin/python3 ]] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet --disable-pip-version-check -r $here/requirements.txt \
  || fail "the packages of PyPI cannot be installed"

passed=0 failed=0
part() {
  local status=0 output last
  output=$("$@") || status=$?
  grep -v '^ok ' <<<"$output" | sed '$d' || true
  last=${output##*$'\n'}
  [[ $last =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]] || fail "$1 did not end"
  passed=$((passed + BASH_REMATCH[1])) failed=$((failed + BASH_REMATCH[2]))
  ((status == 0 || BASH_REMATCH[2] > 0)) || fail "$1 ended with $status"
}
part node $here/run.mjs "$folder/examples/jose-peer"
part "$venv/bin/python3" $here/run.py "$folder/examples/jose-peer"
((passed > 200)) || fail "only $passed checks were made"
echo "$passed passed, $failed failed"
((failed == 0))
