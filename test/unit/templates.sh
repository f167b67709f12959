#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The bundled templates and the examples; see templates.py.
set -u
srcdir=$(CDPATH='' cd -- "${srcdir:-$(dirname "$0")/../..}" && pwd)
builddir=$(CDPATH='' cd -- "${builddir:-.}" && pwd)
export srcdir builddir
python3 -c 'import yaml' 2>/dev/null || {
    echo 'SKIP: python3 with its yaml module is not installed'
    exit 77
}
exec python3 "$srcdir/test/unit/templates.py" "$@"
