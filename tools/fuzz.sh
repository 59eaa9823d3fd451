#!/bin/sh
# Runs every fuzz target of a build for a while; findings and the grown corpora stay in the build.
# usage: tools/fuzz.sh BUILD_DIR SECONDS
set -eu
build=$1 seconds=$2
found=0
any=
for target in "$build"/fuzz/fuzz_*; do
    [ -x "$target" ] && [ -f "$target" ] || continue
    any=yes
    name=$(basename "$target")
    corpus=$build/fuzz/corpus/$name findings=$build/fuzz/findings/$name
    mkdir -p "$corpus" "$findings"
    "$build/fuzz/replay_${name#fuzz_}" --write "$corpus" >/dev/null
    echo "== $name for $seconds s"
    "$target" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 -print_final_stats=1 \
        -artifact_prefix="$findings/" "$corpus" >"$findings/log" 2>&1 || found=1
    grep -E '^(SUMMARY|stat::number_of_executed_units)|DEADLYSIGNAL' "$findings/log" || true
done
[ -n "$any" ] || { echo "error: no fuzz target in $build/fuzz" >&2; exit 2; }
if [ $found -ne 0 ]; then
    echo "findings are in $build/fuzz/findings" >&2
    exit 1
fi
