#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Kernels and first processes of six architectures can be made, or are there: beside other tests, since
# the first time takes a while (test/e2e/arches.sh boots them).
set -u
srcdir=${srcdir:-$(dirname "$0")/../..}
"$srcdir/test/guest/arches/build.sh" --out "${builddir:-.}/guest/arches" && exit 0
echo 'skipped: not all of them could be made (see above)'
exit 77
