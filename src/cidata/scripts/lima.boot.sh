#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Per-boot script of cloud-init (/var/lib/cloud/scripts/per-boot/00-lima.boot.sh, written through
# user-data): mounts the seed for root only and hands over to the boot.sh on it (GS-05).
set -eu
export LIMA_CIDATA_MNT=/mnt/lima-cidata
if [ ! -e "$LIMA_CIDATA_MNT/boot.sh" ]; then
    mkdir -p "$LIMA_CIDATA_MNT"
    dev=/dev/disk/by-label/cidata
    [ -e "$dev" ] || dev=$(findfs LABEL=cidata)
    mount -t iso9660 -o ro,exec,uid=0,gid=0,mode=0700,dmode=0700,overriderockperm \
        "$dev" "$LIMA_CIDATA_MNT"
fi
exec sh "$LIMA_CIDATA_MNT/boot.sh"
