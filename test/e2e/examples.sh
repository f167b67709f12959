#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What the documents show is valid: the examples, and the YAML of the README files.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

LIMA_TEMPLATES_PATH=$srcdir/templates
export LIMA_TEMPLATES_PATH
for f in "$srcdir"/instances-example/*.yaml; do
    succeeds "$(basename "$f") is valid" "$cima" validate "$f"
    check '… without a warning' sh -c "! grep -i warn '$scratch/err' | grep -q -v 'is experimental'"
done

# shellcheck disable=SC2016 # no command: the fences of Markdown
awk -v dir="$scratch" '/^```yaml$/ { n++; out = dir "/readme-" n ".yaml"; next }
    /^```$/ { out = ""; next }
    out { print >out }' "$srcdir/README.md" "$srcdir/templates/README.md"
check 'README.md has a YAML' test -s "$scratch/readme-1.yaml"
for f in "$scratch"/readme-*.yaml; do
    succeeds "$(basename "$f") is valid" "$cima" validate "$f"
    check '… without an unknown field' sh -c "! grep -q 'unknown field' '$scratch/err'"
done

# Every command that README.md shows exists.
{
    grep -ohE '(^ {4}(\$ )?|`)cima [a-z]+' "$srcdir/README.md" "$srcdir/templates/README.md" |
        sed 's/.*cima //'
    grep -ohE '^#   cima [a-z]+' "$srcdir"/instances-example/*.yaml | sed 's/.*cima //'
    sed -n '/^## Commands/,/^## /s/^| \(`[^|]*\) |.*/\1/p' "$srcdir/README.md" |
        grep -oE '`[a-z-]+' | tr -d '`'
} | sort -u >"$scratch/commands"
while read -r command; do
    succeeds "cima $command --help" "$cima" "$command" --help
done <"$scratch/commands"
finish
