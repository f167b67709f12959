#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Dependency scripts first: the rest relies on what they prepare, so the first failure ends this
# script. Then the packages that the instance needs and the guest lacks.
set -u
for file in "$LIMA_CIDATA_MNT"/provision.dependency/*; do
    [ -f "$file" ] || continue
    boot_run "provision.dependency/${file##*/}" run "$file" || exit 1
done

case ${LIMA_CIDATA_SKIP_DEFAULT_DEPENDENCY_RESOLUTION:-} in
    1 | [Tt]rue) exit 0 ;;
esac
boot_needs_sshfs || exit 0
echo "installing sshfs"
if command -v apt-get >/dev/null 2>&1; then
    export DEBIAN_FRONTEND=noninteractive
    apt-get update && apt-get install -y --no-upgrade --no-install-recommends sshfs
elif command -v dnf >/dev/null 2>&1; then
    dnf install -y fuse-sshfs
elif command -v apk >/dev/null 2>&1; then
    apk add sshfs
elif command -v pacman >/dev/null 2>&1; then
    pacman -Sy --noconfirm sshfs
elif command -v zypper >/dev/null 2>&1; then
    zypper --non-interactive install -y --no-recommends sshfs
else
    echo "sshfs is missing, and no package manager is known here: the mounts will not work"
    exit 1
fi
