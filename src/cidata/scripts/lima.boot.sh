#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Per-boot script of cloud-init (/var/lib/cloud/scripts/per-boot/00-lima.boot.sh, written through
# user-data): mounts the seed for root only and hands over to the boot.sh on it (GS-05). Where
# systemd has been asked to run it earlier (lima.early.sh), it is run by that as `00-lima.boot.sh
# early`; cloud-init's own turn then only waits for the end and passes the result on.
set -eu
export LIMA_CIDATA_MNT=/mnt/lima-cidata
if [ "${1:-}" != early ] && [ -e /run/cima-boot-early ]; then
    systemctl start cima-boot.service || :
    status=1
    while read -r word rest; do
        [ "$word" != end ] || status=$rest
    done </run/cima-boot-report
    exit "$status"
fi
if [ ! -e "$LIMA_CIDATA_MNT/boot.sh" ]; then
    mkdir -p "$LIMA_CIDATA_MNT"
    dev=/dev/disk/by-label/cidata
    [ -e "$dev" ] || dev=$(findfs LABEL=cidata)
    mount -t iso9660 -o ro,exec,uid=0,gid=0,mode=0700,dmode=0700,overriderockperm \
        "$dev" "$LIMA_CIDATA_MNT"
fi
if [ "${1:-}" = early ]; then
    # What fails is in the report, and is cloud-init's failure later on; not twice.
    sh "$LIMA_CIDATA_MNT/boot.sh" early || :
    exit 0
fi
exec sh "$LIMA_CIDATA_MNT/boot.sh"
