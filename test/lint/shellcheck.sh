#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Every shell script of the project passes shellcheck.
set -u
cd "${srcdir:-$(dirname "$0")/../..}" || exit 1
if ! command -v shellcheck >/dev/null 2>&1; then
    echo "SKIP: shellcheck is not installed"
    exit 77
fi
passed=0
failed=0
# What git tracks or would track; in an unpacked release, what is there (but not what `make distcheck`
# builds in it). Scripts are known by their first line, files for sourcing by their name.
if [ -e .git ]; then
    git ls-files -co --exclude-standard
else
    find . \( -path ./build-aux -o -path ./_build -o -path ./_inst \) -prune -o -type f -printf '%P\n'
fi >"${TMPDIR:-/tmp}/shellcheck.$$"
list=$(while read -r file; do
    read -r line 2>/dev/null <"$file"
    case $file:$line in
        test/golden/*) ;; # inputs of tests, not scripts of ours
        */configure:* | */config.status:* | */libtool:* | *-aux/*) ;;
        *.sh:* | *:'#!/bin/sh'* | *:'#!/bin/busybox sh'*) echo "$file" ;;
    esac
done <"${TMPDIR:-/tmp}/shellcheck.$$")
rm -f "${TMPDIR:-/tmp}/shellcheck.$$"
for file in $list; do
    [ -f "$file" ] || continue
    if shellcheck -x -s sh "$file"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
    fi
done
echo "shellcheck: $passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
