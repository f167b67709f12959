#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The pages that cima writes: one for every command, without a complaint of groff (or mandoc), with
# every option that the help knows; docs/fields.md is current.
set -u

top=${srcdir:-$(dirname "$0")/../..}
cima=${builddir:-.}/cima
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
passed=0
failed=0

ok() { passed=$((passed + 1)); }
bad() {
    failed=$((failed + 1))
    echo "FAIL: $*"
}
check() { # WHAT COMMAND...
    what=$1
    shift
    if "$@"; then ok; else bad "$what"; fi
}

"$cima" generate-doc "$tmp/man" || exit 1
"$cima" generate-doc --type markdown "$tmp/md" || exit 1
"$cima" generate-doc --type docsy "$tmp/docsy" || exit 1

# Names of the commands in a help text.
commands_of() {
    "$cima" "$@" --help | sed -n '/ommands:$/,/^$/s/^  \([a-z][a-z-]*\) .*/\1/p'
}

check_page() { # NAME WORD...
    name=$1
    shift
    page=$tmp/man/$name.1
    if ! [ -s "$page" ]; then
        bad "$name.1 is missing"
        return
    fi
    ok
    for option in $("$cima" "$@" --help | sed -n 's/^  \(-., \|    \)--\([a-z-]*\).*/\2/p'); do
        if grep -q -- "\\\\-\\\\-$(printf '%s' "$option" | sed 's/-/\\\\-/g')[ \\\\]" "$page"; then
            ok
        else
            bad "$name.1 says nothing about --$option"
        fi
    done
    check "$name.md has no title" grep -q "^# $name\$" "$tmp/md/$name.md"
    check "docsy: $name.md has no title" grep -q "^title: $name\$" "$tmp/docsy/$name.md"
}

check_page cima
n=0
for command in $(commands_of); do
    n=$((n + 1))
    check_page "cima-$command" "$command"
    for sub in $(commands_of "$command"); do
        check_page "cima-$command-$sub" "$command" "$sub"
    done
done
check "only $n commands were found" [ "$n" -ge 15 ]
check 'there are no pages of sub commands' [ -s "$tmp/man/cima-template-copy.1" ]

linted=0
if command -v groff >/dev/null 2>&1; then
    for page in "$tmp"/man/*; do
        said=$(groff -ww -mandoc -Tutf8 "$page" 2>&1 >"$tmp/text")
        if [ -z "$said" ] && [ -s "$tmp/text" ]; then
            ok
        else
            bad "${page##*/}: groff: $said"
        fi
    done
    linted=1
fi
if command -v mandoc >/dev/null 2>&1; then
    for page in "$tmp"/man/*; do
        # A date would make the pages of two builds differ.
        said=$(mandoc -T lint -W warning "$page" 2>&1 | grep -v 'missing date')
        check "${page##*/}: mandoc: $said" [ -z "$said" ]
    done
    linted=1
fi
[ "$linted" -eq 1 ] || echo 'note: neither groff nor mandoc is here, the pages were not linted'

check 'docs/fields.md is not current: make update-generated' \
    cmp -s "$tmp/md/cima.yaml.md" "$top/docs/fields.md"
echo "manual: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
