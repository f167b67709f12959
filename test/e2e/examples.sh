#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What the documents show is valid: the examples, and the YAML of README.md.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

for f in "$srcdir"/instances-example/*.yaml; do
    succeeds "$(basename "$f") is valid" "$cima" validate "$f"
    check '… without a warning' sh -c "! grep -q -i warn '$scratch/err'"
done

# shellcheck disable=SC2016 # no command: the fences of Markdown
sed -n '/^```yaml$/,/^```$/p' "$srcdir/README.md" | sed '/^```/d' >"$scratch/readme.yaml"
check 'README.md has a YAML' test -s "$scratch/readme.yaml"
succeeds 'it is valid' "$cima" validate "$scratch/readme.yaml"
check 'it has no unknown field' sh -c "! grep -q 'unknown field' '$scratch/err'"

# Every command that README.md shows exists.
grep -oE '^ {4}(\$ )?cima [a-z]+' "$srcdir/README.md" | sed 's/.*cima //' | sort -u >"$scratch/commands"
while read -r command; do
    succeeds "cima $command --help" "$cima" "$command" --help
done <"$scratch/commands"
finish
