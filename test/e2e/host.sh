#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Where cima runs: without a terminal (F47), as root, in a bare container (F48); and guests that do
# not come up (F21, F22).
# shellcheck disable=SC2016,SC2317 # functions are called by name
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
need_guest
unset CI LIMA_INSTANCE LIMA_SHELL LIMA_WORKDIR
mini_yaml "$scratch/box.yaml" </dev/null

# bare VARIABLE=VALUE... COMMAND...: with next to no environment.
bare() { env -i PATH="$PATH" CIMA_LIBEXEC="$CIMA_LIBEXEC" "$@"; }
one_line_each() { python3 -c '
import json, sys
for line in open(sys.argv[1]):
    json.loads(line)' "$1"; }
count() { grep -c -- "$1" "$2" || :; }

# ---- F48: homes --------------------------------------------------------------------------------

fails 'F48 a home that can not be written to' 1 bare HOME=/proc "$cima" create "$scratch/box.yaml"
check '… is named' says '/proc/.cima'
check '… and what to do' says 'CIMA_HOME'
fails 'F48 a home that is no directory' 1 bare HOME=/dev/null "$cima" create "$scratch/box.yaml"
check '… is named' says '/dev/null/.cima'
succeeds 'F48 list without HOME' bare CIMA_HOME="$CIMA_HOME" "$cima" list
succeeds 'F48 list in an empty environment' bare CIMA_HOME="$CIMA_HOME" "$cima" list
succeeds 'F48 a runtime directory that is not there' bare CIMA_HOME="$CIMA_HOME" XDG_RUNTIME_DIR=/nonexistent "$cima" list
fails 'F48 a relative home is made absolute' 1 sh -c "cd / && env CIMA_HOME=proc '$cima' create '$scratch/box.yaml'"
check '… and named so' says '/proc'

# ---- F47 and F48: start with nothing of a session ------------------------------------------------

succeeds 'F47 F48 create in a bare environment, standard input closed' \
    sh -c "env -i PATH='$PATH' CIMA_HOME='$CIMA_HOME' CIMA_LIBEXEC='$CIMA_LIBEXEC' '$cima' create '$scratch/box.yaml' <&-"
# Without HOME, TERM, XDG_RUNTIME_DIR and a session, with both standard streams closed.
run sh -c "exec setsid env -i PATH='$PATH' CIMA_HOME='$CIMA_HOME' CIMA_LIBEXEC='$CIMA_LIBEXEC' CI=1 '$cima' --log-format json start box <&- >&-"
check 'F47 F48 start in a bare environment, JSON log, streams closed' [ "$code" -eq 0 ]
check 'F47 … every line is JSON' one_line_each "$scratch/err"
check 'F47 … and one says READY' says 'READY'
check 'F47 … without escape sequences' sh -c "! grep -q '$(printf '\033')' '$scratch/err'"
check 'F48 root is warned once, others never' is "$(count 'running as root' "$scratch/err")" "$([ "$(id -u)" -eq 0 ] && echo 1 || echo 0)"
check 'it runs' has_status box Running
succeeds 'F47 shell with standard input closed' sh -c "'$cima' shell box echo works <&-"
check '… has its output' is "$out" works
run sh -c "'$cima' shell box echo x >&-"
check 'F47 shell with standard output closed ends' [ "$code" -ne 139 ]
succeeds 'F47 a reader of list that goes away' sh -c "'$cima' list | head -c 1"
fails 'F47 --tty and --yes' 1 "$cima" --tty --yes start box
check '… say that they exclude each other' says 'cannot use both --tty and --yes flags at the same time'
# Standard error is a pipe that nobody reads any more.
python3 - "$cima" <<'PY'
import os, subprocess, sys
r, w = os.pipe()
os.close(r)
code = subprocess.run([sys.argv[1], "stop", "box"], stdin=subprocess.DEVNULL, stderr=w).returncode
sys.exit(0 if code == 0 else 1)
PY
check 'F47 stop with nobody behind standard error' is $? 0
check 'it is stopped' within 20 has_status box Stopped
succeeds 'delete' "$cima" delete box

# ---- F12, F20, F21, F22: a guest that never comes, stop while it starts -----------------------------

# A disk without anything on it: the firmware finds nothing to start.
truncate -s 64M "$scratch/empty.img"
cat >"$scratch/empty.yaml" <<YAML
images:
- location: $scratch/empty.img
cpus: 1
memory: 256MiB
disk: 64MiB
firmware: {legacyBIOS: true}
containerd: {system: false, user: false}
YAML
succeeds 'create with an empty disk' "$cima" create "$scratch/empty.yaml"
# On a busy host the first ones may give up before there is a machine.
gives_up_at() { # STAGE SECONDS NAME
    run "$cima" start --timeout "$2s" "$3"
    [ "$code" -eq 1 ] && says "$1"
}
check 'F21 F22 a guest without ssh: start gives up after its --timeout' within 60 gives_up_at "'vm running'" 12 empty
check '… says what it has waited for' says 'did not receive an event with the `running` status within 12 s'
check '… the stage' says "its last stage was 'vm running'"
check '… and what is missing' says 'now: the guest has'
check '… tells what to do' says '`cima start empty` waits again, `cima stop empty` ends it'
check 'F22 the machine is left for inspection' has_status empty Running
check 'F47 a log without a terminal has a line for each stage' is "$(count 'msg="booting, waiting for ssh"' "$scratch/err")" 1
"$cima" start empty >"$scratch/start.out" 2>"$scratch/start.err" &
start=$!
waits() { grep -q 'is starting already' "$scratch/start.err"; }
check 'F12 a second start waits with the first' within 20 waits
fails 'F12 a third is busy' 1 "$cima" start empty
check '… with the pid of the holder' says "$start"
succeeds 'F20 stop --timeout of a guest that hears no button' "$cima" stop --timeout 3s empty
check '… says that it used force' says 'did not shut down within 3 s: its machine is ended by force'
wait $start
check 'F12 the start that waited fails' is $? 1
check '… and says why' grep -q 'was stopped while it was starting\|exiting' "$scratch/start.err"
check 'nothing is left running' none_with "$CIMA_HOME/empty/"
check 'it is stopped' within 20 has_status empty Stopped

# ---- F08: an agent that does not respond ----------------------------------------------------------

mini_yaml "$scratch/mini.yaml" </dev/null
succeeds 'start' "$cima" start "$scratch/mini.yaml"
agent=$(cat "$CIMA_HOME/mini/ha.pid")
kill -STOP "$agent"
succeeds 'F08 shell works without its agent' "$cima" shell mini true
succeeds 'F08 stop of an instance whose agent is stopped' "$cima" stop mini
check '… replaces the agent' says 'does not respond; replacing it'
check '… shuts the guest down properly' sh -c "! grep -q 'by force' '$scratch/err'"
check 'nothing is left running' none_with "$CIMA_HOME/mini/"

# ---- F25: a provision script that hangs -----------------------------------------------------------

mini_yaml "$scratch/slow.yaml" </dev/null
cat >>"$scratch/slow.yaml" <<'YAML'
provision:
- script: |
    #!/bin/sh
    sleep 1000
YAML
"$cima" start "$scratch/slow.yaml" >"$scratch/start.out" 2>"$scratch/start.err" &
start=$!
tells_script() { grep -q "script 'provision.system/00000000' runs in the guest" "$CIMA_HOME/slow/ha.stdout.log" 2>/dev/null; }
check 'F25 the events name the script that runs' within 120 tells_script
kill -INT $start
wait $start
check 'Ctrl-C ends the waiting' is $? 1
check '… and the start goes on' grep -q 'interrupted: instance `slow` goes on starting in the background' "$scratch/start.err"
script="now: script 'provision.system/00000000' runs in the guest"
check 'F25 start gives up after its --timeout, and names the script' within 60 gives_up_at "$script" 2 slow
succeeds 'shell works meanwhile' "$cima" shell slow true
succeeds 'stop while it starts' "$cima" stop --timeout 60s slow
check 'nothing is left running' none_with "$CIMA_HOME/slow/"

# ---- F21: the port belongs to somebody else -------------------------------------------------------

python3 -c '
import socket, sys, time
s = socket.socket()
s.bind(("127.0.0.1", 0))
s.listen()
print(s.getsockname()[1], flush=True)
time.sleep(6000)' >"$scratch/port" &
listener=$!
there() { [ -s "$scratch/port" ]; }
within 20 there
port=$(cat "$scratch/port")
{ sed 's/^cpus:.*/cpus: 1/' "$scratch/empty.yaml"; echo "ssh: {localPort: $port}"; } >"$scratch/taken.yaml"
succeeds 'create with a fixed ssh port' "$cima" create "$scratch/taken.yaml"
fails 'F21 a port that another program has' 1 "$cima" start --timeout 10m taken
check '… is named' says "$port"
kill $listener
check '… and nothing runs' within 20 has_status taken Stopped
finish
