#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# All cases of test/golden/argv-cases: what argv-case makes of each is what is expected there.
set -u
cases=${srcdir:-$(dirname "$0")/../..}/test/golden/argv-cases
builddir=${builddir:-.}

if ! command -v python3 >/dev/null 2>&1; then
    echo 'SKIP: no python3'
    exit 77
fi
case $builddir in
/*) program=$builddir/argv-case ;;
*) program=$PWD/$builddir/argv-case ;;
esac
bad=0
python3 "$cases/compare-argv.py" --self-test "$cases"/*/*.json || bad=1
for kind in lima run govmm; do
    echo "$kind:"
    python3 "$cases/run-cases.py" "$program" "$cases/$kind" || bad=1
done
exit $bad
