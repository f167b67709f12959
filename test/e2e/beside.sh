#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What runs beside a machine: swtpm, its VNC display, virtiofsd where a capable one is installed.
# shellcheck disable=SC2016,SC2317 # the guest's shell expands them; functions are called by name
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
need_guest
command -v swtpm >/dev/null || skip 'swtpm is not installed'
dir=$CIMA_HOME/beside

field() { "$cima" list --format json beside 2>/dev/null | sed -n "s/.*\"$1\":\\([0-9]*\\).*/\\1/p"; }
mode() { stat -c %a "$1"; }
# The first word of a lock is the pid of who holds it.
helper() { cut -d' ' -f1 "$dir/$1.lock" 2>/dev/null; }
# What a VNC server says first.
knock() {
    python3 -c 'import socket, sys
s = socket.create_connection(("127.0.0.1", 5900 + int(sys.argv[1])), 300)
s.settimeout(300)
sys.exit(s.recv(12) != b"RFB 003.008\n")' "$1"
}

mini_yaml "$scratch/beside.yaml" <<'YAML'
tpm: true
video: {display: vnc, vnc: {display: "127.0.0.1:10,to=89"}}
YAML
succeeds 'S1-H2 a machine with a TPM starts' "$cima" start --timeout=40m "$scratch/beside.yaml"
tpm=$(helper swtpm)
check 'S1-H2 swtpm runs' alive "$tpm"
check 'S1-H2 its state is private' is "$(mode "$dir/swtpm")" 700
check 'S1-H2 it has a log of its own (B-TPM-LOG)' test -f "$dir/swtpm.log"
run "$cima" qmp beside query-tpm
check 'S1-H2 QEMU has it' prints tpm-crb
check 'S1-44 vncdisplay' grep -Eqx '127\.0\.0\.1:[0-9]+' "$dir/vncdisplay"
check 'S1-45 vncdisplay and vncpassword are private' is "$(mode "$dir/vncdisplay") $(mode "$dir/vncpassword")" '600 600'
check 'S1-44 a VNC server answers there' knock "$(cut -d: -f2 "$dir/vncdisplay")"
check 'S28 the password is on no command line' sh -c "! tr '\\0' ' ' <'/proc/$(field driverPID)/cmdline' | grep -qF \"\$(cat '$dir/vncpassword')\""

agent=$(field hostAgentPID) driver=$(field driverPID)
kill_hard "$agent"
check 'F01 S1-H2 swtpm outlives the agent' alive "$tpm"
succeeds 'F01 the machine is taken over' "$cima" shell beside true
check 'F01 … with its swtpm' is "$(helper swtpm)" "$tpm"

kill -9 "$tpm"
check 'S1-38 F42 a helper that dies is told' within 30 grep -q 'swtpm has ended while the machine runs' "$dir/ha.stdout.log"
check 'S1-38 F42 … with the next step' within 20 grep -q 'stop the instance and start it again' "$dir/ha.stderr.log"
check 'S1-38 … and the machine goes on' is "$(field driverPID)" "$driver"
succeeds 'stop' "$cima" stop beside
check 'S1-45 the VNC files are gone' absent "$dir/vncpassword"

# Not waited for: what is started before the guest is the matter here.
"$cima" start beside >"$scratch/start.log" 2>&1 &
starting=$!
new_machine() { [ -n "$(field driverPID)" ] && [ "$(field driverPID)" != "$driver" ]; }
check 'S1-H2 and start again' within 60 new_machine
tpm=$(helper swtpm) agent=$(field hostAgentPID)
check 'S1-H2 … with a new swtpm' alive "$tpm"
kill_hard "$agent"
wait "$starting"
succeeds 'S1-H2 stop -f without an agent' "$cima" stop -f beside
check 'S1-H2 … leaves no helper' within 20 gone "$tpm"
check 'S1-H2 … and no socket' within 20 absent "$dir/swtpm.sock"
check 'S1-45 … and no VNC files' absent "$dir/vncdisplay"
succeeds 'delete' "$cima" delete beside

# ---- virtiofs --------------------------------------------------------------------------------------
# The one that is written in Rust; the old one of QEMU 7 has another command line.
virtiofsd=$(command -v virtiofsd || command -v /usr/libexec/virtiofsd || command -v /usr/lib/virtiofsd) || virtiofsd=
if [ -z "$virtiofsd" ]; then
    echo 'skipped: a virtiofs mount: no virtiofsd (the one written in Rust) is installed'
    finish
fi
dir=$CIMA_HOME/vfs
mkdir "$scratch/shared"
echo hello >"$scratch/shared/file"
mini_yaml "$scratch/vfs.yaml" <<YAML
mountType: virtiofs
mounts: [{location: "$scratch/shared", writable: true}]
YAML
succeeds 'S1-30 SD-50 a machine with virtiofs starts' "$cima" start --timeout=40m "$scratch/vfs.yaml"
run "$cima" shell vfs cat "$scratch/shared/file"
check 'S1-33 the guest reads the directory' is "$out" hello
kill -9 "$(helper virtiofsd-0)"
check 'S1-38 F42 a lost virtiofsd is told' within 30 grep -q 'its mount is gone' "$dir/ha.stdout.log"
succeeds 'stop' "$cima" stop -f vfs
finish
