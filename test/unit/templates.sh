#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The bundled templates and the examples; see templates.py.
set -u
srcdir=$(CDPATH='' cd -- "${srcdir:-$(dirname "$0")/../..}" && pwd)
builddir=$(CDPATH='' cd -- "${builddir:-.}" && pwd)
export srcdir builddir
for python in python3 /usr/bin/python3; do
    if "$python" -c 'import yaml' 2>/dev/null; then
        exec "$python" "$srcdir/test/unit/templates.py" "$@"
    fi
done
echo 'SKIP: no Python with yaml (package python3-yaml)'
exit 77
