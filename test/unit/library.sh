#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# libcima-qemu as others get it: its headers stand alone, in C and C++; every function in them is
# explained, exported and in the manual page; nothing else is exported.
set -u

top=${srcdir:-$(dirname "$0")/../..}
top=$(CDPATH='' cd -- "$top" && pwd)
build=$(CDPATH='' cd -- "${builddir:-.}" && pwd)
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
passed=0
failed=0
LC_ALL=C
export LC_ALL

ok() { passed=$((passed + 1)); }
bad() {
    failed=$((failed + 1))
    echo "FAIL: $*"
}
check() { # WHAT COMMAND...
    what=$1
    shift
    if "$@" >"$tmp/said" 2>&1; then
        ok
    else
        bad "$what"
        head -n 20 "$tmp/said"
    fi
}
# same WHAT WANTED FOUND: two sorted lists of names.
same() {
    if diff "$2" "$3" >"$tmp/said"; then
        ok
    else
        bad "$1"
        sed -n 's/^</    missing:/p; s/^>/    too many:/p' "$tmp/said" | head -n 20
    fi
}
# What configure has found.
variable() { sed -n "s/^$1 = //p" "$build/Makefile" | head -n 1; }
cc=$(variable CC)
awk=$(variable AWK)
headers="$top/src/cima/qemu/*.h"

# ---- the headers ------------------------------------------------------------------------------------

n=0
for header in $headers; do
    name=cima/qemu/${header##*/}
    n=$((n + 1))
    # Twice: the guard works, too.
    printf '#include <%s>\n#include <%s>\nint main(void) { return 0; }\n' "$name" "$name" >"$tmp/one.c"
    # shellcheck disable=SC2086 # the compiler may have arguments
    check "<$name> alone as C11" \
        $cc -std=c11 -Wall -Wextra -pedantic -Werror -fsyntax-only -I"$top/src" "$tmp/one.c"
    if command -v clang >/dev/null 2>&1; then
        check "<$name> alone as C++" clang -x c++ -std=c++11 -Wall -Wextra -Werror -fsyntax-only \
            -I"$top/src" "$tmp/one.c"
    fi
    check "<$name> includes something that is not installed" \
        sh -c "! grep '#include \"' '$header' | grep -v '\"cima/qemu/'"
    [ "${header##*/}" = qemu.h ] ||
        check "<cima/qemu/qemu.h> lacks $name" grep -q "^#include \"$name\"" "$top/src/cima/qemu/qemu.h"
    check "$name is not installed: cimaqemu_HEADERS in Makefile.am" \
        sh -c "sed -n '/^cimaqemu_HEADERS/,/[^\\\\]\$/p' '$top/Makefile.am' | grep -q 'src/$name'"
done
check "only $n headers were found" [ "$n" -ge 8 ]
command -v clang >/dev/null 2>&1 || echo 'note: clang is not installed, the headers were not tried as C++'

# ---- every function: explained, in the map, exported -------------------------------------------------

# shellcheck disable=SC2086 # the list of headers
$awk -f "$top/src/qemu/headers.awk" $headers | sort >"$tmp/declared"
# The compiler's view of the same: macros that declare are expanded.
# shellcheck disable=SC2086
for header in $headers; do
    printf '#include "%s"\n' "$header"
done | $cc -E -P -I"$top/src" -x c - | tr '\n' ' ' | tr ';' '\n' | grep -v '^ *typedef' |
    sed 's/__attribute__.*//' | grep -o 'cima_[a-z0-9_]* *(' | tr -d ' (' | sort -u >"$tmp/compiled"
same 'src/qemu/headers.awk does not see what the compiler sees' "$tmp/compiled" "$tmp/declared"
check 'there are few functions' [ "$(wc -l <"$tmp/declared")" -ge 150 ]

# shellcheck disable=SC2086
check 'a function has no comment' $awk -v mode=undocumented -f "$top/src/qemu/headers.awk" $headers

sed -n 's/^ *\(cima_[a-z0-9_]*\);.*/\1/p' "$top/src/qemu/libcima-qemu.map" | sort >"$tmp/map"
same 'the symbol map is not that of the headers: make update-map' "$tmp/declared" "$tmp/map"
shared=$build/.libs/libcima-qemu.so
nm -D --defined-only "$shared" | awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' | sort >"$tmp/shared"
same 'libcima-qemu.so exports something else than its headers declare' "$tmp/declared" "$tmp/shared"
nm -g --defined-only "$build/libcima-qemu.a" 2>/dev/null | awk 'NF == 3 { print $3 }' | sort >"$tmp/static"
same 'libcima-qemu.a exports something else than its headers declare' "$tmp/declared" "$tmp/static"
check 'every name has the version' sh -c "! nm -D --defined-only '$shared' | grep ' T ' | grep -v '@@CIMA_QEMU_0\$'"

objdump -p "$shared" >"$tmp/dynamic"
check 'SONAME' grep -q 'SONAME *libcima-qemu\.so\.0$' "$tmp/dynamic"
sed -n 's/.*NEEDED *//p' "$tmp/dynamic" | grep -v -e '^libc\.so' -e '^libjansson\.so' \
    -e '^ld-' -e '^libasan\.so' -e '^libubsan\.so' -e '^libm\.so' >"$tmp/needed"
check "the library needs $(tr '\n' ' ' <"$tmp/needed")" [ ! -s "$tmp/needed" ]

# ---- the manual page ---------------------------------------------------------------------------------

page=$build/libcima-qemu.3
while read -r name; do
    check "libcima-qemu(3) has nothing about $name" grep -q "[ *]$name(" "$page"
done <"$tmp/declared"
if command -v groff >/dev/null 2>&1; then
    said=$(groff -ww -mandoc -Tutf8 "$page" 2>&1 >"$tmp/text")
    check "groff: $said" [ -z "$said" ]
    check 'the page is empty' [ "$(wc -l <"$tmp/text")" -ge 300 ]
fi
if command -v mandoc >/dev/null 2>&1; then
    said=$(mandoc -T lint -W warning "$page" 2>&1 | grep -v 'missing date')
    check "mandoc: $said" [ -z "$said" ]
fi

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
