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
# Machines whose command line speaks of the instance. Agents likewise; a child of one that has not yet
# become another program is none.
machines_of() { pgrep -fc -- "^$scratch/qemu .*$home/$1/" || true; }
agents() { pgrep -f -- "hostagent --pidfile $home/$1/"; }
agents_of() {
    all=$(agents "$1")
    for pid in $all; do
        parent=$(ps -o ppid= -p "$pid" | tr -d ' ')
        printf '%s\n' "$all" | grep -qx "${parent:-none}" || echo "$pid"
    done | grep -c .
}
one_of_each() { [ "$(machines_of "$1") $(agents_of "$1")" = '1 1' ]; }

stub_yaml "$scratch/a.yaml" </dev/null
succeeds 'create' "$cima" create "$scratch/a.yaml"
a=$home/a

# ---- F01: the agent is killed -----------------------------------------------------------------------
succeeds 'F01 start' "$cima" start a
agent=$(agent_pid a) driver=$(driver_pid a)
kill_hard "$agent"
check 'F01 the machine lives on' alive "$driver"
check 'F01 … list says so' is "$(status_of a) ($(condition_of a))" 'Broken (agent lost)'
succeeds 'F01 list, for people' "$cima" list
check 'F01 … with the reason' says 'qemu driver is running but host agent is not'
succeeds 'F01 shell takes it over' "$cima" shell a true
check 'F01 … and says so' says "its machine (pid $driver) is not: taking it over"
check 'F01 … the machine is the same' is "$(driver_pid a)" "$driver"
kill_hard "$(agent_pid a)"
succeeds 'F01 stop takes it over, and stops in order' "$cima" stop a
check 'F01 … and says so' says 'has shut down'
check 'F01 … the guest was asked' grep -q 'Sending QMP system_powerdown' "$a/ha.stderr.log"
check 'F01 … the machine is gone' gone "$driver"

# ---- F02: the machine is killed ---------------------------------------------------------------------
succeeds 'F02 start' "$cima" start a
agent=$(agent_pid a) driver=$(driver_pid a)
kill_hard "$driver"
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
    kill_hard "$agent" "$driver"
    gone "$agent" && gone "$driver"
}
check 'F03 all is killed' kill_all
check 'F03 the files are still there' test -e "$a/ha.pid" -a -e "$a/qemu.pid" -a -e "$a/ha.sock" -a -e "$a/qmp.sock"
check 'F03 stopped' within 20 has_status a Stopped
succeeds 'F03 start succeeds' "$cima" start a
check 'F03 … and says that it cleaned up' says 'was not shut down properly; cleaned up its stale state'
check 'F03 one machine, one agent' within 20 one_of_each a

# foreign NAME COMMAND...: the stale files name a living process that is none of ours.
foreign() {
    who=$1
    shift
    rm -f "$scratch/signals"
    "$@" sh -c 'trap "echo HUP >>\"\$1\"" HUP; trap "echo INT >>\"\$1\"" INT; trap "echo TERM >>\"\$1\"" TERM
        : >"$1.ready"; while :; do sleep 0.2; done' sh "$scratch/signals" &
    bystander=$!
    within 60 test -e "$scratch/signals.ready"
    check "F04 all is killed ($who)" kill_all
    echo "$bystander" >"$a/ha.pid"
    echo "$bystander" >"$a/qemu.pid"
    check "F04 stopped, whoever has the pids ($who)" within 20 has_status a Stopped
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
sleep 6000 &
bystander=$!
start_time=$(sed 's/.*) //' "/proc/$bystander/stat" | cut -d ' ' -f 20)
other_boot="$bystander $start_time 00000000-0000-4000-8000-000000000000"
for f in ha.lock op.lock qemu.lock; do echo "$other_boot" >"$a/$f"; done
echo "$bystander" | tee "$a/ha.pid" >"$a/qemu.pid"
printf '{"iid":"iid-0","driver":"%s"}' "$other_boot" >"$a/cima-boot.json"
check 'F05 stopped' within 20 has_status a Stopped
succeeds 'F05 start succeeds' "$cima" start a
check 'F05 … and says that it cleaned up' says 'was not shut down properly; cleaned up its stale state'
check 'F05 the bystander lives' alive "$bystander"
kill "$bystander"
succeeds 'stop' "$cima" stop a

# ---- a machine that is being born when its agent is killed ------------------------------------------
# The agent of a start is killed when its machine lives, and has no lock on its pid file yet.
begun() { pgrep -f "^$scratch/qemu .*$a/" >/dev/null; }
kill_at_birth() {
    rm -f "$scratch/qemu.go"
    qemu_mode slowpid
    "$cima" start a >"$scratch/one" 2>&1 &
    starter=$!
    within 60 begun || return 1
    # shellcheck disable=SC2046 # pids are words
    kill_hard $(agents a) "$starter"
    wait "$starter" 2>/dev/null
    absent "$a/qemu.pid"
}
check 'the machine has no lock on its pid file yet' kill_at_birth
takes_lock_soon() { (sleep 0.3 && : >"$scratch/qemu.go") & }
takes_lock_soon
succeeds 'start waits until it can be taken over' "$cima" start a
check '… one machine' is "$(machines_of a)" 1
check '… not a second one' says 'taking it over'
succeeds 'stop -f' "$cima" stop -f a
check 'the same once more' kill_at_birth
takes_lock_soon
succeeds 'stop -f finds it too' "$cima" stop -f a
check '… nothing lives' is "$(machines_of a)" 0
qemu_mode run

# ---- F12: races -------------------------------------------------------------------------------------
# Whoever loses says that the instance is busy, or finds it done.
loser_is_polite() { [ "$1" -eq 0 ] || grep -qE 'is busy|is shutting it down|was stopped while it was starting|has ended|expected status|does not exist|was deleted|seems running|`Running`|is being created' "$2"; }
# One that has lost may take a moment to go.
at_most_one_agent() { [ "$(agents_of a)" -le 1 ]; }
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
        [ "$(machines_of a)" -gt 1 ] || ! within 20 at_most_one_agent; then
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
    { [ "$code" -eq 0 ] && [ "$(machines_of a)" -eq 0 ] && within 10 nothing_in_home; } || good=false
    run "$cima" create "$scratch/a.yaml"
    [ "$code" -eq 0 ] || good=false
done
check 'F12 start racing delete -f, 15 times: the directory is whole or gone' $good

# ---- F11: create and delete are killed --------------------------------------------------------------
# A number from 0 to $1 - 1.
random() { echo $(($(od -An -N2 -tu2 /dev/urandom) % $1)); }
doze() { sleep "0.0$(printf %02d "$(random "$1")")"; } # up to $1 milliseconds
hidden() { find "$home" -mindepth 1 -maxdepth 1 -name '.*'; }

round=0 good=true
"$cima" delete -f a >/dev/null 2>&1
while [ $round -lt 25 ] && $good; do
    round=$((round + 1))
    rm -rf "$scratch/cache/cima/images" # so that the copy of the image may be hit too
    "$cima" create "$scratch/a.yaml" >/dev/null 2>&1 &
    victim=$!
    doze 40
    kill -9 $victim 2>/dev/null
    wait $victim 2>/dev/null
    run "$cima" list
    [ "$code" -eq 0 ] || good=false
    # Killed in time: not there. Else it is whole.
    if [ -e "$a" ]; then
        run "$cima" delete a
    else
        run "$cima" create "$scratch/a.yaml"
        { [ "$code" -eq 0 ] && [ -z "$(hidden)" ]; } || good=false
        run "$cima" delete a
    fi
    [ "$code" -eq 0 ] || good=false
done
check 'F11 create killed 25 times: all or nothing, the next one sweeps' $good
check 'F11 … nothing is left in the home' nothing_in_home
check 'F11 … nor in the cache' is "$(find "$scratch/cache" -name '*tmp*' -o -name '*.part*')" ''

round=0 good=true
while [ $round -lt 25 ] && $good; do
    round=$((round + 1))
    "$cima" create "$scratch/a.yaml" >/dev/null 2>&1 || good=false
    "$cima" delete a >/dev/null 2>&1 &
    victim=$!
    doze 12
    kill -9 $victim 2>/dev/null
    wait $victim 2>/dev/null
    run "$cima" list
    [ "$code" -eq 0 ] || good=false
    # Gone, or all of it there.
    if [ -e "$a" ]; then
        run "$cima" start a
        [ "$code" -eq 0 ] || good=false
        run "$cima" delete -f a
        [ "$code" -eq 0 ] || good=false
    fi
done
check 'F11 delete killed 25 times: gone or whole' $good
succeeds 'F11 … create sweeps what is left' "$cima" create "$scratch/a.yaml"
check 'F11 … nothing hidden is left' is "$(hidden)" ''

# Ctrl-C is polite: what was begun is taken away at once.
cat >"$scratch/qemu-slow" <<'SH'
#!/bin/sh
n=0
until [ -e "$0.go" ] || [ $n -gt 600 ]; do n=$((n + 1)) && sleep 0.2; done
exec "$0.real" "$@"
SH
chmod +x "$scratch/qemu-slow"
ln -s "$builddir/qemu-stub" "$scratch/qemu-slow.real"
printf run >"$scratch/qemu-slow.real.mode"
stub_yaml "$scratch/c.yaml" </dev/null
QEMU_SYSTEM_X86_64=$scratch/qemu-slow python3 - "$cima" "$scratch/c.yaml" "$home" <<'PY'
import glob, os, signal, subprocess, sys, time
cima, yaml, home = sys.argv[1:]
p = subprocess.Popen([cima, "create", yaml], stderr=subprocess.PIPE, start_new_session=True)
for _ in range(10000):
    if glob.glob(home + "/.c.new-*"):
        break
    time.sleep(0.01)
else:
    sys.exit("the draft was not seen")
os.killpg(p.pid, signal.SIGINT)  # as a terminal does
code = p.wait(timeout=300)
open(os.environ["QEMU_SYSTEM_X86_64"] + ".go", "w").close()
err = p.stderr.read().decode()
if code == 0 or glob.glob(home + "/.c.*") or os.path.exists(home + "/c"):
    sys.exit("code %d, left: %s, %s" % (code, os.listdir(home), err))
PY
check 'F11 Ctrl-C in create: nothing is left, at once' is $? 0

# ---- F13: no KVM ------------------------------------------------------------------------------------
unset CIMA_QEMU_ACCEL
if [ -w /dev/kvm ] && grep -qE '^flags.* (vmx|svm)( |$)' /proc/cpuinfo; then
    printf 'skipped: F13 without KVM: this host has it\n'
else
    succeeds 'F13 without KVM: start' "$cima" start a
    check 'F13 … says why, and what that means' sh -c "grep -q 'TCG: .*expect a slow machine' '$scratch/err'"
    check 'F13 … once' is "$(grep -c 'TCG: ' "$scratch/err")" 1
    check 'F13 … by TCG' sh -c "tr '\\0' '\\n' <'/proc/$(driver_pid a)/cmdline' | grep -q '^tcg,'"
    succeeds 'stop' "$cima" stop a
    fails 'F13 KVM is asked for, and not there' 1 env CIMA_QEMU_ACCEL=kvm "$cima" start a
    check 'F13 … says why' says '`CIMA_QEMU_ACCEL` asks for KVM: '
    check 'F13 … and what to do' says "take it out, or say 'tcg' (much slower)"
    check 'F13 … nothing was started' within 20 has_status a Stopped
fi
# As another machine: a CPU that can, and a device that can't.
if $root && unshare -m true 2>/dev/null; then
    sed 's/^flags\(.*\): /flags\1: vmx /' /proc/cpuinfo >"$scratch/cpuinfo"
    in_other_world() { # COMMAND...: with its own /dev and /proc/cpuinfo
        unshare -m sh -c '
            mount --bind "$1/cpuinfo" /proc/cpuinfo && mkdir -p "$1/dev" && mount -t tmpfs none "$1/dev" || exit 90
            for n in null zero full tty urandom random; do : >"$1/dev/$n" && mount --bind "/dev/$n" "$1/dev/$n" || exit 91; done
            [ "$2" = missing ] || { : >"$1/dev/kvm" && mount --bind "$2" "$1/dev/kvm" || exit 92; }
            mount --rbind "$1/dev" /dev || exit 93
            shift 2
            exec "$@"' sh "$scratch" "$@"
    }
    succeeds 'F13 /dev/kvm is missing' in_other_world missing "$cima" start a
    check 'F13 … named, with what to look at' says 'TCG: /dev/kvm does not exist (is the kvm module loaded?)'
    succeeds 'stop' "$cima" stop a
    succeeds 'F13 /dev/kvm is another device' in_other_world /dev/null "$cima" start a
    check 'F13 … named' says 'TCG: /dev/kvm is no KVM device'
    succeeds 'stop' "$cima" stop a
else
    printf 'skipped: F13 in a mount namespace needs root\n'
fi
export CIMA_QEMU_ACCEL=tcg

# ---- F14, F15: QEMU is not what it should be --------------------------------------------------------
no_qemu() { # NAME FILE TEXT
    fails "F14 $1" 1 env QEMU_SYSTEM_X86_64="$2" "$cima" start a
    check "F14 … says: $3" says "$3"
    check 'F14 … with the next step' says 'hint: '
    check 'F14 … nothing was started' within 20 has_status a Stopped
}
echo 'not a program' >"$scratch/text"
printf '\177ELF\002\001\001\000\000\000\000\000\000\000\000\000\002\000\267\000%044d' 0 >"$scratch/aarch64"
cp "$scratch/text" "$scratch/no-x"
printf '#!/bin/sh\necho "QEMU emulator version garbage"\necho "oops" >&2\nexit 3\n' >"$scratch/script"
chmod +x "$scratch/text" "$scratch/aarch64" "$scratch/script"
no_qemu 'QEMU is missing' "$scratch/nowhere" "the QEMU binary '$scratch/nowhere' was not found"
no_qemu 'QEMU is not executable' "$scratch/no-x" "the QEMU binary '$scratch/no-x' can't be executed"
no_qemu 'QEMU is a text' "$scratch/text" 'exec format error'
no_qemu 'QEMU is for another architecture' "$scratch/aarch64" 'it is no program for this machine'
fails 'F14 QEMU is another program' 1 env QEMU_SYSTEM_X86_64="$scratch/script" "$cima" start a
check 'F14 … says what that said' says oops

qemu_mode reject
begun=$(date +%s)
fails 'F15 QEMU refuses an option' 1 "$cima" start a
check 'F15 … what it says is shown' says '-sandbox: invalid option'
check 'F15 … with the next step' says 'is it the right version'
check 'F15 … soon, and not after the patience of a start' [ $(($(date +%s) - begun)) -lt 300 ]
check 'F15 … stopped' within 20 has_status a Stopped
qemu_mode die
fails 'F15 QEMU ends after its greeting' 1 "$cima" start a
check 'F15 … its last words are shown' says 'something dreadful'
qemu_mode run
succeeds 'F15 the right one starts' "$cima" start a

# ---- win 2: whatever is killed whenever, start works ------------------------------------------------
rounds=${CIMA_KILL_ROUNDS:-30}
round=0 good=true why=
while [ $round -lt "$rounds" ] && $good; do
    round=$((round + 1))
    "$cima" stop -f a >/dev/null 2>&1 || { good=false why='stop -f'; }
    "$cima" start a >"$scratch/one" 2>&1 &
    starter=$!
    # In the middle of the start, or after it.
    if [ "$(random 2)" -eq 0 ]; then doze 99; else wait $starter; fi
    case $(random 3) in
        0) what="hostagent --pidfile $a/ha.pid" ;;
        1) what="^$scratch/qemu .*$a/" ;;
        2) what="hostagent --pidfile $a/ha.pid|^$scratch/qemu .*$a/" ;;
    esac
    # shellcheck disable=SC2046 # pids are words
    kill_hard $(pgrep -f "$what")
    wait $starter 2>/dev/null
    run "$cima" start a
    { [ "$code" -eq 0 ] && [ "$(machines_of a)" -eq 1 ]; } || { good=false why="start: $err"; }
done
check "win 2: killed at $rounds moments, start works" $good
$good || printf '     round %s: %s\n' "$round" "$why"
succeeds 'delete -f' "$cima" delete -f a
check 'nothing is left' nothing_in_home
check '… no process' none_with "$home/"
finish
