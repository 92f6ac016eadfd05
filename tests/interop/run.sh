#!/usr/bin/env bash
# The crate against foreign peers, in both directions: our gateway against the Node and Python clients, our client against the
# Node gateway, and our JOSE against foreign libraries. Builds what it needs. Ends with `N passed, N failed`, and exit code 0 only
# if nothing failed. What a part skips has failed.
#   tests/interop/run.sh [cargo profile, release if none]
set -euo pipefail
cd "$(dirname "$0")/../.."
profile=${1:-release}
folder=${CARGO_TARGET_DIR:-target}/$profile
[[ $profile == dev ]] && folder=${CARGO_TARGET_DIR:-target}/debug
here=tests/interop
work=$(mktemp -d)
gateways=()
trap 'kill "${gateways[@]}" 2>/dev/null || true; wait; rm -rf "$work"' EXIT

cargo build --quiet --profile "$profile" -p dynamic-key-gateway --bin dynamic-key-gateway
cargo build --quiet --profile "$profile" -p dynamic-key --example client --features ffdhe

# Starts a gateway with these options; sets `url` and `kid` once it is ready.
start() {
  : >"$work/ready" # the one before is ready, too
  "$folder/dynamic-key-gateway" --listen 127.0.0.1:0 --log error "$@" >"$work/ready" &
  gateways+=($!)
  local waited=0
  until grep -q '^listening on ' "$work/ready"; do
    kill -0 "$!" && ((++waited < 100)) || { echo "the gateway did not start" >&2; exit 1; }
    sleep 0.1
  done
  read -r _ _ url _ kid <"$work/ready"
}

passed=0 failed=0
# Runs one part and adds up what its last line says; a part that does not end in a count is one failure.
part() {
  echo "── $1"
  shift
  local status=0 last
  "$@" >"$work/part" 2>&1 || status=$?
  grep -v '^ok ' "$work/part" || true
  last=$(tail -n 1 "$work/part")
  if [[ $last =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed(,\ ([0-9]+)\ skipped)?$ ]]; then
    passed=$((passed + BASH_REMATCH[1])) failed=$((failed + BASH_REMATCH[2] + ${BASH_REMATCH[4]:-0}))
    if ((status != 0 && BASH_REMATCH[2] == 0)); then failed=$((failed + 1)); fi
  else
    failed=$((failed + 1))
  fi
}

# The policy of the vectors: plain mode too, and the schemes that are on by default.
cat >"$work/gateway.toml" <<'END'
upstream = "http://127.0.0.1:9"
least_mode = "plain"
clients = [{ type = "internal", id = "internal-web-client" }, { type = "external", id = "partner-acme-corp" }]
limits = { handshakes_per_minute = 0, failures_per_minute = 0 }
END
start --config "$work/gateway.toml"
corpus=$url
start --demo --session-seconds 3
expiring=$url
start --demo --token-secret "$work/secret"
part "Node clients against our gateway" node $here/run-clients.mjs --gateway "$url" --pin="$kid" --expiring "$expiring"
part "Python client against our gateway" python3 $here/python_client.py --gateway "$url" --pin="$kid" \
  --token-secret "$(<"$work/secret")" --expiring "$expiring" --corpus "$corpus"
part "Python client of mutual mode against our gateway" python3 $here/mutual_client.py "$folder/dynamic-key-gateway"
part "Python client of Key Agreement against our gateway" python3 $here/key_agreement_client.py "$folder/dynamic-key-gateway"
part "our client against the Node gateway" node $here/run-gateway.mjs --client "$folder/examples/client"
part "JOSE against jose and jwcrypto" $here/jose/run.sh "$profile"
echo "$passed passed, $failed failed"
((failed == 0))
