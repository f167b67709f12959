#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A kernel and an initramfs for each architecture of guests, from Debian packages of that architecture:
# just enough to come to a first process, which says so on the console. Needs neither root nor an
# emulator; the packages are found and checked by apt with a root of its own. What is built is kept in
# the cache under the hash of what decides about its content.
set -eu
umask 022
export LC_ALL=C
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/cima/guest/arches

# ARCH DEBIAN-ARCH SUITE KERNEL-PACKAGE. riscv64 is no architecture of Debian 12.
table='x86_64 amd64 bookworm linux-image-cloud-amd64
aarch64 arm64 bookworm linux-image-cloud-arm64
armv7l armhf bookworm linux-image-armmp-lpae
ppc64le ppc64el bookworm linux-image-powerpc64le
s390x s390x bookworm linux-image-s390x
riscv64 riscv64 trixie linux-image-riscv64'

usage() {
    cat <<'TEXT'
usage: build.sh [--out DIR] [ARCH...]

Makes ARCH/kernel and ARCH/initrd.img below the cache directory for each architecture
(default: x86_64 aarch64 armv7l ppc64le s390x riscv64) that is not there, and prints where they
are. With --out, DIR becomes a symbolic link to that place. An architecture whose packages
cannot be had is left out, which is said and makes the exit code 3.
TEXT
}

fail() {
    printf 'build.sh: %s\n' "$*" >&2
    exit 1
}

out=
wanted=
while [ $# -gt 0 ]; do
    case $1 in
        --out)
            [ $# -ge 2 ] || fail '--out needs a directory'
            out=$2
            shift
            ;;
        --out=*) out=${1#--out=} ;;
        -h | --help)
            usage
            exit
            ;;
        *)
            printf '%s\n' "$table" | grep -q "^$1 " || fail "unknown architecture '$1'; see build.sh --help"
            wanted="$wanted $1"
            ;;
    esac
    shift
done
[ -n "$wanted" ] || wanted=$(printf '%s\n' "$table" | cut -d ' ' -f 1)
[ -z "$out" ] || [ -L "$out" ] || [ ! -e "$out" ] || fail "'$out' is in the way: it is not a link of ours"

# The number changes when `pack` makes something else of them.
key=$( (echo 1 "$table" && cat "$here/init") | sha256sum | cut -c 1-16)
dir=$cache/$key
has() { [ -e "$dir/$1/initrd.img" ]; }

# missing SUITE: the wanted lines of the table that are not built.
missing() {
    printf '%s\n' "$table" | while read -r arch debian suite kernel; do
        case " $(echo "$wanted" | tr '\n' ' ') " in
            *" $arch "*) [ "$suite" != "$1" ] || has "$arch" || echo "$arch $debian $kernel" ;;
        esac
    done
}

# ---- packages --------------------------------------------------------------------------------------

mirror=
find_mirror() {
    # shellcheck disable=SC2016 # apt's own words
    mirror=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' 2>/dev/null |
        sed -n 's/ bookworm main$//p' | head -n 1)
    [ -n "$mirror" ] || mirror=http://deb.debian.org/debian/
}

# our_apt COMMAND...: with lists and a state of our own, which know nothing of this system's.
our_apt() {
    "$@" -o APT::Sandbox::User=root -o APT::Architecture=amd64 \
        -o "Dir::Etc::sourcelist=$apt/sources.list" -o Dir::Etc::sourceparts=/dev/null \
        -o Dir::Etc::preferencesparts=/dev/null -o "Dir::State=$apt" -o "Dir::State::lists=$apt/lists" \
        -o "Dir::State::status=$apt/status" -o "Dir::Cache=$apt" -o Acquire::Languages=none \
        -o Acquire::Retries=2 -o Acquire::http::Timeout=20 \
        -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false \
        -o Acquire::IndexTargets::deb::DEP-11-icons-small::DefaultEnabled=false \
        -o Acquire::IndexTargets::deb::DEP-11-icons::DefaultEnabled=false \
        -o Acquire::IndexTargets::deb::DEP-11-icons-hidpi::DefaultEnabled=false
}

# fetch SUITE DEBIAN-ARCH:KERNEL...: the packages, in $apt/debs.
fetch() {
    suite=$1
    shift
    apt=$work/$suite
    mkdir -p "$apt/lists/partial" "$apt/archives/partial" "$apt/debs"
    : >"$apt/status"
    archs=$(printf '%s\n' "$@" | cut -d : -f 1 | sort -u | paste -sd , -)
    echo "deb [arch=$archs signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main" \
        >"$apt/sources.list"
    echo "fetching the package lists of $suite for $archs" >&2
    our_apt apt-get -qq update >"$apt/log" 2>&1 || {
        cat "$apt/log" >&2
        return 1
    }
    # The packages that those stand for.
    # shellcheck disable=SC2046 # words
    our_apt apt-cache show --no-all-versions $(printf '%s\n' "$@" | sed 's/\(.*\):\(.*\)/\2:\1/') 2>/dev/null |
        awk '/^Architecture:/ { arch = $2 } /^Depends: linux-image-/ { name = $2; sub(/,$/, "", name) }
            /^$/ && name { print name ":" arch; print "busybox-static:" arch; name = "" }
            END { if (name) { print name ":" arch; print "busybox-static:" arch } }' >"$apt/names"
    [ "$(wc -l <"$apt/names")" -eq $(($# * 2)) ] || {
        echo "some of these are not there: $*" >&2
        return 1
    }
    names=$(tr '\n' ' ' <"$apt/names")
    echo "downloading:$names" >&2
    # shellcheck disable=SC2086 # words
    (cd "$apt/debs" && our_apt apt-get -qq download $names >&2)
}

# ---- the parts -------------------------------------------------------------------------------------

# member DEB PATTERN: prints a file of a package.
member() {
    dpkg-deb --fsys-tarfile "$1" | tar -xO --wildcards "$2"
}

# pack ARCH DEBIAN-ARCH
pack() {
    parts=$work/$1
    mkdir -p "$parts/root/bin" "$parts/root/proc" "$parts/root/sys" "$parts/root/dev" "$parts/out"
    for deb in "$apt/debs/linux-image-"*"_$2.deb"; do
        member "$deb" './boot/vmlinu*' >"$parts/out/kernel"
    done
    for deb in "$apt/debs/busybox-static_"*"_$2.deb"; do
        member "$deb" '*bin/busybox' >"$parts/root/bin/busybox"
    done
    [ -s "$parts/out/kernel" ] && [ -s "$parts/root/bin/busybox" ] || return 1
    cp "$here/init" "$parts/root/init"
    chmod 0755 "$parts/root/init" "$parts/root/bin/busybox"
    ln -s busybox "$parts/root/bin/sh"
    (cd "$parts/root" && find . | sort | busybox cpio -o -H newc -R 0:0 2>/dev/null) >"$parts/out/initrd.img"
    mkdir -p "$dir"
    mv "$parts/out" "$dir/$1"
}

# build SUITE: what is missing of it.
build() {
    missing "$1" >"$work/missing"
    [ -s "$work/missing" ] || return 0
    # shellcheck disable=SC2046 # words
    fetch "$1" $(sed 's/^[^ ]* \([^ ]*\) /\1:/' "$work/missing") || return 1
    while read -r arch debian _; do
        pack "$arch" "$debian" || fail "the packages for $arch hold no kernel or no busybox"
    done <"$work/missing"
}

if [ -n "$(missing bookworm)$(missing trixie)" ]; then
    for tool in apt-get dpkg-deb busybox flock tar; do
        command -v $tool >/dev/null 2>&1 || fail "$tool is missing; ./bootstrap deps installs it"
    done
    mkdir -p "$cache"
    exec 9>"$cache/lock"
    flock 9
    work=$(mktemp -d "$cache/work.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    trap 'exit 1' INT TERM
    find_mirror
    for suite in bookworm trixie; do
        build $suite || echo "the packages of $suite cannot be had; is there a network?" >&2
    done
    # What nobody has asked for in a month goes.
    find "$cache" -maxdepth 1 -name '????????????????' -mtime +30 -exec rm -rf {} +
fi

mkdir -p "$dir"
touch -c "$dir"
if [ -n "$out" ]; then
    mkdir -p "$(dirname "$out")"
    ln -sfn "$dir" "$out"
fi
printf '%s\n' "$dir"
for arch in $wanted; do
    has "$arch" || {
        echo "not built: $arch" >&2
        exit 3
    }
done
