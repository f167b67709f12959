#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Faults, injected for real into processes and files; the machines are stubs, so that hundreds of
# rounds cost seconds. What needs a guest is in crash.sh.
# shellcheck disable=SC2016,SC2317 # backquotes are text; functions are called by name
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=stub.sh
. "$(dirname "$0")/stub.sh"
root=false
[ "$(id -u)" -ne 0 ] || root=true
home=$CIMA_HOME

# Nothing of an instance is left, visible or hidden.
nothing_in_home() { [ -z "$(find "$home" -mindepth 1 -maxdepth 1 ! -name '_config*')" ]; }
# Machines whose command line speaks of the instance.
machines_of() { pgrep -fc -- "^$scratch/qemu .*$home/$1/" || true; }
agents_of() { pgrep -fc -- "hostagent --pidfile $home/$1/" || true; }

stub_yaml "$scratch/a.yaml" </dev/null
succeeds 'create' "$cima" create "$scratch/a.yaml"
a=$home/a

# ---- F01: the agent is killed -----------------------------------------------------------------------
succeeds 'F01 start' "$cima" start a
agent=$(agent_pid a) driver=$(driver_pid a)
kill -9 "$agent"
within 10 gone "$agent"
check 'F01 the machine lives on' alive "$driver"
check 'F01 … list says so' is "$(status_of a) ($(condition_of a))" 'Broken (agent lost)'
succeeds 'F01 list, for people' "$cima" list
check 'F01 … with the reason' says 'qemu driver is running but host agent is not'
succeeds 'F01 shell takes it over' "$cima" shell a true
check 'F01 … and says so' says "its machine (pid $driver) is not: taking it over"
check 'F01 … the machine is the same' is "$(driver_pid a)" "$driver"
kill -9 "$(agent_pid a)"
succeeds 'F01 stop takes it over, and stops in order' "$cima" stop a
check 'F01 … and says so' says 'has shut down'
check 'F01 … the guest was asked' grep -q 'Sending QMP system_powerdown' "$a/ha.stderr.log"
check 'F01 … the machine is gone' gone "$driver"

# ---- F02: the machine is killed ---------------------------------------------------------------------
succeeds 'F02 start' "$cima" start a
agent=$(agent_pid a) driver=$(driver_pid a)
kill -9 "$driver"
check 'F02 the agent notices and ends' within 10 gone "$agent"
check 'F02 the end is an event with its reason' sh -c "tail -n 1 '$a/ha.stdout.log' | grep '\"exiting\":true' | grep -q 'killed by signal 9'"
check 'F02 list: stopped, crashed' is "$(status_of a) ($(condition_of a))" 'Stopped (crashed)'
succeeds 'F02 list, for people' "$cima" list
check 'F02 … with the signal' says 'killed by signal 9'
succeeds 'F02 start after it' "$cima" start a
check 'F02 … it is forgotten' is "$(status_of a) ($(condition_of a))" 'Running ()'

# ---- F03, F04, F05: everything is killed, the files lie ---------------------------------------------
kill_all() {
    agent=$(agent_pid a) driver=$(driver_pid a)
    kill -9 "$agent" "$driver"
    within 10 gone "$agent" && within 10 gone "$driver"
}
check 'F03 all is killed' kill_all
check 'F03 the files are still there' test -e "$a/ha.pid" -a -e "$a/qemu.pid" -a -e "$a/ha.sock" -a -e "$a/qmp.sock"
check 'F03 stopped' has_status a Stopped
succeeds 'F03 start succeeds' "$cima" start a
check 'F03 … and says that it cleaned up' says 'was not shut down properly; cleaned up its stale state'
check 'F03 one machine, one agent' is "$(machines_of a) $(agents_of a)" '1 1'

# foreign NAME COMMAND...: the stale files name a living process that is none of ours.
foreign() {
    who=$1
    shift
    rm -f "$scratch/signals"
    "$@" sh -c 'trap "echo HUP >>\"\$1\"" HUP; trap "echo INT >>\"\$1\"" INT; trap "echo TERM >>\"\$1\"" TERM
        : >"$1.ready"; while :; do sleep 0.2; done' sh "$scratch/signals" &
    bystander=$!
    within 10 test -e "$scratch/signals.ready"
    check "F04 all is killed ($who)" kill_all
    echo "$bystander" >"$a/ha.pid"
    echo "$bystander" >"$a/qemu.pid"
    check "F04 stopped, whoever has the pids ($who)" has_status a Stopped
    fails "F04 stop finds nothing ($who)" 1 "$cima" stop a
    check 'F04 … and says so' says 'expected status `Running`, got `Stopped`'
    succeeds "F04 stop -f is fine ($who)" "$cima" stop -f a
    echo "$bystander" >"$a/ha.pid"
    echo "$bystander" >"$a/qemu.pid"
    succeeds "F04 start succeeds ($who)" "$cima" start a
    check "F04 the bystander lives ($who)" alive "$bystander"
    check "F04 … and got no signal ($who)" absent "$scratch/signals"
    kill -9 "$bystander"
    rm -f "$scratch/signals.ready"
}
foreign 'own user' env
if $root && command -v setpriv >/dev/null; then
    chmod 711 "$scratch"
    : >"$scratch/signals.ready" && chmod 666 "$scratch/signals.ready" && rm "$scratch/signals.ready"
    mkdir -m 777 "$scratch/other"
    scratch_was=$scratch scratch=$scratch/other
    foreign 'another user' setpriv --reuid 65534 --regid 65534 --clear-groups
    scratch=$scratch_was
else
    printf 'skipped: F04 with the pid of another user needs root\n'
fi

# A host that was booted again: the same numbers may live, they mean nothing.
check 'F05 all is killed' kill_all
sleep 600 &
bystander=$!
start_time=$(sed 's/.*) //' "/proc/$bystander/stat" | cut -d ' ' -f 20)
other_boot="$bystander $start_time 00000000-0000-4000-8000-000000000000"
for f in ha.lock op.lock qemu.lock; do echo "$other_boot" >"$a/$f"; done
echo "$bystander" | tee "$a/ha.pid" >"$a/qemu.pid"
printf '{"iid":"iid-0","driver":"%s"}' "$other_boot" >"$a/cima-boot.json"
check 'F05 stopped' has_status a Stopped
succeeds 'F05 start succeeds' "$cima" start a
check 'F05 … and says that it cleaned up' says 'was not shut down properly; cleaned up its stale state'
check 'F05 the bystander lives' alive "$bystander"
kill "$bystander"
succeeds 'stop' "$cima" stop a

# ---- a machine that is being born when its agent is killed ------------------------------------------
qemu_mode slowpid
"$cima" start a >"$scratch/one" 2>&1 &
starter=$!
within 20 sh -c "pgrep -f '^$scratch/qemu .*$a/' >/dev/null"
kill -9 "$(pgrep -f "hostagent --pidfile $a/ha.pid")" "$starter" 2>/dev/null
wait "$starter" 2>/dev/null
check 'the machine has no lock on its pid file yet' absent "$a/qemu.pid"
succeeds 'start waits until it can be taken over' "$cima" start a
check '… one machine' is "$(machines_of a)" 1
check '… not a second one' says 'taking it over'
succeeds 'stop -f' "$cima" stop -f a
qemu_mode slowpid
"$cima" start a >"$scratch/one" 2>&1 &
starter=$!
within 20 sh -c "pgrep -f '^$scratch/qemu .*$a/' >/dev/null"
kill -9 "$(pgrep -f "hostagent --pidfile $a/ha.pid")" "$starter" 2>/dev/null
wait "$starter" 2>/dev/null
succeeds 'stop -f finds it too' "$cima" stop -f a
check '… nothing lives' is "$(machines_of a)" 0
qemu_mode run

# ---- F12: races -------------------------------------------------------------------------------------
# Whoever loses says that the instance is busy, or finds it done.
loser_is_polite() { [ "$1" -eq 0 ] || grep -qE 'is busy|is shutting it down|was stopped while it was starting|has ended|expected status|does not exist|was deleted|seems running|`Running`|is being created' "$2"; }
race() { # NAME COMMAND1 COMMAND2, each run at once
    rname=$1 rone=$2 rtwo=$3
    # shellcheck disable=SC2086 # words
    "$cima" $rone >"$scratch/one" 2>&1 &
    rpid=$!
    # shellcheck disable=SC2086
    "$cima" $rtwo >"$scratch/two" 2>&1
    two_code=$?
    wait "$rpid"
    one_code=$?
    if ! loser_is_polite "$one_code" "$scratch/one" || ! loser_is_polite "$two_code" "$scratch/two" ||
        [ "$(machines_of a)" -gt 1 ] || [ "$(agents_of a)" -gt 1 ]; then
        not_ok "$rname" "codes $one_code $two_code; machines $(machines_of a), agents $(agents_of a)" \
            "$(cat "$scratch/one")" "$(cat "$scratch/two")"
        return 1
    fi
}
round=0 good=true
while [ $round -lt 15 ] && $good; do
    round=$((round + 1))
    race 'F12 two starts at once' 'start a' 'start a' || good=false
    [ "$one_code" -eq 0 ] || [ "$two_code" -eq 0 ] || good=false
    [ "$(machines_of a)" -eq 1 ] || good=false
    "$cima" stop a >/dev/null 2>&1 || good=false
done
check 'F12 two starts at once, 15 times: one machine, nobody is told a lie' $good

round=0 good=true
while [ $round -lt 15 ] && $good; do
    round=$((round + 1))
    race 'F12 start and stop' 'start a' 'stop a' || good=false
    "$cima" stop -f a >/dev/null 2>&1 || good=false
    [ "$(machines_of a)" -eq 0 ] || good=false
done
check 'F12 start racing stop, 15 times' $good

round=0 good=true
while [ $round -lt 15 ] && $good; do
    round=$((round + 1))
    race 'F12 start and delete' 'start a' 'delete -f a' || good=false
    run "$cima" delete -f a
    [ "$code" -eq 0 ] && [ "$(machines_of a)" -eq 0 ] && within 10 nothing_in_home || good=false
    run "$cima" create "$scratch/a.yaml"
    [ "$code" -eq 0 ] || good=false
done
check 'F12 start racing delete -f, 15 times: the directory is whole or gone' $good
finish
