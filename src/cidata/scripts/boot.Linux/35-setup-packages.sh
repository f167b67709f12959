#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Lets the user's FUSE mounts be seen by other users, root included (reverse-sshfs needs it).
set -eu
allowed=
if [ -e /etc/fuse.conf ]; then
    while IFS= read -r line || [ -n "$line" ]; do
        [ "$line" != user_allow_other ] || allowed=yes
    done </etc/fuse.conf
fi
[ -n "$allowed" ] || echo user_allow_other >>/etc/fuse.conf
if [ "${LIMA_CIDATA_MOUNTS:-0}" != 0 ] && [ ! -e /dev/fuse ]; then
    if modprobe fuse; then
        chmod 0666 /dev/fuse # where no udev does it
    else
        echo "this kernel has no fuse: reverse-sshfs mounts will not work"
    fi
fi
echo "$LIMA_CIDATA_IID" >/run/lima-fuse-ready
