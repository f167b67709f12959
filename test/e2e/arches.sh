#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A machine of each architecture, planned and started as any other, comes to its first process. S1-30,
# SD-01, SD-09 to SD-11, SD-13 to SD-15, SD-22, SD-31: kernel, console, firmware and disks are where
# the guest looks for them.
#   arches.sh [ARCH[:uefi]...]
# x86_64 and armv7l can do without UEFI, and are tried in both ways.
# shellcheck disable=SC2317 # functions that `check` calls
. "$(dirname "$0")/lib.sh"
command -v busybox >/dev/null || skip 'busybox is not installed; ./bootstrap deps does it'
guests=$builddir/guest/arches
outside "$srcdir/test/guest/arches/build.sh" --out "$guests" >"$scratch/guest.log" 2>&1
case $? in
    0) ;;
    3) tail -n 3 "$scratch/guest.log" ;;
    *)
        cat "$scratch/guest.log"
        skip 'the guests could not be made (see above)'
        ;;
esac

# console ARCH: where a kernel of this architecture finds the first serial port.
console() {
    case $1 in
        x86_64 | riscv64) echo ttyS0 ;;
        aarch64 | armv7l) echo ttyAMA0 ;;
        ppc64le) echo hvc0 ;;
        s390x) echo ttysclp0 ;;
    esac
}

# machine_yaml ARCH FIRMWARE. The kernel's tests of its own ciphers take seconds here.
machine_yaml() {
    case $1:$2 in
        x86_64:|armv7l:) legacy=true ;;
        *) legacy=false ;;
    esac
    cat <<YAML
arch: $1
firmware: {legacyBIOS: $legacy}
images:
- location: $scratch/disk.qcow2
  arch: $1
  kernel: {location: $guests/$1/kernel, cmdline: "console=$(console "$1") quiet cryptomgr.notests"}
  initrd: {location: $guests/$1/initrd.img}
cpus: 1
memory: 512MiB
disk: 64MiB
plain: true
mounts: []
containerd: {system: false, user: false}
YAML
}

# qemu_of ARCH: as Debian calls it.
qemu_of() {
    case $1 in
        armv7l) echo qemu-system-arm ;;
        ppc64le) echo qemu-system-ppc64 ;;
        *) echo "qemu-system-$1" ;;
    esac
}

home_of() { echo "$CIMA_HOME/arch-$1"; }
said() { grep -qs 'first process: .* after .* s' "$(home_of "$1")/serial.log"; }
over() { said "$1" || ! kill -0 "$starter" 2>/dev/null; }

# seconds ARCH: from the start of QEMU (its log of the serial port is made then) to the last line of
# the guest, which is the one of its first process; and QEMU's processor time, which a busy machine
# changes less.
seconds() {
    pid=$(cat "$(home_of "$1")/qemu.pid")
    ticks=$(cut -d ')' -f 2 "/proc/$pid/stat" | cut -d ' ' -f 21)
    read -r up _ </proc/uptime
    now=$(date +%s.%N)
    last=$(stat -c %.Y "$(home_of "$1")/serial.log")
    busy=$(cut -d ')' -f 2 "/proc/$pid/stat" | cut -d ' ' -f 13,14 | tr ' ' +)
    hz=$(getconf CLK_TCK)
    awk "BEGIN { printf \"%.1f s (%.1f s of a processor)\", $last - ($now - $up + $ticks / $hz), ($busy) / $hz }"
}

# boot ARCH FIRMWARE: the whole way; `cima start` waits for an SSH server that this guest does not have, and is
# left alone with that once the first process has spoken.
boot() {
    machine_yaml "$1" "$2" >"$scratch/arch-$1.yaml"
    "$cima" start --timeout 60m "$scratch/arch-$1.yaml" >"$scratch/$1.log" 2>&1 </dev/null &
    starter=$!
    within 300 over "$1"
    took=
    if said "$1"; then
        took=$(seconds "$1")
        cp "$(home_of "$1")/ha.stderr.log" "$scratch/$1.agent"
        grep -h 'first process: \|^disks: ' "$(home_of "$1")/serial.log" >"$scratch/$1.said"
    fi
    "$cima" stop -f "arch-$1" >/dev/null 2>&1
    wait "$starter"
    if [ -n "$took" ]; then
        printf '     %s: first process after %s\n' "$1${2:+ ($2)}" "$took"
    else
        tail -n 8 "$scratch/$1.log" "$(home_of "$1")/serial.log"
    fi
    "$cima" delete -f "arch-$1" >/dev/null 2>&1
    [ -n "$took" ]
}

hinted() { grep -q 'Starting QEMU (hint: to watch the boot progress, see .*serial\*\.log' "$scratch/$1.agent"; }
says_machine() { grep -q "first process: $2" "$scratch/$1.said"; }

qemu-img create -q -f qcow2 "$scratch/disk.qcow2" 16M
mkdir -p "$CIMA_HOME"
missing=
[ $# -gt 0 ] || set -- x86_64 x86_64:uefi aarch64 armv7l armv7l:uefi ppc64le s390x riscv64
for machine; do
    arch=${machine%:*} firmware=
    [ "$arch" = "$machine" ] || firmware=${machine#*:}
    if ! [ -e "$guests/$arch/initrd.img" ]; then
        printf '     %s: not tried, its kernel could not be had\n' "$arch"
        missing=1
        continue
    fi
    command -v "$(qemu_of "$arch")" >/dev/null || skip "$(qemu_of "$arch") is not installed; ./bootstrap deps does it"
    check "SD-11: $arch${firmware:+ ($firmware)} comes to its first process" boot "$arch" "$firmware"
    check "S1-39: its log says where to watch that" hinted "$arch"
    check "SD-31: and says so on its first serial port" says_machine "$arch" "$arch"
done
[ -z "$missing" ] || [ "$failed" -gt 0 ] || [ "$passed" -gt 0 ] || skip 'no kernel could be had'
finish
