#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Every planned command line starts in the real QEMU of its architecture, but for the listed exceptions.
# Rows: S0-49, S1-30, S2-50, SD-01, SD-11
set -u
srcdir=${srcdir:-$(dirname "$0")/../..}
builddir=${builddir:-.}
export srcdir builddir

for tool in python3 qemu-img qemu-system-x86_64 qemu-system-aarch64 qemu-system-arm qemu-system-ppc64 \
    qemu-system-riscv64 qemu-system-s390x swtpm; do
    command -v "$tool" >/dev/null || {
        echo "skipped: $tool is not installed; ./bootstrap deps does it"
        exit 77
    }
done
exec python3 "$srcdir/test/e2e/argv-accept.py"
