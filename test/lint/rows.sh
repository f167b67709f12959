#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Every row of the specification has a test, and test/rows.md says which.
set -u
srcdir=${srcdir:-$(dirname "$0")/../..}
export srcdir
command -v python3 >/dev/null || {
    echo 'skipped: python3 is not installed; ./bootstrap deps does it'
    exit 77
}
exec python3 "$srcdir/test/rows.py"
