# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# An entry of user-data's bootcmd, present when the seed has provision.boot: runs those scripts
# early in boot. cloud-init joins all entries into one script, so nothing here may exit or set -e.
LIMA_CIDATA_MNT=/mnt/lima-cidata
export LIMA_CIDATA_MNT
if [ ! -e "$LIMA_CIDATA_MNT/boot.sh" ]; then
    mkdir -p "$LIMA_CIDATA_MNT"
    lima_dev=/dev/disk/by-label/cidata
    [ -e "$lima_dev" ] || lima_dev=$(findfs LABEL=cidata)
    mount -t iso9660 -o ro,exec,uid=0,gid=0,mode=0700,dmode=0700,overriderockperm \
        "$lima_dev" "$LIMA_CIDATA_MNT"
fi
sh "$LIMA_CIDATA_MNT/boot.sh" bootcmd
