#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The environment of the instance, for every login: a block of /etc/environment between markers.
# After it a login has all it needs, which /run/lima-ssh-ready says (GS-08).
set -eu
newline='
'
block=
while IFS= read -r line || [ -n "$line" ]; do
    block=$block$line$newline
done <"$LIMA_CIDATA_MNT/etc_environment"
[ -z "$block" ] || block="#LIMA-START$newline$block#LIMA-END$newline"

kept=
old=
inside=
if [ -e /etc/environment ]; then
    while IFS= read -r line || [ -n "$line" ]; do
        [ "$line" != '#LIMA-START' ] || inside=yes
        if [ -n "$inside" ]; then
            old=$old$line$newline
        else
            kept=$kept$line$newline
        fi
        [ "$line" != '#LIMA-END' ] || inside=
    done </etc/environment
fi
if [ "$old" != "$block" ]; then
    printf '%s' "$kept$block" >/etc/environment.lima
    mv /etc/environment.lima /etc/environment
fi
echo "$LIMA_CIDATA_IID" >/run/lima-ssh-ready
