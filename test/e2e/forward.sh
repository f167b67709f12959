#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Static forwards and mounts through the ssh master: made, used, lost and made again
# (HA-27, HA-50, HA-52, HA-70, F24, F29, F43, F45, S11, S18).
# shellcheck disable=SC2016,SC2317 # the guest's shell expands them; functions are called by name
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
command -v curl >/dev/null || skip 'curl is not installed'
command -v python3 >/dev/null || skip 'python3 is not installed'
need_guest

one=$(free_ports 1 20000)
range=$(free_ports 3 21000)
busy=$(free_ports 1 22000)
last=$((range + 2))
mkdir -p "$scratch/rw" "$scratch/ro" "$scratch/it's a \$(touch x) dir" "$scratch/s"
echo from-host >"$scratch/rw/file"
echo read-only >"$scratch/ro/file"
echo odd >"$scratch/it's a \$(touch x) dir/file"
: >"$scratch/s/regular"
mini_yaml "$scratch/fwd.yaml" <<YAML
mountType: reverse-sshfs
mounts:
- {location: $scratch/rw, mountPoint: /mnt/rw, writable: true}
- {location: $scratch/ro, mountPoint: /mnt/ro}
- {location: "$scratch/it's a \$(touch x) dir", mountPoint: "/mnt/it's a \$(touch x) dir"}
- {location: $scratch/made, mountPoint: /mnt/rw/inner, writable: true, sshfs: {cache: false, sftpDriver: builtin}}
portForwards:
- {guestPort: 8081, hostPort: $one, static: true}
- {guestPort: 8083, ignore: true}
- {guestPortRange: [8081, 8083], hostPortRange: [$range, $last]}
- {guestPort: 8084, hostSocket: $scratch/s/web.sock}
- {guestPort: 8085, hostPort: $busy}
- {guestPort: 8086, hostSocket: $scratch/s/regular}
- {guestPort: 8081, hostPort: 8081}
ssh: {forwardAgent: true}
copyToHost:
- {guest: /etc/hostname-of-nobody, host: $scratch/copy/none, skipIfMissing: true}
- {guest: /proc/sys/kernel/hostname, host: $scratch/copy/hostname, deleteOnStop: true}
- {guest: /etc/shadow, host: $scratch/copy/shadow}
YAML
dir=$CIMA_HOME/fwd

agent_pid() { "$cima" list --format json fwd 2>/dev/null | sed -n 's/.*"hostAgentPID":\([0-9]*\).*/\1/p'; }
fetched() { curl -s -m 30 "$@" 2>/dev/null; }
answers() { [ "$(fetched "$2")" = "$1" ]; }
answers_on_socket() { [ "$(fetched --unix-socket "$2" http://guest/)" = "$1" ]; }
refuses() { ! curl -s -m 30 -o /dev/null "http://127.0.0.1:$1/"; }
in_guest() { "$cima" shell --workdir / fwd "$@" 2>/dev/null </dev/null; }
guest_reads() { [ "$(in_guest cat "$2")" = "$1" ]; }
log_says() { grep -qF -- "$1" "$dir/ha.stderr.log"; }
event_says() { grep -F '"portForward"' "$dir/ha.stdout.log" | grep -qF -- "$1"; }
serve() {
    in_guest sh -c 'for p in 8081 8082 8083 8084 8085; do
        mkdir -p /tmp/www$p && echo port $p >/tmp/www$p/index.html || exit 1
        busybox httpd -p $p -h /tmp/www$p 2>/dev/null || : # runs already
    done'
}

python3 -m http.server --bind 127.0.0.1 --directory "$scratch/ro" "$busy" >/dev/null 2>&1 &
squatter=$!
within 10 fetched -o /dev/null "http://127.0.0.1:$busy/"
# An agent of the test, to be linked in the guest. (Rules with a guestSocket are not tested here: the
# dropbear of the mini guest does not forward to sockets.)
eval "$(ssh-agent -s -a "$scratch/agent.sock")" >/dev/null
succeeds 'start' "$cima" start "$scratch/fwd.yaml"
check 'the guest serves' within 20 serve

check 'HA-50 a rule without effect is told' says 'field `portForwards[6]`: earlier rules decide about its ports'
check 'HA-32 a file of the guest is on the host' is "$(cat "$scratch/copy/hostname" 2>&1)" lima-fwd
check 'HA-32 … for us alone' is "$(stat -c %a "$scratch/copy/hostname")" 600
check 'HA-32 … also one of root' grep -q '^root:' "$scratch/copy/shadow"
check 'HA-32 … and none that is missing' absent "$scratch/copy/none"

check 'HA-27 a static rule: the port answers' within 20 answers 'port 8081' "http://127.0.0.1:$one/"
check 'HA-50 a range behind rules that match first: the rest of it' within 20 answers 'port 8082' "http://127.0.0.1:$((range + 1))/"
check 'HA-50 … not what an ignore rule forbids' refuses "$last"
check 'HA-52 a socket of the host' within 20 answers_on_socket 'port 8084' "$scratch/s/web.sock"
check 'HA-52 … is private' is "$(stat -c %a "$scratch/s/web.sock")" 600
agent_linked() { in_guest test -S /run/host-services/ssh-auth.sock; }
check 'HA-24 the agent of the host is linked in the guest' within 20 agent_linked
# Lines of /proc/net/tcp: number, local address, remote address, state (0A: it listens).
listens() { awk -v p="$(printf ':%04X' "$1")" '$4 == "0A" && substr($2, length($2) - 4) == p { print $2 }' /proc/net/tcp /proc/net/tcp6; }
check 'S07 only loopback addresses listen' is "$(listens "$one")" "$(printf '0100007F:%04X' "$one")"
check 'HA-51 the log tells' within 20 log_says "Forwarding TCP from 127.0.0.1:8081 to 127.0.0.1:$one"
check 'HA-14 an event tells' within 20 event_says '"type":"forwarding"'
check 'F29 a busy port is told' within 20 log_says "portForwards[4]: failed to listen tcp: 127.0.0.1:$busy: another program listens on 127.0.0.1:$busy"
check 'F29 … by an event, too' within 20 event_says '"type":"failed"'
check 'S18 a file in the way of a socket stays' test -f "$scratch/s/regular"
check 'S18 … and is named' within 20 log_says "'$scratch/s/regular' exists and is no socket"
kill_hard "$squatter"
check 'F29 forwarded when the port is free' within 60 answers 'port 8085' "http://127.0.0.1:$busy/"

check 'HA-70 a mount is there when the start is over' guest_reads from-host /mnt/rw/file
in_guest sh -c 'echo from-guest >/mnt/rw/new && mkdir /mnt/rw/d && mv /mnt/rw/new /mnt/rw/d/'
check 'HA-70 … the guest writes' is "$(cat "$scratch/rw/d/new" 2>&1)" from-guest
check 'HA-70 a read-only one is read' guest_reads read-only /mnt/ro/file
run in_guest sh -c 'echo x >/mnt/ro/file'
check 'HA-70 … and not written' is "$code$(cat "$scratch/ro/file")" "1read-only"
check 'S11 quotes, blanks and dollars in paths' guest_reads odd "/mnt/it's a \$(touch x) dir/file"
check 'F45 a missing directory is made' test -d "$scratch/made"
in_guest sh -c 'echo inner >/mnt/rw/inner/file'
check 'HA-70 a mount in a mount' is "$(cat "$scratch/made/file" 2>&1)" inner
check 'HA-70 root of the guest sees it, too' is "$(in_guest sudo -n cat /mnt/rw/file)" from-host
check 'the instance is not degraded' sh -c "! grep -q '\"degraded\":true' '$dir/ha.stdout.log'"

# F24: the ssh master is killed.
# shellcheck disable=SC2046 # pids are words
kill_hard $(pgrep -f "ControlMaster=yes.*ControlPath=\"$dir/ssh.sock\"")
lost=$(date +%s)
check 'F24 the forward is back' within 30 answers 'port 8081' "http://127.0.0.1:$one/"
check 'F24 … the socket' within 30 answers_on_socket 'port 8084' "$scratch/s/web.sock"
check 'F24 … the mount' within 30 guest_reads from-host /mnt/rw/file
check 'F24 … the mount in it' within 30 guest_reads inner /mnt/rw/inner/file

check 'F24 … the agent' within 30 agent_linked
printf '     all back after %d s\n' $(($(date +%s) - lost))

check 'F24 … the other mounts' within 30 guest_reads read-only /mnt/ro/file
check 'F24 … that of an odd name' within 30 guest_reads odd "/mnt/it's a \$(touch x) dir/file"
# Nothing polls while all is up: the agent starts nothing, once it has done its work.
children() { pgrep -P "$(agent_pid)" | sort | tr '\n' ' '; }
stays() {
    before=$(children)
    sleep 3
    is "$(children)" "$before"
}
check 'the jobs of the agent stay as they are' within 20 stays

# F01: the agent is killed while a session uses the old master.
"$cima" shell --workdir / fwd sleep 300 </dev/null >/dev/null 2>&1 &
session=$!
sleeps() { in_guest sh -c 'ps | grep -q "[s]leep 300"'; }
check 'a session lasts' within 20 sleeps
kill_hard "$(agent_pid)"
succeeds 'F01 the next command re-adopts' "$cima" start fwd
check 'F24 a new agent: the forward is back' within 30 answers 'port 8081' "http://127.0.0.1:$one/"
check 'F24 … the socket' within 30 answers_on_socket 'port 8084' "$scratch/s/web.sock"
check 'F24 … the mount' within 30 guest_reads from-host /mnt/rw/file
check 'F24 … without a complaint' sh -c "! grep -q '127.0.0.1:$one: another program' '$dir/ha.stderr.log'"
kill "$session" 2>/dev/null
ssh-agent -k >/dev/null

# The guest boots again.
reboot_guest fwd
check 'a reboot: the shell works again' within 120 booted_again fwd
check 'a reboot: the mount is back' within 60 guest_reads from-host /mnt/rw/file
check 'a reboot: the guest serves' within 20 serve
check 'a reboot: the forward is back' within 60 answers 'port 8081' "http://127.0.0.1:$one/"

succeeds 'stop' "$cima" stop fwd
check 'HA-70 stop unmounts' log_says "Unmounting \\\"$scratch/rw"
check 'HA-51 stop ends the forwards' log_says "Stopping forwarding TCP from 127.0.0.1:8081 to 127.0.0.1:$one"
check 'HA-32 deleteOnStop removes the copy' absent "$scratch/copy/hostname"
check 'HA-32 … and no other' test -f "$scratch/copy/shadow"
check 'the port is free' within 20 refuses "$one"
check 'the socket is gone' within 20 absent "$scratch/s/web.sock"
check 'no process is left' none_with "$dir/"
check 'no sftp-server is left' within 20 none_of_ours 'sftp-server -e'
succeeds 'delete' "$cima" delete fwd

# F43: 9p is the default, and the guest's kernel has none.
mini_yaml "$scratch/ninep.yaml" <<YAML
mounts:
- {location: $scratch/rw, mountPoint: /mnt/rw, writable: true}
YAML
succeeds 'F43 start with 9p and a kernel without' "$cima" start "$scratch/ninep.yaml"
check 'F43 reverse-sshfs takes its place' is "$("$cima" shell --workdir / ninep cat /mnt/rw/file 2>/dev/null)" from-host
check 'F43 … announced' grep -q "The guest's kernel has no 9p: $scratch/rw is mounted on /mnt/rw by reverse-sshfs instead" "$CIMA_HOME/ninep/ha.stderr.log"
check 'F43 … and nobody is alarmed' sh -c "! grep -q '\"degraded\":true' '$CIMA_HOME/ninep/ha.stdout.log'"
succeeds 'F43 stop' "$cima" stop ninep
finish
