#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A home that Lima has made: what its disks may be, somebody else's agent. The machines are stubs;
# lima-life.sh has a guest.
# shellcheck disable=SC2016,SC2317 # backquotes are text; functions are called by name
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=stub.sh
. "$(dirname "$0")/stub.sh"
# shellcheck source=lima.sh
. "$(dirname "$0")/lima.sh"

# ---- with stubs: what the disks are -----------------------------------------------------------------
bytes='the guest has written this'
# shellcheck disable=SC2094
stub_disk() { # NAME
    case $1 in
        raw) truncate -s 1G "$d/disk" && printf %s "$bytes" | dd of="$d/disk" conv=notrunc status=none ;;
        qcow2) qemu-img create -q -f qcow2 "$d/disk" 1G ;;
        old) qemu-img create -q -f qcow2 "$d/basedisk" 8M && qemu-img create -q -f qcow2 -F qcow2 -b "$d/basedisk" "$d/diffdisk" 1G ;;
        old-raw) truncate -s 8M "$d/basedisk" && qemu-img create -q -f qcow2 -F raw -b "$d/basedisk" "$d/diffdisk" 1G ;;
        old-iso)
            truncate -s 1M "$d/basedisk"
            printf '\001CD001\001' | dd of="$d/basedisk" bs=1 seek=32768 conv=notrunc status=none
            qemu-img create -q -f qcow2 "$d/diffdisk" 1G
            ;;
    esac
}
args_of() { tr '\0' '\n' <"/proc/$(driver_pid "$1")/cmdline"; }

for layout in raw qcow2 old old-raw old-iso; do
    lima_dir "$layout" 2.2.0
    stub_disk $layout
    cp "$d/lima.yaml" "$scratch/yaml"
    succeeds "$layout: list" "$cima" list --json "$layout"
    check '… stopped, of Lima 2.2.0' sh -c "grep '\"status\":\"Stopped\"' '$scratch/out' | grep -q '\"limaVersion\":\"2.2.0\"'"
    succeeds "$layout: start" "$cima" start "$layout"
    check '… cleans up after the crash' says 'cleaned up its stale state'
    args_of $layout >"$scratch/args"
    format=qcow2
    [ $layout != raw ] || format=raw
    check "… the disk is $format, and named so" grep -q "$format.*node-name=boot-disk\\|driver\":\"$format.*boot-disk" "$scratch/args"
    check '… the machine type is frozen' grep -q '"machine": "pc-q35-' "$d/cima.json"
    succeeds "$layout: stop" "$cima" stop "$layout"
    check '… lima.yaml is as it was' cmp -s "$scratch/yaml" "$d/lima.yaml"
    check '… lima-version is as it was' is "$(od -c "$d/lima-version" | head -n 1)" '0000000   2   .   2   .   0'
done
check 'SD-65 old layout: disk is a link, as Lima makes it' is "$(readlink "$home/old/disk")" diffdisk
check 'SD-65 … an image is no iso' absent "$home/old/iso"
check 'SD-65 an old ISO: iso is a link' is "$(readlink "$home/old-iso/iso") $(readlink "$home/old-iso/disk")" 'basedisk diffdisk'
check 'SD-65 … the machine has a CD of it' grep -q "$home/old-iso/iso" "$scratch/args"
succeeds 'SD-65 start again with the links' "$cima" start old
succeeds 'stop' "$cima" stop old

# S02: what the guest writes into a raw disk changes nothing.
printf secret >"$scratch/secret"
qemu-img create -q -f qcow2 -F raw -b "$scratch/secret" "$scratch/evil.qcow2" 1G
dd if="$scratch/evil.qcow2" of="$home/raw/disk" conv=notrunc status=none
succeeds 'S02 a raw disk with the header of a qcow2: start' "$cima" start raw
args_of raw >"$scratch/args"
check 'S02 … it stays raw' grep -q 'raw.*node-name=boot-disk\|driver":"raw.*boot-disk' "$scratch/args"
succeeds 'S02 stop' "$cima" stop raw

# S01 for disks that come with a foreign directory: nothing that they name is opened.
hostile() { # NAME TEXT
    fails "$1 is refused" 1 "$cima" start "$1"
    check "… and says why: $2" says "$2"
    check '… nothing was started' absent "$home/$1/qemu.log"
}
lima_dir outside 2.2.0
qemu-img create -q -f qcow2 -F raw -b "$scratch/secret" "$d/disk" 1G
hostile outside "refers to another file ('$scratch/secret')"
lima_dir dotdot 2.2.0
printf x >"$home/basedisk"
qemu-img create -q -u -f qcow2 -F raw -b ../basedisk "$d/disk" 1G
hostile dotdot "refers to another file ('../basedisk')"
lima_dir link 1.0.0
ln -s "$scratch/secret" "$d/basedisk"
qemu-img create -q -u -f qcow2 -F raw -b basedisk "$d/diffdisk" 1G
hostile link "opening '$d/basedisk' failed"
lima_dir chain 1.0.0
qemu-img create -q -f qcow2 -F raw -b "$scratch/secret" "$d/basedisk" 8M
qemu-img create -q -u -f qcow2 -F qcow2 -b basedisk "$d/diffdisk" 1G
hostile chain 'refers to another file'
lima_dir guess 1.0.0
truncate -s 8M "$d/basedisk"
qemu-img create -q -u -f qcow2 -F raw -b basedisk "$d/diffdisk" 1G
# The name of the format is taken out of the header: QEMU would guess.
python3 - "$d/diffdisk" <<'PY'
import struct, sys
f = open(sys.argv[1], "r+b")
head = f.read(4096)
at = head.index(struct.pack(">I", 0xe2792aca))
f.seek(at)
f.write(struct.pack(">I", 0x11111111))
PY
hostile guess 'does not say which format'
check '… and how to mend it' says 'qemu-img rebase -u -F raw -b basedisk diffdisk'
lima_dir moved 1.0.0
truncate -s 8M "$d/basedisk"
qemu-img create -q -u -f qcow2 -F raw -b /home/me/.lima/moved/basedisk "$d/diffdisk" 1G
hostile moved "refers to another file ('/home/me/.lima/moved/basedisk')"
check '… and how to mend it' says 'was the directory moved?'
rm -f "$home/basedisk"

# A kernel that was there is not forgotten.
lima_dir kernel 2.2.0
stub_disk qcow2
printf k >"$d/kernel"
printf i >"$d/initrd"
printf 'console=ttyS0\n' >"$d/kernel.cmdline"
succeeds 'kernel: start' "$cima" start kernel
args_of kernel >"$scratch/args"
check '… with the command line, without its newline' grep -qx 'console=ttyS0' "$scratch/args"
succeeds 'kernel: stop' "$cima" stop kernel
for f in kernel initrd; do
    mv "$d/$f" "$scratch/$f"
    fails "a lost $f is noticed" 1 "$cima" start kernel
    check '… and named' says "the $f of the instance is missing: '$d/$f'"
    mv "$scratch/$f" "$d/$f"
done

# protected
: >"$d/protected"
fails 'protected: delete is refused' 1 "$cima" delete kernel
check '… and says so' says 'is protected to prohibit accidental removal'
fails 'protected: delete -f too' 1 "$cima" delete -f kernel
rm "$d/protected"

# What Lima left without a version is older than any release.
lima_dir ancient ''
stub_disk qcow2
succeeds 'without lima-version: list' "$cima" list --json ancient
check '… has none there' prints '"limaVersion":""'
lima_dir newer 2.9.1
stub_disk qcow2
sed -i 's/^minimumLimaVersion:.*/minimumLimaVersion: 2.9.0/' "$d/lima.yaml"
run "$cima" list
check 'an instance of a later Lima does not spoil the list' is "$code" 0
for n in raw qcow2 old old-raw old-iso outside dotdot link chain guess moved kernel ancient newer; do
    "$cima" delete -f $n >/dev/null 2>&1
done
check 'all of them can be deleted' is "$(find "$home" -mindepth 1 -maxdepth 1 ! -name '_*')" ''
check 'the home is as it was otherwise' is "$(cd "$home" && find . -mindepth 1 ! -name '*.lock' | sort | tr '\n' ' ')" \
    './_config ./_config/networks.yaml ./_config/user ./_config/user.pub ./_disks ./_networks '

# ---- somebody else's agent --------------------------------------------------------------------------
agent_lost() { is "$(condition_of q)" 'agent lost'; }
foreign_agent() { # takes over instance q as limactl would
    port=$(field_of q sshLocalPort)
    kill_hard "$(agent_pid q)"
    rm -f "$home/q/got-sigint"
    within 10 agent_lost
    python3 "$srcdir/test/fake/limactl-hostagent.py" "$port" hostagent --pidfile "$home/q/ha.pid" \
        --socket "$home/q/ha.sock" q >/dev/null 2>&1 &
    foreign=$!
    within 60 has_status q Running
}
both_gone() { within 60 gone "$foreign" && within 60 gone "$driver"; }
lima_dir q 2.2.0
stub_disk qcow2
succeeds 'start' "$cima" start q
driver=$(driver_pid q)
check 'HA-91 with a living foreign agent: Running' foreign_agent
check '… and that agent is shown' is "$(agent_pid q) $(field_of q sshLocalPort)" "$foreign $port"
succeeds 'start of it is fine' "$cima" start q
check '… and says that it runs' says 'is already running'
succeeds 'shell works through its port' "$cima" --debug shell q true
check '… the port' sh -c "tr -d '\n' <'$scratch/err' | grep -q -- '-p $port '"
check 'HA-11 another agent is refused' sh -c "! '$cima' hostagent q >/dev/null 2>'$scratch/err'"
check '… and names it' grep -q "another hostagent may already be running with pid $foreign" "$scratch/err"
fails 'delete is refused' 1 "$cima" delete q
check '… and says why' says 'expected status `Stopped`, got `Running`'
check 'it was never adopted' is "$(cat "$home/q/ha.pid") $(driver_pid q)" "$foreign $driver"
succeeds 'HA-90 stop asks it' "$cima" stop q
check '… once, by SIGINT' is "$(cat "$home/q/got-sigint")" SIGINT
check '… both are gone' both_gone
check '… with its exiting event' grep -q '"exiting":true' "$home/q/ha.stdout.log"
succeeds 'start is ours again' "$cima" start q
driver=$(driver_pid q)
check 'a foreign agent again' foreign_agent
succeeds 'stop -f' "$cima" stop -f q
check '… ends both' both_gone
succeeds 'start' "$cima" start q
driver=$(driver_pid q)
check 'a foreign agent again' foreign_agent
succeeds 'delete -f ends both' "$cima" delete -f q
check '… and they are gone' both_gone
check '… with the directory' absent "$home/q"
finish
