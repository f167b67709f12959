#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The JSON Schema of the instance YAML, by a validator that is not ours (python3-jsonschema).
set -u
top=${srcdir:-$(dirname "$0")/../..}

for python in python3 /usr/bin/python3; do
    if "$python" -c 'import yaml; from jsonschema import Draft202012Validator' 2>/dev/null; then
        exec "$python" "$top/test/unit/schema/schema.py" "${builddir:-.}/cima" "$top"
    fi
done
echo 'SKIP: no Python with yaml and jsonschema (packages python3-yaml, python3-jsonschema)'
exit 77
