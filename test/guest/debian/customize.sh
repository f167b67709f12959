#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# customize.sh ROOT MIB EFI: run by mmdebstrap when the packages are in place, as root or as root of
# a name space. Makes a guest of the directory and writes a tar with its parts to descriptor 8:
# root (a file system of that size), vmlinuz, initrd.img, boot.efi.
set -eu
root=$1
size=$2
efi=$3

# ---- settings ---------------------------------------------------------------------------------------

echo debian >"$root/etc/hostname"
cat >"$root/etc/hosts" <<'TEXT'
127.0.0.1	localhost
::1	localhost ip6-localhost ip6-loopback
ff02::1	ip6-allnodes
ff02::2	ip6-allrouters
TEXT
echo 'LANG=C.UTF-8' >"$root/etc/default/locale"
cat >"$root/etc/fstab" <<'TEXT'
LABEL=debian-root / ext4 defaults,discard 0 1
TEXT
: >"$root/etc/machine-id"
rm -f "$root/var/lib/dbus/machine-id" "$root"/etc/ssh/ssh_host_*
# What names the machine's own network is cloud-init's business.
rm -f "$root/etc/resolv.conf"
ln -s ../run/systemd/resolve/stub-resolv.conf "$root/etc/resolv.conf"
cat >"$root/etc/cloud/cloud.cfg.d/90-guest.cfg" <<'TEXT'
datasource_list: [NoCloud, None]
# A key of 3072 bits of RSA takes an emulated machine half a minute at times.
ssh_genkeytypes: [ed25519, ecdsa]
# Without those of Debian's list that ask GRUB, print keys or are for other distributions and clouds.
cloud_init_modules: [migrator, seed_random, bootcmd, write-files, growpart, resizefs, disk_setup,
  mounts, set_hostname, update_hostname, update_etc_hosts, ca-certs, users-groups, ssh]
cloud_config_modules: [locale, set-passwords, apt-configure, ntp, timezone, runcmd]
cloud_final_modules: [package-update-upgrade-install, write-files-deferred, scripts-vendor,
  scripts-per-once, scripts-per-boot, scripts-per-instance, scripts-user, final-message,
  power-state-change]
TEXT
# A busy host that emulates it takes its time.
mkdir -p "$root/etc/systemd/system.conf.d" "$root/etc/systemd/system/systemd-networkd-wait-online.service.d"
cat >"$root/etc/systemd/system.conf.d/guest.conf" <<'TEXT'
[Manager]
DefaultTimeoutStartSec=15min
DefaultDeviceTimeoutSec=15min
TEXT
cat >"$root/etc/systemd/system/systemd-networkd-wait-online.service.d/guest.conf" <<'TEXT'
[Service]
ExecStart=
ExecStart=/lib/systemd/systemd-networkd-wait-online --timeout=900
TEXT
# As in Debian's cloud images: what the machine does on its own in the background is not wanted.
rm -f "$root/etc/cron.daily/"* "$root/etc/systemd/system/timers.target.wants/"* \
    "$root"/etc/systemd/system/*.wants/e2scrub_reap.service
# The lists of packages and the packages themselves stay outside.
find "$root/var/cache/apt" "$root/var/lib/apt/lists" -type f -delete

# ---- kernel, initramfs, boot loader -----------------------------------------------------------------

parts=$(mktemp -d)
trap 'rm -rf "$parts"' EXIT
set -- "$root"/boot/vmlinuz-*
cp "$1" "$parts/vmlinuz"
set -- "$root"/boot/initrd.img-*
cp "$1" "$parts/initrd.img"
cp "$root/usr/lib/systemd/boot/efi/systemd-boot$efi.efi" "$parts/boot.efi"

# ---- the file system ---------------------------------------------------------------------------------

# From a copy, because the builder has mounted /proc and the like in the original.
tree=$parts/tree
mkdir "$tree"
tar --one-file-system --warning=no-xdev --xattrs --xattrs-include='*' --exclude=./dev \
    --exclude=./proc --exclude=./sys --exclude=./run --exclude=./tmp -C "$root" -cf "$parts/tar" .
tar --xattrs --xattrs-include='*' -C "$tree" -xpf "$parts/tar"
rm "$parts/tar"
mkdir "$tree/dev" "$tree/proc" "$tree/sys" "$tree/run" "$tree/tmp"
chmod 1777 "$tree/tmp"
mke2fs -q -t ext4 -d "$tree" -L debian-root -m 1 -E root_owner=0:0,lazy_itable_init=1 \
    "$parts/root" "${size}M" >/dev/null
rm -rf "$tree"
chmod 0644 "$parts"/*
tar -cSf - -C "$parts" root vmlinuz initrd.img boot.efi >&8
