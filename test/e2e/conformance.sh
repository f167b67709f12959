#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# test/golden/conformance: what Lima 2.2 makes of files, layers, flags and edits, and where we do
# better. Through the program as a user calls it; as root also as a normal user, for both have a home,
# a name and an id that go into the result.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
cases=$srcdir/test/golden/conformance
unset CIMA_HOME

python3 -c 'import yaml' 2>/dev/null || skip 'the Python module yaml (python3-yaml) is not there'

# compare NAME OPTIONS...: counts what compare.py counts and shows what failed.
compare() {
    name=$1
    shift
    python3 "$cases/compare.py" "$@" "$cima" "$cases" >"$scratch/compare.log" 2>&1
    last=$(tail -n 1 "$scratch/compare.log")
    good=$(printf '%s\n' "$last" | sed -n 's/^\([0-9]*\) passed, [0-9]* failed$/\1/p')
    bad=$(printf '%s\n' "$last" | sed -n 's/^[0-9]* passed, \([0-9]*\) failed$/\1/p')
    if [ -z "$good" ]; then
        not_ok "$name: the cases could not be run" "$last"
        return
    fi
    printf '%s: %s\n' "$name" "$last"
    [ "$bad" -eq 0 ] || sed '$d' "$scratch/compare.log"
    passed=$((passed + good))
    failed=$((failed + bad))
}

compare "as $(id -un)"
if [ "$(id -u)" -eq 0 ]; then
    user=nobody
    if runuser -u "$user" -- "$cima" --version >/dev/null 2>&1; then
        compare "as $user" --as-user "$user"
    else
        printf 'skipped: as a normal user: %s can not run %s\n' "$user" "$cima"
    fi
fi
finish
