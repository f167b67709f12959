#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Names that work without the host's resolver: the host as host.lima.internal, and this guest under
# its host name and as lima-NAME.
set -eu
newline='
'
tab='	'
blank=" $tab"
hosts=
changed=
if [ -e /etc/hosts ]; then
    while IFS= read -r line || [ -n "$line" ]; do
        hosts=$hosts$line$newline
    done </etc/hosts
fi

# name_self NAME: adds this guest's name unless some line has it.
name_self() {
    case $hosts in *[$blank]"$1"[$blank$newline]*) return 0 ;; esac
    hosts=${hosts}127.0.1.1$tab$1$newline
    changed=yes
}

# name_host ADDRESS NAME: makes that the only line of this form for the name.
name_host() {
    case $newline$hosts in *"$newline$1$tab$2$newline"*) return 0 ;; esac
    kept=
    while [ -n "$hosts" ]; do
        line=${hosts%%"$newline"*}
        hosts=${hosts#*"$newline"}
        case $line in *"$tab$2") ;; *) kept=$kept$line$newline ;; esac
    done
    hosts=$kept$1$tab$2$newline
    changed=yes
}

case $hosts in *localhost*) ;; *) hosts=127.0.0.1${tab}localhost$newline$hosts ;; esac
read -r hostname </proc/sys/kernel/hostname
name_self "$hostname"
name_self "lima-$LIMA_CIDATA_NAME"
if [ -n "${LIMA_CIDATA_SLIRP_GATEWAY:-}" ]; then
    name_host "$LIMA_CIDATA_SLIRP_GATEWAY" host.lima.internal
fi
if [ -n "$changed" ]; then
    printf '%s' "$hosts" >/etc/hosts.lima
    mv /etc/hosts.lima /etc/hosts
fi
