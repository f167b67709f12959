#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# 9p and virtiofs: user-data has put the mounts into fstab, with nofail. Here they are mounted if
# they are not yet, and a mount that does not work is said to be one. With a kernel that has no 9p
# the host makes them by reverse-sshfs instead: no failure here.
set -u

has_9p() {
    while read -r name more; do
        [ "$name" != 9p ] && [ "$more" != 9p ] || return 0
    done </proc/filesystems
    modprobe 9p >/dev/null 2>&1
}

if [ "$LIMA_CIDATA_MOUNTTYPE" = 9p ] && ! has_9p; then
    echo "this kernel has no 9p: no mounts here"
    exit 0
fi

# is_mounted MOUNT_POINT, in the spelling of fstab
is_mounted() {
    while read -r _ point _; do
        [ "$point" != "$1" ] || return 0
    done </proc/mounts
    return 1
}

status=0
n=0
while [ $n -lt "$LIMA_CIDATA_MOUNTS" ]; do
    mount_point=
    eval "mount_point=\$LIMA_CIDATA_MOUNTS_${n}_MOUNTPOINT"
    n=$((n + 1))
    case $mount_point in
        *[\\\ '	']*) escaped=$(sh "$LIMA_CIDATA_MNT/util/escape_fstab.sh" "$mount_point") ;;
        *) escaped=$mount_point ;;
    esac
    ! is_mounted "$escaped" || continue
    mkdir -p "$mount_point"
    if ! mount "$mount_point"; then
        echo "$LIMA_CIDATA_MOUNTTYPE mount on $mount_point failed"
        status=1
    fi
done
exit $status
