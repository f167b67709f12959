#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds the mini guest: a Debian kernel (vmlinuz; vmlinux is the same unpacked, which QEMU starts
# sooner but only with a BIOS), an initramfs and a small disk with busybox, an SSH server and sudo,
# all from Debian packages. Needs neither root nor loop mounts. What is built is kept in
# the cache under the hash of its ingredients (these files and the versions of the packages).
set -eu
umask 022
export LC_ALL=C
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/cima/guest/mini
disk_size=1G

# Loaded by the initramfs, up to the first -- before the root file system is mounted, up to the
# second before the seed. On the disk, for modprobe. Modules bring along those that they need.
initrd_modules='virtio_pci virtio_blk -- virtio_scsi sr_mod isofs -- virtio_net virtio-rng
virtio_console button evdev'
disk_modules='fuse virtiofs overlay vsock virtio_balloon'

usage() {
    cat <<'TEXT'
usage: build.sh [--out DIR]

Builds vmlinuz, vmlinux, initrd.img and disk.qcow2 of the mini guest below the cache
directory, unless they are there, and prints where they are. With --out, DIR
becomes a symbolic link to that place.
TEXT
}

fail() {
    printf 'build.sh: %s\n' "$*" >&2
    exit 1
}

out=
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
        *) fail "unknown argument '$1'; see build.sh --help" ;;
    esac
    shift
done
[ -z "$out" ] || [ -L "$out" ] || [ ! -e "$out" ] ||
    fail "'$out' is in the way: it is not a link of ours"

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
    (cd "$here" && find build.sh initrd-init root -type f -print0 | sort -z | xargs -0 sha256sum | sha256sum | cut -c 1-16)
}

# Changes when the system's package lists do.
lists_state() {
    stat -c '%Y' /var/lib/apt/lists 2>/dev/null || echo none
}

mkdir -p "$cache/debs"
builder=$(builder_hash)
stamp=$cache/stamp-$builder
if [ -e "$stamp" ]; then
    read -r key state <"$stamp"
    if [ "$state" = "$(lists_state)" ] && [ -e "$cache/$key/disk.qcow2" ]; then
        done_with "$key"
    fi
fi

for tool in apt-get dpkg-deb mke2fs debugfs qemu-img flock; do
    command -v $tool >/dev/null 2>&1 || PATH=$PATH:/usr/sbin:/sbin
    command -v $tool >/dev/null 2>&1 || fail "$tool is missing; ./bootstrap deps installs it"
done
exec 9>"$cache/lock"
flock 9

# ---- packages --------------------------------------------------------------------------------------

arch=$(dpkg --print-architecture)
case $arch in
    amd64 | arm64) kernel=linux-image-cloud-$arch ;;
    armhf) kernel=linux-image-armmp-lpae ;;
    ppc64el) kernel=linux-image-powerpc64le ;;
    *) kernel=linux-image-$arch ;;
esac
packages='busybox-static bash-static dropbear-bin libtomcrypt1 libtommath1 libgmp10 libcrypt1
zlib1g libc6 openssh-sftp-server sudo libaudit1 libcap-ng0 libselinux1 libpcre2-8-0 libpam0g
libpam-modules e2fsprogs libext2fs2 libcom-err2 libss2 libblkid1 libuuid1 lz4 sshfs fuse3
libfuse3-3 libglib2.0-0'

# apt with the lists of the system, or with lists of our own.
# shellcheck disable=SC2317 # called by name
system_apt() {
    "$@" -o APT::Sandbox::User=root
}

# shellcheck disable=SC2317
private_apt() {
    "$@" -o APT::Sandbox::User=root -o "Dir::State=$cache/apt" -o "Dir::State::lists=$cache/apt/lists" \
        -o Dir::State::status=/var/lib/dpkg/status -o "Dir::Cache=$cache/apt"
}

# want APT: writes lines "FILE SIZE HASH" to the list of wanted packages.
want() {
    real=$($1 apt-cache show --no-all-versions "$kernel" 2>/dev/null |
        sed -n 's/^Depends: \(linux-image-[^ ,]*\).*/\1/p')
    # shellcheck disable=SC2086 # words
    [ -n "$real" ] && $1 apt-get download --print-uris $real $packages 2>/dev/null |
        sed -n "s/^'[^']*' \([^ ]*\) \([0-9]*\) \([A-Za-z0-9]*:[0-9a-f]*\)$/\1 \2 \3/p" |
        sort >"$cache/packages.new" && [ -s "$cache/packages.new" ]
}

# fetch APT: downloads what is wanted and not there. Apt checks signatures and hashes.
fetch() {
    missing=
    while read -r file size _; do
        [ -e "$cache/debs/$file" ] && [ "$(stat -c %s "$cache/debs/$file")" = "$size" ] ||
            missing="$missing ${file%%_*}"
    done <"$cache/packages.new"
    [ -n "$missing" ] || return 0
    echo "downloading:$missing" >&2
    # shellcheck disable=SC2086 # words
    (cd "$cache/debs" && $1 apt-get -qq download $missing >&2)
}

if want system_apt && fetch system_apt; then
    :
elif mkdir -p "$cache/apt/lists/partial" "$cache/apt/archives/partial" &&
    echo "the system's package lists don't do: fetching lists of our own" >&2 &&
    private_apt apt-get -qq update 2>"$cache/apt/log" && want private_apt && fetch private_apt; then
    :
elif [ -e "$cache/packages" ]; then
    echo "no packages to be had: using those of the last build" >&2
    cp "$cache/packages" "$cache/packages.new"
    while read -r file size _; do
        [ "$(stat -c %s "$cache/debs/$file" 2>/dev/null)" = "$size" ] || fail "package $file is gone"
    done <"$cache/packages"
else
    fail "the packages cannot be downloaded; is there a network, and a Debian mirror in /etc/apt?"
fi
mv "$cache/packages.new" "$cache/packages"
key=$( (echo "$builder $arch" && cat "$cache/packages") | sha256sum | cut -c 1-16)
if [ -e "$cache/$key/disk.qcow2" ]; then
    echo "$key $(lists_state)" >"$stamp"
    done_with "$key"
fi

# ---- the parts -------------------------------------------------------------------------------------

work=$(mktemp -d "$cache/work.XXXXXX")
trap 'rm -rf "$work"' EXIT
echo "building the mini guest" >&2
mkdir "$work/kernel" "$work/deb" "$work/root" "$work/initrd" "$work/out"
while read -r file _; do
    case $file in
        linux-image-*) dpkg-deb -x "$cache/debs/$file" "$work/kernel" ;;
        *) dpkg-deb -x "$cache/debs/$file" "$work/deb" ;;
    esac
done <"$cache/packages"
release=$(ls "$work/kernel/lib/modules")
busybox=$work/deb/bin/busybox
"$busybox" true 2>/dev/null || busybox=busybox
cp "$work/kernel/boot/vmlinuz-$release" "$work/out/vmlinuz"

# number FILE OFFSET BYTES: little-endian
number() {
    # shellcheck disable=SC2046 # four numbers
    set -- $(od -An -tu1 -j "$2" -N "$3" "$1") 0 0 0
    echo $(($1 | $2 << 8 | $3 << 16 | $4 << 24))
}

# unpack_kernel FROM TO: the ELF inside an x86 kernel image that is packed with LZ4, as the boot
# protocol says where (setup_sects, payload_offset and payload_length, which counts the size behind
# the payload).
unpack_kernel() {
    [ "$(tail -c +515 "$1" | head -c 4)" = HdrS ] || return 1
    at=$((($(number "$1" 497 1) + 1) * 512 + $(number "$1" 584 4)))
    length=$(($(number "$1" 588 4) - 4))
    tail -c "+$((at + 1))" "$1" | head -c $length | "$work/deb/usr/bin/lz4" -qdc >"$2" 2>/dev/null &&
        [ "$(tail -c +2 "$2" | head -c 3)" = ELF ]
}

unpack_kernel "$work/out/vmlinuz" "$work/out/vmlinux" || ln -f "$work/out/vmlinuz" "$work/out/vmlinux"

# needs MODULE: its file and those of the modules it needs, these first.
needs() {
    # The line of modules.dep has it all, in reverse: "FILE: FILE...".
    line=$(grep "/$1\.ko:" "$modules/modules.dep") || fail "the kernel has no module $1"
    order=
    for file in $(echo "$line" | tr -d :); do
        order="$file $order"
    done
    echo "$order"
}

# copy_module FILE TO: without its signature, whose check takes time and convinces nobody here. The
# last bytes of a signed module: the signature, its length in 4 bytes, and a line of 28 bytes.
copy_module() {
    cut=0
    if [ "$(tail -c 28 "$1" | tr -d '\0')" = '~Module signature appended~' ]; then
        # shellcheck disable=SC2046 # four numbers
        set -- "$1" "$2" $(tail -c 32 "$1" | head -c 4 | od -An -tu1)
        cut=$((($3 << 24) + ($4 << 16) + ($5 << 8) + $6 + 40))
    fi
    head -c "-$cut" "$1" >"$2"
}

modules=$work/kernel/lib/modules/$release
"$busybox" depmod -b "$work/kernel" "$release"

# The initramfs is not compressed: reading a little more costs less than unpacking.
mkdir -p "$work/initrd/bin" "$work/initrd/proc" "$work/initrd/sys" "$work/initrd/dev" "$work/initrd/root"
cp "$work/deb/bin/busybox" "$work/initrd/bin/busybox"
ln -s busybox "$work/initrd/bin/sh"
cp "$here/initrd-init" "$work/initrd/init"
chmod 0755 "$work/initrd/init"
for module in $initrd_modules; do
    if [ "$module" = -- ]; then
        echo --
        continue
    fi
    for file in $(needs "$module"); do
        name=${file##*/}
        [ ! -e "$work/initrd/$name" ] || continue
        copy_module "$modules/$file" "$work/initrd/$name"
        case $name in
            scsi_mod.ko) echo "/$name scan=none" ;;
            *) echo "/$name" ;;
        esac
    done
done >"$work/initrd/modules"
(cd "$work/initrd" && find . | sort | "$busybox" cpio -o -H newc -R 0:0 2>/dev/null) >"$work/out/initrd.img"

# The root file system: one /usr, everything else links to it.
root=$work/root
for dir in dev etc home mnt opt proc root run srv sys tmp usr/bin usr/sbin usr/lib usr/libexec \
    usr/local/bin usr/local/sbin var/lib/mini var/lib/cloud/scripts/per-boot var/log var/tmp etc/sudoers.d etc/skel mnt/lima-cidata; do
    mkdir -p "$root/$dir"
done
for dir in bin sbin lib lib32 lib64; do
    if [ -d "$work/deb/$dir" ]; then
        mkdir -p "$root/usr/$dir"
        ln -s "usr/$dir" "$root/$dir"
    fi
done
for dir in bin sbin lib lib64; do
    for from in "$work/deb/$dir" "$work/deb/usr/$dir"; do
        [ ! -d "$from" ] || cp -R "$from/." "$root/usr/$dir/"
    done
done
cp -R "$work/deb/usr/libexec/." "$root/usr/libexec/"
cp "$work/deb/etc/mke2fs.conf" "$root/etc/"
# Character sets and the like that nobody here asks for, and all security modules but one.
find "$root/usr" \( -name gconv -o -name e2initrd_helper -o -name 'tmpfiles.d' -o -name systemd -o \
    -name udev -o -name locale -o -name 'sudo_*' -o -name '*lz4*' -o -name 'e2scrub*' \) -prune -exec rm -rf {} +
find "$root/usr/lib" -path '*/security/*' ! -name pam_permit.so -exec rm -f {} +
ln -s bash-static "$root/usr/bin/bash"
ln -s ../run "$root/var/run"
ln -s ../proc/self/mounts "$root/etc/mtab"
ln -s ../usr/lib/os-release "$root/etc/os-release"
"$busybox" --list-full | while read -r applet; do
    path=$root/usr/${applet#usr/}
    # No applet in the place of a real program.
    if [ ! -e "$path" ] && [ ! -e "$root/usr/bin/${applet##*/}" ]; then
        mkdir -p "${path%/*}"
        ln -s /usr/bin/busybox "$path"
    fi
done
cp -R "$here/root/." "$root/"
mkdir -p "$root/lib/modules/$release"
for module in $disk_modules; do
    for file in $(needs "$module"); do
        copy_module "$modules/$file" "$root/lib/modules/$release/${file##*/}"
    done
done
"$busybox" depmod -b "$root" "$release"
echo $((1024 * 1024 * 1024 / 512)) >"$root/var/lib/mini/disk-size"
chmod 1777 "$root/tmp" "$root/var/tmp"
chmod 0700 "$root/root"
chmod 0440 "$root/etc/sudoers"
chmod 0750 "$root/etc/sudoers.d"
chmod 0640 "$root/etc/shadow"
chmod 4755 "$root/usr/bin/sudo" "$root/usr/bin/fusermount3"

mke2fs -q -t ext4 -d "$root" -L mini-root -m 0 -O '^metadata_csum,^64bit' \
    -E 'root_owner=0:0,lazy_itable_init=0' "$work/disk" $disk_size >/dev/null
# Whoever builds it, it belongs to root.
(cd "$root" && find . -mindepth 1 -printf 'sif /%P uid 0\nsif /%P gid 0\n') |
    debugfs -w -f - "$work/disk" >/dev/null 2>"$work/debugfs.log" || fail "$(cat "$work/debugfs.log")"
qemu-img convert -O qcow2 "$work/disk" "$work/out/disk.qcow2"

mv "$work/out" "$cache/$key"
# What nobody has asked for in a month goes.
find "$cache" -maxdepth 1 \( -name 'stamp-*' -o -name '????????????????' \) -mtime +30 \
    -exec rm -rf {} +
echo "$key $(lists_state)" >"$stamp"
done_with "$key"
