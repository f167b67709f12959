#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Completion: the scripts are good shell, and bash's does what it should.
set -u

cima=${builddir:-.}/cima
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
failed=0

for shell in bash zsh fish; do
    "$cima" completion "$shell" >"$tmp/$shell" || failed=1
    if ! command -v "$shell" >/dev/null 2>&1; then
        echo "note: $shell is not here, its script was not checked"
    elif ! "$shell" -n "$tmp/$shell"; then
        echo "FAIL: $shell does not take its script"
        failed=1
    fi
done
if "$cima" completion tcsh >"$tmp/out" 2>&1 || ! grep -q 'bash, zsh or fish' "$tmp/out"; then
    echo 'FAIL: an unknown shell is not refused with those that are known'
    failed=1
fi
if command -v shellcheck >/dev/null 2>&1 && ! shellcheck -s bash "$tmp/bash"; then
    echo "FAIL: shellcheck on bash's script"
    failed=1
fi

# ladder MAX: powers of two up to a number, and itself
ladder() {
    n=1
    while [ "$n" -lt "$1" ]; do
        echo "$n"
        n=$((n * 2))
    done
    echo "$1"
}
words() { CIMA_HOME=$tmp/home "$cima" complete bash -- "$@" | tail -n +2; }
half=$(($(sed -n 's/^MemTotal: *\([0-9]*\) kB/\1/p' /proc/meminfo) / 2 / 1048576))
sizes=0.5
[ "$half" -eq 0 ] || sizes=$(ladder "$half")
if [ "$(words create --cpus '')" != "$(ladder "$(env -u OMP_NUM_THREADS -u OMP_THREAD_LIMIT nproc)")" ]; then
    echo "FAIL: not the numbers of processors: $(words create --cpus '' | tr '\n' ' ')"
    failed=1
fi
if [ "$(words edit --memory '')" != "$sizes" ]; then
    echo "FAIL: not up to half of the memory: $(words edit --memory '' | tr '\n' ' ')"
    failed=1
fi
if ! command -v bash >/dev/null 2>&1; then
    echo 'SKIP: bash is not here'
    exit 77
fi
python3 "${srcdir:-$(dirname "$0")/../..}/test/unit/completion.py" "$cima" || failed=1
exit $failed
