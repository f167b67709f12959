#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# `cima run` on a terminal of its own: a boot sector that greets and waits for a key, and the mini
# guest's kernel with an initramfs that gives a shell and serves a web page.
# shellcheck disable=SC2016,SC2317 # the guest's shell expands them; functions are called by name
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
command -v python3 >/dev/null || skip 'python3 is not installed'
command -v qemu-img >/dev/null || skip 'qemu-img is not installed'
need_guest
export XDG_CACHE_HOME="$scratch/cache"
unset LINUXKIT_QEMU_ACCEL
cd "$scratch" || exit 99

# tty SECONDS [EXPECTED SENT]... -- COMMAND...: runs it on a terminal, sends a text whenever an
# expected one (a regular expression) has been shown (with ! in front: runs it), prints all that was
# shown. The exit code is the command's; 124 when it did not end in time; 125 when the terminal is not
# as it was.
cat >terminal.py <<'PY'
import os, pty, re, select, signal, sys, termios, time
limit, words = 5 * float(sys.argv[1]), sys.argv[2:]
at = words.index("--")
steps, command = list(zip(words[0:at:2], words[1:at:2])), words[at + 1:]
os.environ["TERM"] = "dumb"
master, slave = pty.openpty()
before = termios.tcgetattr(slave)
pid = os.fork()
if pid == 0:
    os.setsid()
    os.close(master)
    for fd in range(3):
        os.dup2(slave, fd)
    import fcntl
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    os.execvp(command[0], command)
shown, seen, end, status = b"", 0, time.monotonic() + limit, None
while status is None or select.select([master], [], [], 0)[0]:
    if time.monotonic() > end:
        os.kill(pid, signal.SIGKILL)
        print("no end; waiting for", steps[:1])
        break
    if select.select([master], [], [], 0.1)[0]:
        shown += os.read(master, 65536)
    if steps and (m := re.search(steps[0][0].encode(), shown[seen:], re.S)):
        seen += m.end()
        text = steps.pop(0)[1]
        if text.startswith("!"):
            os.environ["COMMAND_PID"] = str(pid)
            os.system(text[1:])
        else:
            os.write(master, text.encode().decode("unicode_escape").encode("latin-1"))
    if status is None:
        done, s = os.waitpid(pid, os.WNOHANG)
        status = s if done else None
sys.stdout.buffer.write(shown)
sys.stdout.flush()
if status is None:
    sys.exit(124)
if steps:
    print("never shown:", steps[0][0])
    sys.exit(126)
if termios.tcgetattr(slave)[:4] != before[:4]:
    sys.exit(125)
sys.exit(os.waitstatus_to_exitcode(status) & 255)
PY
tty() { python3 "$scratch/terminal.py" "$@"; }

# Prints, waits for a key, prints it, switches the machine off.
python3 - <<'PY'
code = bytes.fromhex("fa31c08ed8fcbe2b7cac84c07406baf803eeebf5bafd03eca80174f8baf803eceeba0406b80020eff4ebfd")
sector = code + b"\r\nthe disk boots\r\npress a key: \0"
open("disk.raw", "wb").write(sector.ljust(510, b"\0") + b"\x55\xaa" + bytes(1 << 20))
PY
qemu-img convert -O qcow2 disk.raw disk.qcow2

# The mini guest's kernel, its modules, and an init of our own: the later file of a name counts.
mkdir -p cpio
cat >cpio/init <<'SH'
#!/bin/busybox sh
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sysfs /sys
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox mkdir -p /www
while read -r module; do
    [ "$module" = -- ] || /bin/busybox insmod $module 2>/dev/null
done </modules
cd /
exec 0</dev/ttyS0 1>/dev/ttyS0 2>&1
/bin/busybox ip link set lo up
if [ -e /sys/class/net/eth0 ]; then
    /bin/busybox ip link set eth0 up
    /bin/busybox ip addr add 10.0.2.15/24 dev eth0
    echo page-of-the-guest >/www/page
    /bin/busybox httpd -h /www -p 80
fi
echo guest-is-up
export PATH=/bin PS1='guest# '
exec /bin/busybox setsid /bin/busybox cttyhack /bin/busybox sh
SH
chmod 755 cpio/init
(cd cpio && echo init | busybox cpio -o -H newc 2>/dev/null) >init.cpio
ln -s "$guest/vmlinuz" lk-kernel
cat "$guest/initrd.img" init.cpio >lk-initrd.img
# Of two processors the guest starts one (see lifecycle.sh).
printf 'console=ttyS0 quiet loglevel=1 maxcpus=1\n' >lk-cmdline
off='busybox poweroff -f\r'

# ---- what is refused, and in what words -----------------------------------------------------------

fails 'S0-01: no image' 1 "$cima" run
check '… says how many' says 'received 0'
fails 'S0-01: two images' 1 "$cima" run disk.raw disk.qcow2
check '… says how many' says 'received 2'
fails 'S0-23: an image that is not there' 1 "$cima" run gone.img
check '… is named' says 'Boot disk image gone.img does not exist'
check '… with what an image is' says 'IMAGE-kernel'
fails 'S0-43: an architecture without a QEMU' 1 "$cima" run --arch vax disk.raw
check '… names the program' says 'Unable to find qemu-system-vax within the $PATH'
fails 'S0-43: no QEMU at all' 1 env PATH=/nowhere "$cima" run disk.raw
check '… names the program' says 'Unable to find qemu-system-'
fails 'S0-36: an unknown network' 1 "$cima" run --networking wormhole disk.raw
check '… is named' says 'Invalid networking mode: wormhole'
fails 'S0-70, S0-79: a bad port stops it' 1 "$cima" run --publish 8080 disk.raw
check '… with the form' says 'should be in format <host>:<guest>'
fails 'S0-80: a bad disk' 1 "$cima" run --disk bus=scsi disk.raw
check '… names the key' says 'Unknown disk config: bus'
fails 'S0-42: a missing disk without a size' 1 "$cima" run --disk nope.img disk.raw
check '… is named' says 'Error creating disk [nope.img]'
fails 'S0-L4: --data with --data-file' 1 "$cima" run --data a --data-file b disk.raw
check '… is refused' says 'cannot specify both -data and -data-file'
fails 'S0-44: a --qemu that is not there' 1 "$cima" run --qemu ./no-qemu disk.raw
check '… is named' says 'Unable to find ./no-qemu'
fails 'S0-48: QEMU refuses' 1 "$cima" run --device no-such-device disk.raw
check '… in its own words' says "'no-such-device' is not a valid device model name"
check '… and the status is told' says 'exited with status 1'
check '… with a hint' says 'hint: install the missing part of QEMU'
fails 'S0-25: QEMU refuses after a disk was made for it' 1 \
    "$cima" run --disk made.img,size=16M --device no-such-device disk.raw
check '… which is taken away' absent made.img
cat >writes <<'SH'
#!/bin/sh
echo data >>made.img
exit 3
SH
chmod 755 writes
fails 'S0-25: something was written into it' 1 "$cima" run --qemu ./writes --disk made.img,size=16M disk.raw
check '… it stays' test -s made.img
rm -f made.img
cat >deaf <<'SH'
#!/bin/sh
[ "$1 $2" != '-M none' ] || exit 1 # asked what it can do
trap 'echo "it does not listen" >&2' TERM
echo "it stays" >&2
while :; do sleep 1; done
SH
chmod 755 deaf
"$cima" run --qemu ./deaf disk.raw >out 2>deaf.err </dev/null &
running=$!
check 'S0-47: what QEMU says is shown at once' within 20 grep -qs 'it stays' deaf.err
kill -TERM $running
check '… a signal is passed on' within 20 grep -qs 'it does not listen' deaf.err
check '… one that does not listen goes on' alive $running
kill -TERM $running
wait $running
check '… but not after the second signal' is $? 1
check '… and that is told' grep -q 'ended by signal 15' deaf.err
fails 'S0-46: the same with --debug' 1 "$cima" --debug run --device no-such-device disk.raw
check '… shows the command line' says ' -smp 1 -m 1024 -uuid '
check 'nothing is left of all this' absent disk.raw-state

succeeds 'S0-02…14: the help has the flags' "$cima" run --help
for flag in gui disk data accel arch cpus mem qemu detached networking publish usb device state \
    uefi fw iso kernel squashfs data-file virtiofs virtiofsd; do
    check "… --$flag" prints "--$flag"
done

# ---- disks ----------------------------------------------------------------------------------------

for image in disk.raw disk.qcow2; do
    succeeds "S0-47, S0-48: $image boots on the terminal, a key reaches it, its end is ours" \
        tty 120 'press a key: ' k -- "$cima" run $image
    check '… it was shown' prints 'the disk boots'
done

succeeds 'S0-25, S0-38, S0-L4: disks are made; a CD with metadata' \
    tty 120 'press a key: ' '\x01c' '\(qemu\) ' 'info block\n' 'data\.iso.*\(qemu\) ' '\x01c' \
    '' k -- "$cima" run --disk size=1G --disk size=3M,format=raw --data 'the=data' disk.qcow2
check '… qcow2' prints 'disk.img (qcow2)'
check '… raw' prints 'disk1.img (raw)'
check '… the CD, read only' prints 'disk.qcow2-state/data.iso (raw, read-only)'
check '… of the right size' is "$(stat -c %s disk1.img)" 3145728
check '… S0-L4: with the text in it' grep -aq 'the=data' disk.qcow2-state/data.iso
succeeds 'S0-41: they are used again' tty 120 'press a key: ' k -- "$cima" run --disk size=9G disk.raw
check '… as it says' prints 'Using existing disk [disk.img] format qcow2'

# Exit code 1 is that of the command; 125 would be the terminal's.
fails 'S0-48: QEMU is killed: the terminal is as it was' 1 \
    tty 120 'press a key: ' '!kill -KILL $(cat killed/qemu.pid)' -- "$cima" run --state killed disk.raw
check '… and it is told' prints 'killed by signal 9'
fails 'S0-48: asked to end it ends QEMU' 1 \
    tty 120 'press a key: ' '!kill -TERM $COMMAND_PID' -- "$cima" run --state asked disk.raw
check '… which says so' prints 'terminating on signal 15'
check '… and has cleaned up' absent asked/qemu.pid

# ---- a kernel -------------------------------------------------------------------------------------

port=$(free_ports 1 23000)
cat >fetch.py <<'PY'
import sys, time, urllib.request
end = time.monotonic() + 300
while time.monotonic() < end:
    try:
        print(urllib.request.urlopen("http://127.0.0.1:%s/page" % sys.argv[1], timeout=10).read().decode())
        break
    except OSError:
        time.sleep(0.3)
PY
succeeds 'S0-L2, S0-47: a kernel boots, a shell answers, it switches itself off' \
    tty 240 'guest# ' 'echo sum-$((40 + 2))\r' 'sum-42.*guest# ' \
    "!python3 fetch.py $port >page.txt" '' 'cat /proc/cmdline /sys/class/dmi/id/product_uuid\r' \
    'guest# ' "$off" -- "$cima" run --mem 256 --cpus 2 --state st --publish "$port:80" lk
check '… S0-L2: with its command line' prints 'console=ttyS0 quiet loglevel=1'
check '… S0-15: and a UUID' sh -c "grep -Eq '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}' '$scratch/out'"
check 'S0-71: a published port reaches the guest' grep -q page-of-the-guest page.txt
check 'S0-L3: the state directory is private' is "$(stat -c %a st)" 700
mac=$(cat st/mac-addr)
succeeds 'S0-L3, S0-73: the second run has the same address' \
    tty 240 'guest# ' 'cat /sys/class/net/eth0/address\r' 'guest# ' "$off" -- \
    "$cima" run --mem 256 --state st lk
check '… in the guest' prints "$mac"
check '… and in the file' is "$(cat st/mac-addr)" "$mac"

# ---- in the background ----------------------------------------------------------------------------

succeeds 'S0-10, S0-37: --detached detaches' "$cima" run --detached --mem 256 lk
pid=$out
check '… QEMU lives' alive "$pid"
check '… in a session of its own' is "$(ps -o sid= -p "$pid" | tr -d ' ')" "$pid"
check '… its pid is kept' is "$(cat lk-state/qemu.pid)" "$pid"
check '… and how to end it is said' says "kill $pid"
booted() { grep -q guest-is-up lk-state/console.log; }
check '… its console has a log' within 120 booted
check '… which nobody else can read' is "$(stat -c %a lk-state/console.log)" 600
fails 'S0-L3: a second one on the same state' 1 "$cima" run --state lk-state lk
check '… is told who has it' says "in use by another QEMU (pid $pid)"
kill "$pid"
check '… it ends when it is told to' within 60 gone "$pid"
fails 'S0-37: one that can not start says so at once' 1 \
    "$cima" run --detached --device no-such-device --state bad lk
check '… in QEMU'\''s words' says "'no-such-device' is not a valid device model name"

# ---- a shared directory ---------------------------------------------------------------------------

for virtiofsd in virtiofsd /usr/libexec/virtiofsd /usr/lib/qemu/virtiofsd; do
    command -v "$virtiofsd" >/dev/null && break
done
if command -v "$virtiofsd" >/dev/null && [ "$(id -u)" -eq 0 ]; then
    mkdir share
    succeeds 'S0-L5: a shared directory' tty 120 'press a key: ' '\x01c' '\(qemu\) ' \
        'info chardev\n' 'char0.*\(qemu\) ' '\x01c' '' k -- \
        "$cima" run --mem 256 --virtiofs share disk.raw
    check '… its daemon is gone' within 20 none_of_ours 'socket-path=disk.raw-state/virtiofs0'
    check '… and its socket' within 20 absent disk.raw-state/virtiofs0
else
    echo 'note: no virtiofsd that can be started here; S0-L5 is left to the unit tests'
fi
finish
