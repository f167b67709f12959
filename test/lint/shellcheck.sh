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
# What git tracks or would track; in a tarball, what is there.
list=$(git ls-files -co --exclude-standard -- '*.sh' bootstrap .ci/run 2>/dev/null) ||
    list=$(find . -name '*.sh' -o -name bootstrap -type f)
for file in $list; do
    [ -f "$file" ] || continue
    if shellcheck -x "$file"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
    fi
done
echo "shellcheck: $passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
