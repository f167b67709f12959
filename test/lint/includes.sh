#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The include rules of ARCHITECTURE.md: a room uses only rooms below it, a third-party header is
# included only by the rooms that own it. Every #include line of src/ counts as one check.
set -u
cd "${srcdir:-$(dirname "$0")/../..}" || exit 1

# Rooms from the bottom up. Rooms of one line do not know each other.
layers='
cima
base
sys
yaml json
tmpl query
qemu
config
store
service
image cidata ssh
forward mount dns template
driver
hostagent run
instance
cli
'

# Programs of their own that are no part of the layers: what they may use.
standalone='
guestagent base
'

# Third-party headers (a prefix) and the rooms or files that may include them.
owners='
yaml.h            src/yaml/ src/config/
cyaml/            src/config/
jansson.h         src/json/
event2/           src/sys/loop.c src/hostagent/ src/dns/
archive.h         src/cidata/ src/image/
archive_entry.h   src/cidata/ src/image/
curl/             src/image/
openssl/          src/image/
sha2.h            src/config/ src/cidata/ src/image/ src/template/
sha256.h          src/config/ src/cidata/ src/image/ src/template/
jq.h              src/query/
jv.h              src/query/
slirp/            src/usernet/
glib              src/usernet/
'

# Headers of one room that only some places may include; internal.h is private to its room anyway.
private='
driver/qemu/      src/driver/
'

# Exceptions to the layers, "FILE HEADER", each with its reason in a comment above it.
# `cima run` has no driver between it and QEMU: what the binary can do, where firmware is.
allowed='
src/run/facts.c driver/qemu/arch.h
src/run/facts.c driver/qemu/features.h
'

tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
find src -name '*.[ch]' -o -name '*.def' | LC_ALL=C sort >"$tmp/files"
while read -r file; do
    # Without the spaces that # and include may have around them.
    sed -n 's|^[[:space:]]*#[[:space:]]*include[[:space:]]*\([<"][^>"]*[>"]\).*|'"$file"' \1|p' "$file"
done <"$tmp/files" >"$tmp/includes"

awk -v layers="$layers" -v standalone="$standalone" -v owners="$owners" \
    -v private="$private" -v allowed="$allowed" '
function fail(why) {
    print $1 ": #include " $2 ": " why
    failed++
    ok = 0
}
function starts(s, prefix) {
    return substr(s, 1, length(prefix)) == prefix
}
# The room of a path below src/ ("driver/qemu/plan.h" is of driver).
function room_of(path) {
    return substr(path, 1, index(path, "/") - 1)
}
function check_room(from, to,    i, uses) {
    if (($1 " " $2) in exceptions)
        return
    for (i = 1; i <= n_private; i++)
        if (starts(header, closed[i]) && !starts($1, door[i]))
            fail("only " door[i] " may look inside")
    if (from == to)
        return
    if (header ~ /internal\.h$/) {
        fail("this header is private to " to)
        return
    }
    if (from in own_uses) {
        uses = " " own_uses[from] " "
        if (!index(uses, " " to " "))
            fail("the program " from " may use only" uses)
    } else if (!(from in rank)) {
        fail("the room " from " is in no layer: add it to test/lint/includes.sh and ARCHITECTURE.md")
    } else if (!(to in rank)) {
        fail("there is no room " to)
    } else if (rank[to] > rank[from]) {
        fail(to " is above " from)
    } else if (rank[to] == rank[from]) {
        fail(to " is beside " from ", rooms of one layer do not know each other")
    }
}
function check_owner(header,    i, j, n, homes, mine) {
    for (i = 1; i <= n_owned; i++) {
        if (!starts(header, owned[i]))
            continue
        n = split(homes_of[i], homes, " ")
        mine = 0
        for (j = 1; j <= n; j++)
            if (starts($1, homes[j]))
                mine = 1
        if (!mine)
            fail("this header belongs to " homes_of[i])
        return
    }
}
BEGIN {
    n = split(layers, lines, "\n")
    for (i = 1; i <= n; i++) {
        m = split(lines[i], words, " ")
        for (j = 1; j <= m; j++)
            rank[words[j]] = i
    }
    n = split(standalone, lines, "\n")
    for (i = 1; i <= n; i++)
        if (split(lines[i], words, " "))
            own_uses[words[1]] = substr(lines[i], length(words[1]) + 2)
    n = split(owners, lines, "\n")
    for (i = 1; i <= n; i++)
        if (split(lines[i], words, " ")) {
            owned[++n_owned] = words[1]
            homes_of[n_owned] = substr(lines[i], index(lines[i], " src/") + 1)
        }
    n = split(private, lines, "\n")
    for (i = 1; i <= n; i++)
        if (split(lines[i], words, " ")) {
            closed[++n_private] = words[1]
            door[n_private] = words[2]
        }
    n = split(allowed, lines, "\n")
    for (i = 1; i <= n; i++)
        if (lines[i] != "" && lines[i] !~ /^#/) {
            split(lines[i], words, " ")
            exceptions[words[1] " \"" words[2] "\""] = 1
        }
}
{
    ok = 1
    header = substr($2, 2, length($2) - 2)
    path = substr($1, 5)
    if (substr($2, 1, 1) == "<")
        check_owner(header)
    else if (!index(header, "/"))
        fail("includes are written from src/: \"room/file.h\"")
    else
        check_room(room_of(path), room_of(header))
    passed += ok
}
END {
    print passed + 0 " passed, " failed + 0 " failed"
    exit (failed > 0 || passed == 0)
}' "$tmp/includes"
