# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# For the end-to-end tests: a private home, real programs, and a count of what passed.
#   . "$(dirname "$0")/lib.sh"
# A test file calls `check NAME COMMAND...` (and friends) and ends with `finish`.

set -u
srcdir=${srcdir:-$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)}
srcdir=$(CDPATH='' cd -- "$srcdir" && pwd)
builddir=${builddir:-.}
builddir=$(CDPATH='' cd -- "$builddir" && pwd)
cima=$builddir/cima
PATH=$builddir:$PATH

passed=0 failed=0

# Socket paths are limited to 107 bytes: a short scratch directory, whatever TMPDIR says.
scratch=$(mktemp -d /tmp/cima-e2e.XXXXXX) || exit 99
export CIMA_HOME="$scratch/home"
export CIMA_LIBEXEC="$builddir"
export PATH

# What is tested is the same for whoever runs it, wherever: nothing of the environment comes along
# that changes what is done or said.
umask 022
unset LIMA_HOME LIMA_INSTANCE LIMA_SHELL LIMA_WORKDIR LIMA_TEMPLATES_PATH CIMA_QEMU_ACCEL CI EDITOR VISUAL SSH \
    TZ LANGUAGE LC_ALL LC_CTYPE LC_COLLATE LC_MESSAGES LC_MONETARY LC_NUMERIC LC_TIME
export LANG=C.UTF-8
# A proxy is for those who make the guests: what is tested talks to this machine alone.
outside() { "$@"; }
is_proxy='^\([A-Za-z]*_[Pp][Rr][Oo][Xx][Yy]\)='
if env | grep -q "$is_proxy"; then
    env | grep "$is_proxy" | sed "s/'/'\\\\''/g; s/$is_proxy\(.*\)/export \1='\2'/" >"$scratch/proxies"
    # shellcheck disable=SC2046 # names are words
    unset $(sed 's/^export \([A-Za-z_]*\)=.*/\1/' "$scratch/proxies")
    # shellcheck disable=SC1091 # written above
    outside() { (. "$scratch/proxies" && "$@"); }
fi

# Ends what a failed test left running; only processes of this scratch home. Another look finds what
# those had just begun.
cleanup() {
    for _ in 1 2 3 4 5; do
        left=$(pgrep -f "$scratch/" 2>/dev/null) || break
        for pid in $left; do
            kill -9 "$pid" 2>/dev/null
        done
        sleep 0.1
    done
    rm -rf "$scratch"
}
trap cleanup EXIT
trap 'exit 1' INT TERM

skip() {
    printf 'skipped: %s\n' "$*"
    exit 77
}

ok() {
    passed=$((passed + 1))
    printf 'ok   %s\n' "$1"
}

# What the guests and the agents have said last.
last_words() {
    at=${CIMA_HOME:-${LIMA_HOME:-$scratch/home}}
    for log in "$at"/*/serial*.log "$at"/*/ha.stderr.log; do
        [ ! -s "$log" ] || printf '     %s:\n%s\n' "${log#"$at"/}" "$(tail -n 12 "$log" | cut -c 1-300)"
    done
}

not_ok() {
    failed=$((failed + 1))
    printf 'FAIL %s\n' "$1"
    shift
    for line; do
        printf '     %s\n' "$line"
    done
    last_words
}

# run COMMAND...: keeps its standard output in $out, its standard error in $err, its code in $code.
run() {
    "$@" >"$scratch/out" 2>"$scratch/err" </dev/null
    code=$?
    out=$(cat "$scratch/out")
    err=$(cat "$scratch/err")
    return 0
}

# check NAME COMMAND...: the command (of the test itself: grep, [, a function) succeeds.
check() {
    name=$1
    shift
    if "$@"; then
        ok "$name"
    else
        not_ok "$name" "failed: $*" "last exit code ${code-}" "stdout: ${out-}" "stderr: ${err-}"
    fi
}

# succeeds NAME COMMAND... / fails NAME CODE COMMAND...: by exit code, output kept as `run` does.
succeeds() {
    name=$1
    shift
    run "$@"
    if [ "$code" -eq 0 ]; then
        ok "$name"
    else
        not_ok "$name" "exit code $code: $*" "stdout: $out" "stderr: $err"
    fi
}

fails() {
    name=$1 want=$2
    shift 2
    run "$@"
    if [ "$code" -eq "$want" ]; then
        ok "$name"
    else
        not_ok "$name" "exit code $code, not $want: $*" "stdout: $out" "stderr: $err"
    fi
}

# says TEXT / prints TEXT: the last command's standard error / output holds the text.
says() { printf '%s\n' "$err" | grep -qF -- "$1"; }
prints() { printf '%s\n' "$out" | grep -qF -- "$1"; }
is() { [ "$1" = "$2" ]; }
absent() { ! [ -e "$1" ]; }

# within SECONDS COMMAND...: waits until it succeeds. The limit is that of an idle machine; one with
# other work gets five times that, because a limit is there to end a test, not to measure.
within() {
    end=$(($(date +%s) + 5 * $1))
    shift
    until "$@"; do
        [ "$(date +%s)" -lt "$end" ] || return 1
        sleep 0.1
    done
}

# reboot_guest NAME: from inside. booted_again NAME: it has, and the shell works.
reboot_guest() {
    "$cima" shell --workdir / "$1" sudo -n sh -c 'touch /run/old-boot && reboot' >/dev/null 2>&1 </dev/null
}
booted_again() {
    timeout 60 "$cima" shell --workdir / "$1" sh -c '! test -e /run/old-boot' >/dev/null 2>&1 </dev/null
}

# Number of processes whose command line has the text. none_with TEXT: there is none, now or soon: a
# helper ends some moments after the command that has told it to.
processes_with() { pgrep -fc -- "$1"; }
no_process_with() { [ "$(processes_with "$1")" -eq 0 ]; }
none_with() { within 20 no_process_with "$1"; }
# ours PATTERN: those processes that have the scratch directory of this test in their environment.
ours() {
    for pid in $(pgrep -f -- "$1"); do
        ! grep -qsaF "$scratch/" "/proc/$pid/environ" || echo "$pid"
    done
}
none_of_ours() { [ -z "$(ours "$1")" ]; }

# A process that is no zombie (nobody may be there to reap an orphan).
alive() { [ "${1:-0}" -gt 0 ] && [ -e "/proc/$1" ] && ! grep -qs "^State:.*Z" "/proc/$1/status"; }
gone() { ! alive "$1"; }
# kill_hard PID...: by SIGKILL, and waits for the end: to die takes a processor, too. 0 stands for nobody,
# and not for our own process group.
kill_hard() {
    for pid; do
        [ "${pid:-0}" -le 0 ] || kill -9 "$pid" 2>/dev/null
    done
    for pid; do
        within 20 gone "$pid"
    done
}

# free_ports N FROM: the first of N ports in a row that nobody has, out of the 900 from FROM on. Each test
# has its own FROM, and all are below the ports that the system gives to connections.
free_ports() {
    python3 -c '
import random, socket, sys
n, start = int(sys.argv[1]), int(sys.argv[2])
while True:
    first = start + random.randrange(900 - n)
    sockets = [socket.socket() for _ in range(n)]
    try:
        for i, s in enumerate(sockets):
            s.bind(("127.0.0.1", first + i))
        print(first)
        break
    except OSError:
        pass
    finally:
        for s in sockets:
            s.close()' "$1" "$2"
}
status_of() { "$cima" list --format json "$1" 2>/dev/null | sed -n 's/.*"status":"\([A-Za-z]*\)".*/\1/p'; }
has_status() { [ "$(status_of "$1")" = "$2" ]; }

# answering ANSWER COMMAND...: runs it on a terminal of its own, types the answer at "[Y/n]", prints what
# it shows. The exit code is the command's.
answering() {
    python3 - "$@" <<'PY'
import os, pty, select, signal, sys, time
answer, command = sys.argv[1], sys.argv[2:]
pid, fd = pty.fork()
if pid == 0:
    os.environ["TERM"] = "xterm"
    os.execvp(command[0], command)
shown, typed, end = b"", False, time.monotonic() + 1800
while True:
    if time.monotonic() > end:
        os.kill(pid, signal.SIGKILL)
    if select.select([fd], [], [], 0.2)[0]:
        try:
            data = os.read(fd, 4096)
        except OSError:
            break
        if not data:
            break
        shown += data
    if answer and not typed and b"[Y/n]" in shown:
        os.write(fd, answer.encode() + b"\n")
        typed = True
sys.stdout.buffer.write(shown)
sys.stdout.flush()
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
PY
}

# The mini guest, made once and kept in the user's cache; its directory is $guest.
need_guest() {
    command -v qemu-system-x86_64 >/dev/null || skip 'qemu-system-x86_64 is not installed'
    guest=$builddir/guest/mini
    outside "$srcdir/test/guest/mini/build.sh" --out "$guest" >"$scratch/guest.log" 2>&1 || {
        cat "$scratch/guest.log"
        skip 'the mini guest could not be made (see above)'
    }
}

# mini_yaml FILE: an instance of the mini guest; what follows on standard input is appended. Emulated,
# one processor is there sooner than two, and takes less of the host.
mini_yaml() {
    {
        cat <<YAML
images:
- location: $guest/disk.qcow2
  kernel:
    location: $guest/vmlinux
    cmdline: >-
      console=ttyS0 quiet cryptomgr.notests
      initcall_blacklist=init_kprobe_trace,load_system_certificate_list,crypto_kdf108_init
  initrd: {location: $guest/initrd.img}
cpus: 1
memory: 512MiB
disk: 1GiB
firmware: {legacyBIOS: true}
containerd: {system: false, user: false}
YAML
        cat
    } >"$1"
}

finish() {
    printf '%d passed, %d failed\n' "$passed" "$failed"
    [ "$failed" -eq 0 ]
    exit
}
