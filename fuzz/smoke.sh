#!/usr/bin/env bash
# Runs every fuzz target: `smoke.sh [seconds] [target…]`, ten seconds for each of all targets by default.
# A crash, a hang or a target that does not build fails it. SANITIZER=address takes a nightly toolchain.
set -euo pipefail
cd "$(dirname "$0")"

seconds=${1:-10}
sanitizer=${SANITIZER:-none}
toolchain=()
export CARGO_TARGET_DIR=$PWD/target
fail() { echo "smoke.sh: $*" >&2; exit 1; }

[[ $seconds =~ ^[1-9][0-9]*$ ]] || fail "'$seconds' is no number of seconds"
command -v cargo-fuzz > /dev/null || cargo install cargo-fuzz --locked --version 0.13.2 \
    || fail "cargo-fuzz is not installed and cannot be"
if [[ $sanitizer != none ]]; then
    # Sanitizers are unstable flags of the compiler; coverage and comparisons, all that fuzzing needs, are stable.
    rustup run nightly rustc --version || rustup toolchain install nightly --profile minimal \
        || fail "SANITIZER=$sanitizer needs a nightly toolchain, which is not installed and cannot be"
    toolchain=(+nightly)
fi

python3 seed.py
cargo "${toolchain[@]}" fuzz build --sanitizer "$sanitizer"
host=$(rustc -vV | sed -n 's/^host: //p')

# One target, its output only where it fails.
run() {
    local target=$1 log
    log=$(mktemp)
    mkdir -p "corpus/$target" "artifacts/$target"
    if "target/$host/release/$target" "corpus/$target" -max_total_time="$seconds" -max_len=4096 -timeout=10 \
        -rss_limit_mb=2048 -dict=dictionary -print_final_stats=1 -artifact_prefix="artifacts/$target/" > "$log" 2>&1
    then
        printf 'ok      %-18s %9s runs, %s features\n' "$target" \
            "$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")" \
            "$(sed -n 's/.* ft: \([0-9]*\) .*/\1/p' "$log" | tail -n 1)"
    else
        printf 'FAILED  %s\n' "$target"
        grep -m 1 -A 3 'panicked at' "$log" || grep -m 1 'ERROR: ' "$log" || tail -n 40 "$log"
        grep -o 'Test unit written to .*' "$log" || true
    fi
    rm "$log"
}
export -f run
export seconds host

if (( $# > 1 )); then targets=("${@:2}"); else mapfile -t targets < <(cargo fuzz list); fi
(( ${#targets[@]} > 0 )) || fail "no targets"
results=$(printf '%s\n' "${targets[@]}" | xargs -P "$(nproc)" -I {} bash -c 'run {}')
echo "$results"
! grep -q '^FAILED' <<< "$results" || fail "a target failed; its input is in fuzz/artifacts"
(( $(grep -c '^ok' <<< "$results") == ${#targets[@]} )) || fail "a target did not run"
