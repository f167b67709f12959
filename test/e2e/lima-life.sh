#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Instances that Lima has made live here, with a guest, and what is done to them stays readable
# there.
# shellcheck disable=SC2016,SC2317 # the guest's shell expands; functions are called by name
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
need_guest
# shellcheck source=lima.sh
. "$(dirname "$0")/lima.sh"
field_of() { "$cima" list --format json "$1" 2>/dev/null | sed -n "s/.*\"$2\":\\([0-9]*\\).*/\\1/p"; }
agent_pid() { field_of "$1" hostAgentPID; }
driver_pid() { field_of "$1" driverPID; }

guest_dir() { # NAME VERSION LAYOUT
    lima_dir "$1" "$2"
    cp "$guest/vmlinux" "$d/kernel"
    cp "$guest/initrd.img" "$d/initrd"
    # It has two processors, of which the guest starts one (see lifecycle.sh).
    printf 'console=ttyS0 quiet maxcpus=1 cryptomgr.notests initcall_blacklist=init_kprobe_trace,load_system_certificate_list,crypto_kdf108_init' >"$d/kernel.cmdline"
    case $3 in
        raw) qemu-img convert -O raw "$guest/disk.qcow2" "$d/disk" && chmod 644 "$d/disk" ;;
        old)
            cp "$guest/disk.qcow2" "$d/basedisk"
            qemu-img create -q -f qcow2 -F qcow2 -b "$d/basedisk" "$d/diffdisk" 1G
            ;;
    esac
}

life() { # NAME
    d=$home/$1
    succeeds "$1: start" "$cima" start "$1"
    check '… READY' says READY
    check '… ha.pid is PID and newline' is "$(cat "$d/ha.pid"; wc -l <"$d/ha.pid")" "$(agent_pid "$1")
1"
    check '… so is qemu.pid' is "$(cat "$d/qemu.pid")" "$(driver_pid "$1")"
    succeeds '… shell' "$cima" shell "$1" sh -c 'echo kept | sudo tee /var/lib/kept; uname -s'
    check '… in the guest' is "$out" 'kept
Linux'
    check '… ssh -F ssh.config, as Lima users do' sh -c "ssh -F '$d/ssh.config' 'lima-$1' true </dev/null"
    succeeds '… stop' "$cima" stop "$1"
    succeeds '… start again' "$cima" start "$1"
    succeeds '… what was written is there' "$cima" shell "$1" cat /var/lib/kept
    check '… as it was' is "$out" kept
    cp "$d/ha.stdout.log" "$scratch/events"
    succeeds '… stop again' "$cima" stop "$1"
}

guest_dir two 2.2.0 raw
life two
succeeds 'HA-14 the events are as Lima reads them' python3 - "$d/ha.stdout.log" <<'PY'
import json, re, sys
types = {"running": bool, "degraded": bool, "exiting": bool, "errors": list, "sshLocalPort": int}
lines = [json.loads(l) for l in open(sys.argv[1])]
for l in lines:
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", l["time"]), l
    for k, v in l["status"].items():
        assert k not in types or type(v) is types[k], l
        assert v or k not in types, l  # Lima leaves out what is false
assert any(l["status"].get("running") and l["status"]["sshLocalPort"] for l in lines), lines
assert lines[-1]["status"]["exiting"] is True, lines[-1]
PY
# Extra files of ours, and the modes of all.
known='cidata.iso cloud-config.yaml disk ha.stderr.log ha.stdout.log initrd kernel kernel.cmdline lima-version lima.yaml lima-guestagent.Linux-x86_64.tmp serial.log serialp.log serialv.log sock ssh.config'
for f in "$d"/*; do
    case " $known " in
        *" ${f##*/} "*) ;;
        *) printf '%s\n' "${f##*/}" ;;
    esac
done >"$scratch/extra"
check 'extra files of ours, and no others' is "$(tr '\n' ' ' <"$scratch/extra")" 'cima.json ha.lock op.lock qemu.lock qemu.log '
check 'the directory is private' is "$(stat -c %a "$d")" 700
check 'nothing is writable for others' is "$(find "$d" -perm /022 ! -type l)" ''
succeeds 'delete' "$cima" delete two
check '… leaves nothing' absent "$home/two"

guest_dir one 1.2.2 old
life one
check 'SD-65 the image below is untouched' cmp -s "$guest/disk.qcow2" "$d/basedisk"
succeeds 'delete' "$cima" delete one
check '… leaves nothing' absent "$home/one"
finish
