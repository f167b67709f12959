#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What lets a person see and handle a running machine: snapshots (SD-70 to SD-74, S1-58), screenshot,
# console, qmp.
# shellcheck disable=SC2016,SC2317 # the guest's shell expands them; functions are called by name
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
command -v python3 >/dev/null || skip 'python3 is not installed'
need_guest
cd "$scratch" || exit 99
tools=$srcdir/test/e2e/tools.py

mini_yaml one.yaml <<'YAML'
video: {display: vnc}
YAML
dir=$CIMA_HOME/one
guest_file() { "$cima" shell one sh -c 'cat ~/state' 2>/dev/null; }
set_state() { "$cima" shell one sh -c "echo $1 >~/state && sync"; }
# The link to the guest is made anew after it has gone back.
has_state() { [ "$(guest_file)" = "$1" ]; }
lines() { printf '%s\n' "$out" | wc -l; }
no_pictures() { ! ls "$dir"/screenshot-* >/dev/null 2>&1; }
agent_pid() { "$cima" list --format json one 2>/dev/null | sed -n 's/.*"hostAgentPID":\([0-9]*\).*/\1/p'; }
agent_knows() { grep -q "$1" "$dir/ha.stderr.log"; }

# ---- of a stopped one ---------------------------------------------------------------------------------
succeeds 'create' "$cima" create one.yaml
succeeds 'SD-73, S1-58: no snapshots' "$cima" snapshot list one
check '… a head alone' is "$(lines)" 1
check '… warns' says '`cima snapshot` is experimental'
fails 'SD-70: expected tag' 1 "$cima" snapshot create one
check '… says so' says 'expected tag'
fails 'SD-70: an empty tag' 1 "$cima" snapshot create one --tag ''
check '… says so' says 'expected tag'
for tag in -x 12 ' x' "$(printf 'a\033b')" "$(printf 'a\nb')" "$(printf '\377')"; do
    fails "SD-70: a bad tag '$(printf %s "$tag" | tr -d '\000-\037\377')'" 1 "$cima" snapshot create one "--tag=$tag"
    check '… says so' says "can't be the tag of a snapshot"
done
succeeds 'SD-70, S1-58: create while stopped' "$cima" snapshot create one --tag cold
fails 'SD-70: the same again' 1 "$cima" snapshot save one --tag cold
check '… says so' says "instance \`one\` has a snapshot 'cold' already"
succeeds 'SD-73: list while stopped' "$cima" snapshot ls -q one
check '… the tag' is "$out" cold
fails 'SD-71: no such tag' 1 "$cima" snapshot apply one --tag warm
check '… says which there are' says "instance \`one\` has no snapshot 'warm'"
check '… as a hint' says "it has 'cold'"
fails 'snapshot of no instance' 1 "$cima" snapshot list none
check '… says so' says 'does not exist'
fails 'S1-58: snapshots while another command works on it' 1 flock "$dir/op.lock" "$cima" snapshot create one --tag x

# A disk that can't have any is named.
cp "$dir/cima.json" cima.json
mv "$dir/disk" disk.kept
qemu-img create -q -f raw "$dir/disk" 16M
sed 's/"diskFormat": *"qcow2"/"diskFormat":"raw"/' cima.json >"$dir/cima.json"
fails 'SD-70: a raw disk' 1 "$cima" snapshot create one --tag raw
check '… is named' says "its disk '$dir/disk' has the format raw"
check '… with a next step' says 'qemu-img convert'
mv disk.kept "$dir/disk"
cp cima.json "$dir/cima.json"

for c in 'qmp one query-status' 'screenshot one' 'console one'; do
    # shellcheck disable=SC2086 # words
    fails "$c: stopped" 1 "$cima" $c
    check '… says so' says 'instance `one` is not running'
    check '… with the next step' says 'cima start one'
done
fails 'console --log: never started' 1 "$cima" console --log one
check '… says so' says 'has no log of its serial console'

# ---- of a running one ---------------------------------------------------------------------------------
succeeds 'start' "$cima" start one
set_state first
succeeds 'SD-70, S1-58: create while running' "$cima" snapshot create one --tag 'before "it"'
check '… the machine runs on' has_state first
set_state second
check '… and changes' has_state second
succeeds 'SD-73: list while running' "$cima" snapshot list one
check '… both' is "$(lines)" 3
check '… in columns' prints 'ID    TAG'
succeeds 'SD-73: list as JSON' "$cima" snapshot list --format json one
check '… the one of the running machine has its memory' sh -c 'printf "%s\n" "$1" | python3 -c "
import json, sys
a = [json.loads(l) for l in sys.stdin]
assert [s[\"tag\"] for s in a] == [\"cold\", \"before \\\"it\\\"\"], a
assert a[0][\"vmStateSize\"] == 0 and a[1][\"vmStateSize\"] > 10000000, a
assert not a[1][\"missingOnDisks\"], a"' - "$out"
fails 'SD-70: a tag that is there' 1 "$cima" snapshot create one --tag cold
check '… is refused' says "has a snapshot 'cold' already"
fails 'SD-71: no such tag while running' 1 "$cima" snapshot apply one --tag warm
check '… says which there are' says "it has 'cold', 'before"
fails 'SD-71: a snapshot without memory while running' 1 "$cima" snapshot apply one --tag cold
check '… says what to do' says '`cima stop one` first'
check '… and nothing has happened' has_state second
succeeds 'SD-71, S1-58: apply while running' "$cima" snapshot apply one --tag 'before "it"'
check '… the file is as it was' within 60 has_state first
check '… the agent noticed' within 20 agent_knows 'gone back to a snapshot'
check '… and lives' has_status one Running

# A machine that has lost its agent: the monitor is asked directly.
kill_hard "$(agent_pid)"
check 'SD-73: without an agent' within 10 "$cima" snapshot list -q one
asked_directly() { run "$cima" qmp one query-status && [ "$code" -eq 0 ]; }
check 'qmp: without an agent' within 10 asked_directly
check '… answers' prints '"running": true'
check 'qmp: while another program is connected' python3 "$tools" held "$cima" one "$dir/qmp.sock"
succeeds 'the agent is replaced' "$cima" start one

# ---- qmp ----------------------------------------------------------------------------------------------
succeeds 'qmp' "$cima" qmp one query-status
check '… JSON' sh -c 'printf "%s\n" "$1" | python3 -c "import json, sys; assert json.load(sys.stdin)[\"running\"] is True"' - "$out"
succeeds 'qmp: arguments' "$cima" qmp one qom-list '{"path": "/machine"}'
check '… a list' prints '"name": "peripheral"'
echo '{"path": "/machine"}' >args.json
check 'qmp: arguments from standard input' sh -c '"$1" qmp one qom-list - <args.json | grep -q peripheral' - "$cima"
fails 'qmp: no such command' 1 "$cima" qmp one query-nothing
check '… in the words of QEMU' says 'The command query-nothing has not been found'
fails 'qmp: an empty command' 1 "$cima" qmp one ''
check '… says so' says 'the COMMAND is empty'
fails 'qmp: bad arguments' 1 "$cima" qmp one qom-list '{"path": "/nowhere"}'
check '… in the words of QEMU' says 'nowhere'
fails 'qmp: bad JSON' 1 "$cima" qmp one qom-list '{"path": }'
check '… with its place' says 'line 1, column 10'
fails 'qmp: JSON that is no object' 1 "$cima" qmp one qom-list '[1]'
check '… says so' says 'not an object'
fails 'qmp: the handshake is ours' 1 "$cima" qmp one qmp_capabilities
check '… says so' says 'belongs to the connection of the host agent'
succeeds 'qmp --hmp' "$cima" qmp --hmp one info status
check '… text' prints 'VM status: running'
fails 'qmp --hmp: no such command' 1 "$cima" qmp --hmp one nonsense
check '… in the words of QEMU' says "unknown command: 'nonsense'"
fails 'qmp: no such instance' 1 "$cima" qmp none query-status
check '… says so' says 'instance `none` does not exist'
# Somebody who stops waiting leaves nothing behind.
run timeout 2 "$cima" qmp one query-status --timeout 1s
succeeds 'qmp: stop is passed on' "$cima" qmp one stop
check '… and seen' within 10 agent_knows 'The machine is paused'
succeeds 'qmp: cont' "$cima" qmp one cont

# ---- screenshot ---------------------------------------------------------------------------------------
succeeds 'screenshot' "$cima" screenshot one -o shot.png
check '… tells the name' is "$out" shot.png
check '… is a PNG' python3 "$tools" png shot.png
check 'screenshot: nothing is left in the instance' no_pictures
fails 'screenshot: a file that exists' 1 "$cima" screenshot one -o shot.png
check '… says so' says "the file 'shot.png' exists"
succeeds 'screenshot --force' "$cima" screenshot one -o shot.png --force
succeeds 'screenshot: BMP' "$cima" screenshot one -o shot.bmp
check '… is one' python3 "$tools" bmp shot.bmp shot.png
fails 'screenshot: another ending' 1 "$cima" screenshot one -o shot.gif
check '… says which' says '.png or .bmp'
succeeds 'screenshot: a name of its own' "$cima" screenshot one
check '… with the instance and the time' sh -c 'test -s "$1" && expr "$1" : "one-[0-9]*-[0-9]*.png\$" >/dev/null' - "$out"
check 'screenshot: standard output' sh -c '"$1" screenshot one -o - >out.png && python3 "$2" png out.png' - "$cima" "$tools"
check 'HA-15: over ha.sock' python3 "$tools" rest "$dir/ha.sock"

# ---- console ------------------------------------------------------------------------------------------
check 'console: a session on a terminal' python3 "$tools" console "$cima" one
check 'console: another key' python3 "$tools" key "$cima" one
check 'console: busy, and a signal restores the terminal' python3 "$tools" busy "$cima" one "$dir/serial.sock"
succeeds 'console --log' "$cima" console --log one
check '… what the guest said' prints 'sshd started'
fails 'console: no such port' 1 "$cima" console --port pci one
check '… says so' says 'has no pci console'
fails 'console: no key' 1 "$cima" console --escape q one
check '… says which there are' says 'ctrl-a to ctrl-z'
fails 'console: --follow alone' 1 "$cima" console -f one
check '… needs --log' says 'only works with --log'
check 'console: the end of the machine' python3 "$tools" end "$cima" one
check '… which was seen' within 10 has_status one Stopped

# ---- stopped again ------------------------------------------------------------------------------------
check 'console --log: stopped' sh -c '"$1" console --log one | grep -q "sshd started"' - "$cima"
succeeds 'SD-73: the list is the same when stopped' "$cima" snapshot list -q one
check '… both' is "$(printf '%s' "$out" | tr '\n' '|')" 'cold|before "it"'
succeeds 'start' "$cima" start one
set_state third
succeeds 'stop' "$cima" stop one
succeeds 'SD-71: apply while stopped' "$cima" snapshot load one --tag 'before "it"'
check '… says that only disks go back' says 'Only the disks go back'
succeeds 'SD-72: delete while stopped' "$cima" snapshot delete one --tag cold
succeeds 'SD-70: create while stopped' "$cima" snapshot create one --tag stopped
sed -i 's/^video:.*/mountType: 9p/' "$dir/lima.yaml"
printf 'mounts: [{location: %s, mountPoint: /mnt/scratch}]\n' "$scratch" >>"$dir/lima.yaml"
succeeds 'start' "$cima" start one
check '… the disk is as it was' has_state first
fails 'screenshot: no screen' 1 "$cima" screenshot one
check '… says so' says 'the machine has no screen'
check '… with the next step' says 'video.display'
check '… leaves no file' sh -c '! ls one-*.png.tmp screenshot* >/dev/null 2>&1'

# The kernel of the mini guest has no 9p: the share is there, nobody has mounted it.
succeeds 'SD-70: create beside a share that nobody has mounted' "$cima" snapshot create one --tag share
succeeds 'SD-72: delete while running' "$cima" snapshot del one --tag share
succeeds 'SD-72: one that was taken while stopped' "$cima" snapshot del one --tag stopped
fails 'SD-72: the same again' 1 "$cima" snapshot del one --tag stopped
check '… says so' says "has no snapshot 'stopped'"
succeeds 'SD-73: list' "$cima" snapshot list -q one
check '… one is left' is "$out" 'before "it"'
succeeds 'delete' "$cima" delete -f one
finish
