#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The main job: from a YAML file to a machine, used, stopped, started again, deleted.
# shellcheck disable=SC2016,SC2317 # the guest's shell expands them; functions are called by name
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
need_guest
mini_yaml "$scratch/life.yaml" </dev/null
# Two processors, of which the guest starts one: on a busy host QEMU 7.2 loses the interrupts of a
# second one that it emulates in about one start of a hundred, and the guest hangs.
sed -i 's/^cpus: 1/cpus: 2/; s/quiet/quiet maxcpus=1/' "$scratch/life.yaml"

succeeds 'create makes the instance' "$cima" create "$scratch/life.yaml"
check 'create does not start it' has_status life Stopped
check 'lima.yaml is the file as written' cmp -s "$scratch/life.yaml" "$CIMA_HOME/life/lima.yaml"
check 'lima-version is kept' is "$(cat "$CIMA_HOME/life/lima-version")" 2.2.0
check 'the directory is private' is "$(stat -c %a "$CIMA_HOME/life")" 700
fails 'a second create of the name fails' 1 "$cima" create "$scratch/life.yaml"
check '… and says that it exists' says 'already exists'

succeeds 'start brings it up' "$cima" start life
check 'start ends with READY' says 'READY'
check 'it runs' has_status life Running
succeeds 'start of a running instance is fine' "$cima" start life
check '… and says how to get in' says 'cima shell life'

succeeds 'shell runs a command' "$cima" shell life uname -s
check '… in Linux' is "$out" Linux
succeeds '… with the processors' "$cima" shell life cat /sys/devices/system/cpu/present
check '… that were asked for' is "$out" 0-1
fails 'the exit code of the command comes through' 37 "$cima" shell life sh -c 'exit 37'
succeeds 'arguments keep blanks, quotes and dollars' "$cima" shell life printf '%s|' 'a  b' "c'd" '$HOME' 'e"f' '*'
check '… byte for byte' is "$out" "a  b|c'd|\$HOME|e\"f|*|"
printf 'through standard input\n' | "$cima" shell life cat >"$scratch/stdin" 2>/dev/null
check 'standard input reaches the command' is "$(cat "$scratch/stdin")" 'through standard input'
succeeds 'shell --workdir' "$cima" shell --workdir /tmp life pwd
check '… changes the directory' is "$out" /tmp
succeeds 'sudo needs no password' "$cima" shell life sudo -n id -u
check '… and is root' is "$out" 0
succeeds 'the seed is mounted' "$cima" shell life sudo -n test -f /mnt/lima-cidata/lima.env
# shellcheck disable=SC2016,SC2317 # the guest's shell expands them; functions are called by name
succeeds 'a file is written' "$cima" shell life sh -c 'echo kept > "$HOME/note"; sudo sh -c "echo root > /root/note"'

for f in qmp.sock ha.sock serial.sock ssh.sock; do
    check "$f is a private socket" is "$(stat -c '%F %a' "$CIMA_HOME/life/$f" 2>&1)" 'socket 600'
done
check 'ssh.config works by itself' sh -c "ssh -F '$CIMA_HOME/life/ssh.config' lima-life true </dev/null"

succeeds 'list shows it' "$cima" list
check '… as running' sh -c "grep -q 'life .*Running' '$scratch/out'"
succeeds 'list --format json' "$cima" list --format json
check '… is one JSON object with the pids' python3 -c '
import json, sys
o = json.loads(open(sys.argv[1]).read())
assert o["name"] == "life" and o["status"] == "Running", o
assert o["hostAgentPID"] > 0 and o["driverPID"] > 0 and o["sshLocalPort"] > 0, o
' "$scratch/out"
succeeds 'list -q' "$cima" list -q
check '… prints the name alone' is "$out" life

fails 'delete of a running instance is refused' 1 "$cima" delete life
check '… and it still runs' has_status life Running
succeeds 'stop' "$cima" stop life
check 'it is stopped' has_status life Stopped
check 'no process is left' none_with "$CIMA_HOME/life/"
for f in qemu.pid qmp.sock ha.pid ha.sock ssh.sock; do
    check "$f is gone" absent "$CIMA_HOME/life/$f"
done
fails 'stop of a stopped instance fails' 1 "$cima" stop life
check '… with the status' says 'Stopped'
fails 'shell of a stopped instance fails' 1 "$cima" shell life true
check '… and says how to start it' says 'cima start life'

succeeds 'start again' "$cima" start life
# shellcheck disable=SC2016
succeeds 'the file is still there' "$cima" shell life sh -c 'cat "$HOME/note"; sudo cat /root/note'
check '… with its content' is "$out" "kept
root"
succeeds 'restart' "$cima" restart life
check 'it runs after the restart' has_status life Running
succeeds 'stop -f' "$cima" stop -f life
check 'it is stopped after stop -f' has_status life Stopped

# A larger disk and another number of CPUs, by edit; then a disk as on the first day.
size_and_cpus='cat /sys/class/block/vda/size /sys/devices/system/cpu/present'
succeeds 'edit' env EDITOR="sed -i 's/^disk:.*/disk: 2GiB/; s/^cpus:.*/cpus: 1/'" "$cima" edit life
succeeds 'start after edit' "$cima" start life
check '… the disk grows' says "Resize instance life's disk from 1GiB to 2GiB"
succeeds '… the guest sees it' "$cima" shell life sh -c "$size_and_cpus; cat \"\$HOME/note\""
check '… and has kept its files' is "$out" "$(printf '4194304\n0\nkept')"
succeeds 'factory-reset of a running one' "$cima" factory-reset life
succeeds 'start after it' "$cima" start life
succeeds '… with a fresh disk' "$cima" shell life sh -c "$size_and_cpus; cat \"\$HOME/note\" 2>/dev/null || echo none"
check '… of the size of the YAML' is "$out" "$(printf '4194304\n0\nnone')"
succeeds 'stop -f' "$cima" stop -f life
succeeds 'delete' "$cima" delete life
check 'the directory is gone' absent "$CIMA_HOME/life"
succeeds 'list of nothing' "$cima" list
check 'nothing is left in the home' is "$(find "$CIMA_HOME" -mindepth 1 -maxdepth 1 -type d ! -name _config)" ''

succeeds 'start of a file creates and starts' "$cima" start "$scratch/life.yaml"
check 'it runs too' has_status life Running
succeeds 'delete -f ends a running one' "$cima" delete -f life
check 'and leaves nothing' absent "$CIMA_HOME/life"
finish
