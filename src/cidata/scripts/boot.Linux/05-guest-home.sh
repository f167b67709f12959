#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The user's home, where adding the user has not made it: a mount below it was there before.
set -eu
mkdir -p "$LIMA_CIDATA_HOME"
for file in /etc/skel/.[!.]*; do
    [ -f "$file" ] || continue
    [ -e "$LIMA_CIDATA_HOME/${file##*/}" ] || cp "$file" "$LIMA_CIDATA_HOME/"
    chown "$LIMA_CIDATA_USER:" "$LIMA_CIDATA_HOME/${file##*/}"
done
chown "$LIMA_CIDATA_USER:" "$LIMA_CIDATA_HOME"
chmod 0750 "$LIMA_CIDATA_HOME"
