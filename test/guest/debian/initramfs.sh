#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# initramfs.sh ROOT: run by mmdebstrap before the kernel is installed. What the guest's initramfs has
# to find is a virtio disk with ext4; less than half of the usual size is unpacked that much sooner.
set -eu
mkdir -p "$1/etc/initramfs-tools/conf.d" "$1/usr/share/initramfs-tools/modules.d"
echo 'MODULES=list' >"$1/etc/initramfs-tools/conf.d/guest"
printf '%s\n' virtio_pci virtio_blk crc32c_generic ext4 >"$1/usr/share/initramfs-tools/modules.d/guest"
