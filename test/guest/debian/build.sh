#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds the Debian guest: Debian 12 as a cloud image has it (UEFI, systemd-boot, ext4, systemd,
# cloud-init), all from Debian packages. Needs neither root nor loop mounts. What is built is kept
# in the cache under the hash of its ingredients (these files and the versions of the packages).
set -eu
umask 022
export LC_ALL=C
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/cima/guest/debian
suite=bookworm
esp_mib=128
root_mib=1900

packages='systemd systemd-sysv systemd-resolved udev dbus dbus-user-session libpam-systemd
openssh-server openssh-sftp-server cloud-init cloud-guest-utils fdisk netplan.io sudo sshfs fuse3
python3 locales e2fsprogs ca-certificates iproute2 iputils-ping kmod procps less curl zstd
initramfs-tools systemd-boot-efi netbase tzdata'

usage() {
    cat <<'TEXT'
usage: build.sh [--kernel cloud|generic] [--out DIR]

Builds disk.qcow2, vmlinuz and initrd.img of the Debian guest below the cache
directory, unless they are there, and prints where they are. With --out, DIR
becomes a symbolic link to that place. The cloud kernel (the default) has no 9p,
the generic one has.

The mirror is that of the system's package lists if these are Debian's, or what
CIMA_DEBIAN_MIRROR and CIMA_DEBIAN_SECURITY_MIRROR say.
TEXT
}

fail() {
    printf 'build.sh: %s\n' "$*" >&2
    exit 1
}

out=
flavour=cloud
while [ $# -gt 0 ]; do
    case $1 in
        --out | --kernel)
            [ $# -ge 2 ] || fail "$1 needs an argument"
            if [ "$1" = --out ]; then out=$2; else flavour=$2; fi
            shift
            ;;
        --out=*) out=${1#--out=} ;;
        --kernel=*) flavour=${1#--kernel=} ;;
        -h | --help)
            usage
            exit
            ;;
        *) fail "unknown argument '$1'; see build.sh --help" ;;
    esac
    shift
done
[ -z "$out" ] || [ -L "$out" ] || [ ! -e "$out" ] ||
    fail "'$out' is in the way: it is not a link of ours"

arch=$(dpkg --print-architecture 2>/dev/null) || fail 'dpkg is missing: this needs a Debian system'
case $arch in
    amd64) efi=x64 root_type=4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709 console=ttyS0 ;;
    arm64) efi=aa64 root_type=B921B045-1DF0-41C3-AF44-4C6F280D3FAE console=ttyAMA0 ;;
    *) fail "not for $arch: only amd64 and arm64 have an EFI boot loader here" ;;
esac
case $flavour in
    cloud) kernel=linux-image-cloud-$arch ;;
    generic) kernel=linux-image-$arch ;;
    *) fail "unknown kernel '$flavour': cloud or generic" ;;
esac

# ---- what is wanted, and is it there? -------------------------------------------------------------

# done_with KEY: the result.
done_with() {
    touch -c "$cache/$1"
    if [ -n "$out" ]; then
        mkdir -p "$(dirname "$out")"
        ln -sfn "$cache/$1" "$out"
    fi
    printf '%s\n' "$cache/$1"
    exit 0
}

# The ingredients of ours, in one hash.
builder_hash() {
    (cd "$here" && find . -name '*.sh' -type f -print0 | sort -z | xargs -0 sha256sum |
        sha256sum | cut -c 1-16)
}

# Changes when the system's package lists do.
lists_state() {
    stat -c '%Y' /var/lib/apt/lists 2>/dev/null || echo none
}

mkdir -p "$cache/debs"
builder=$(builder_hash)
stamp=$cache/stamp-$flavour-$builder
key=
state=
[ ! -e "$stamp" ] || read -r key state <"$stamp"
[ -z "$key" ] || [ -e "$cache/$key/disk.qcow2" ] || key=
if [ -n "$key" ] && [ "$state" = "$(lists_state)" ]; then
    done_with "$key"
fi

PATH=$PATH:/usr/sbin:/sbin
for tool in apt-get mmdebstrap mke2fs mformat mcopy sfdisk qemu-img flock; do
    command -v $tool >/dev/null 2>&1 || fail "$tool is missing; ./bootstrap deps installs it"
done
exec 9>"$cache/lock"
flock 9

# mirror_of RELEASE DEFAULT: the one that the system uses.
mirror_of() {
    found=$(apt-get indextargets --format "\$(ORIGIN) \$(RELEASE) \$(SITE)" 'Created-By: Packages' \
        2>/dev/null | sed -n "s/^Debian $1 \(http[^ ]*\)$/\1/p" | head -n 1)
    printf '%s\n' "${found:-$2}"
}

mirror=${CIMA_DEBIAN_MIRROR:-$(mirror_of $suite http://deb.debian.org/debian)}
security=${CIMA_DEBIAN_SECURITY_MIRROR:-$(mirror_of $suite-security http://deb.debian.org/debian-security)}
work=$(mktemp -d "$cache/work.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
[ -e $keyring ] || fail "$keyring is missing; ./bootstrap deps installs it (debian-archive-keyring)"
cat >"$work/sources.list" <<TEXT
deb [signed-by=$keyring] $mirror $suite main
deb [signed-by=$keyring] $mirror $suite-updates main
deb [signed-by=$keyring] $security $suite-security main
TEXT

# apt with lists of our own, as for an empty system.
guest_apt() {
    "$@" -o APT::Sandbox::User=root -o "Dir::State=$cache/apt" -o "Dir::Cache=$cache/apt" \
        -o "Dir::State::status=$work/status" -o "Dir::Etc::sourcelist=$work/sources.list" \
        -o Dir::Etc::sourceparts=/dev/null -o APT::Install-Recommends=false \
        -o "APT::Architecture=$arch" -o Acquire::Retries=1 -o Acquire::http::Timeout=20
}

: >"$work/status"
mkdir -p "$cache/apt/lists/partial" "$cache/apt/archives/partial"
# shellcheck disable=SC2086 # words
if guest_apt apt-get -qq update >"$work/log" 2>&1 &&
    guest_apt apt-get -qq install --print-uris '?essential' '?priority(required)' $kernel \
        $packages >"$work/uris" 2>>"$work/log"; then
    sed -n "s/^'[^']*' \([^ ]*\) \([0-9]*\) \([A-Za-z0-9]*:[0-9a-f]*\)$/\1 \2 \3/p" "$work/uris" |
        sort >"$work/packages"
    [ -s "$work/packages" ] || fail 'apt-get has named no packages'
elif [ -n "$key" ]; then
    echo "no package lists to be had: using the guest of the last build" >&2
    done_with "$key"
else
    tail -n 5 "$work/log" >&2
    fail "the package lists of $mirror cannot be fetched; is there a network?"
fi
key=$( (echo "$builder $arch $flavour" && cat "$work/packages") | sha256sum | cut -c 1-16)
if [ -e "$cache/$key/disk.qcow2" ]; then
    echo "$key $(lists_state)" >"$stamp"
    done_with "$key"
fi

# ---- the parts ------------------------------------------------------------------------------------

echo "building the Debian guest with $kernel" >&2
mkdir "$work/parts" "$work/out"
mode=auto
[ "$(id -u)" -ne 0 ] || mode=root
# Everything that needs the owners of the files happens in a hook, because only there is the
# builder root, be it in a name space. What it makes comes back through descriptor 8.
# shellcheck disable=SC2016,SC2086 # $1 is the hook's; words
mmdebstrap --quiet --mode=$mode --variant=minbase --format=null --architectures="$arch" \
    --include="$(echo $kernel $packages | tr ' ' ',')" \
    --aptopt='APT::Install-Recommends "false"' --aptopt='Acquire::Retries "2"' \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/info/*' \
    --dpkgopt='force-unsafe-io' \
    --skip=download/empty --skip=essential/unlink --skip=cleanup/reproducible \
    --setup-hook='mkdir -p "$1/var/cache/apt/archives"' \
    --setup-hook="sync-in '$cache/debs' /var/cache/apt/archives" \
    --essential-hook="sh '$here/initramfs.sh' \"\$1\"" \
    --customize-hook="sync-out /var/cache/apt/archives '$cache/debs'" \
    --customize-hook="sh '$here/customize.sh' \"\$1\" $root_mib $efi" \
    $suite /dev/null "$work/sources.list" 8>"$work/parts.tar" 9>&- >"$work/log" 2>&1 || {
    tail -n 20 "$work/log" >&2
    fail "mmdebstrap failed (the whole log: build.sh kept the last lines above)"
}
tar -xSf "$work/parts.tar" -C "$work/parts"
rm -f "$work/parts.tar"

# The EFI system partition: boot loader, kernel, initramfs.
parts=$work/parts
truncate -s ${esp_mib}M "$work/esp"
mformat -i "$work/esp" -v ESP ::
cat >"$work/loader.conf" <<'TEXT'
timeout 0
default debian.conf
editor no
TEXT
# norandmaps: emulation translates code by its address; programs start sooner with known ones.
cat >"$work/debian.conf" <<TEXT
title Debian
linux /vmlinuz
initrd /initrd.img
options root=LABEL=debian-root ro console=$console norandmaps
TEXT
mmd -i "$work/esp" ::/EFI ::/EFI/BOOT ::/loader ::/loader/entries
mcopy -i "$work/esp" "$parts/boot.efi" "::/EFI/BOOT/BOOT$efi.EFI"
mcopy -i "$work/esp" "$work/loader.conf" ::/loader/
mcopy -i "$work/esp" "$work/debian.conf" ::/loader/entries/
mcopy -i "$work/esp" "$parts/vmlinuz" "$parts/initrd.img" ::/

# The disk: a GPT, the root file system last, so that it can grow.
truncate -s $((esp_mib + root_mib + 2))M "$work/disk"
sfdisk --quiet "$work/disk" <<TEXT
label: gpt
start=1MiB, size=${esp_mib}MiB, type=uefi, name=esp
size=${root_mib}MiB, type=$root_type, name=root
TEXT
dd if="$work/esp" of="$work/disk" bs=1M seek=1 conv=notrunc,sparse status=none
dd if="$parts/root" of="$work/disk" bs=1M seek=$((esp_mib + 1)) conv=notrunc,sparse status=none
qemu-img convert -c -o compression_type=zstd -O qcow2 "$work/disk" "$work/out/disk.qcow2"
mv "$parts/vmlinuz" "$parts/initrd.img" "$work/out/"
cp "$work/packages" "$work/out/packages"

mv "$work/out" "$cache/$key"
# What nobody has asked for in a month goes.
find "$cache" -maxdepth 1 \( -name 'stamp-*' -o -name '????????????????' \) -mtime +30 \
    -exec rm -rf {} +
echo "$key $(lists_state)" >"$stamp"
done_with "$key"
