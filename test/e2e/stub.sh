# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# shellcheck disable=SC2154 # variables of lib.sh
# Machines that cost nothing: the stubs of QEMU and ssh in place of the real programs. Everything
# else (cima, its host agent, locks, files, qemu-img) is real. Sourced after lib.sh.

command -v qemu-img >/dev/null || skip 'qemu-img is not installed'
[ -x "$builddir/qemu-stub" ] || skip "$builddir/qemu-stub is not built (make qemu-stub)"

mkdir -p "$scratch/ssh/guest/run" "$scratch/ssh/guest/mnt"
echo any-boot >"$scratch/ssh/mode"
echo any | tee "$scratch/ssh/guest/run/lima-ssh-ready" >"$scratch/ssh/guest/run/lima-boot-done"
ln -s "$builddir/qemu-stub" "$scratch/qemu"
: >"$scratch/qemu.ssh"
export QEMU_SYSTEM_X86_64="$scratch/qemu" SSH="$srcdir/test/fake/ssh-stub"
export SSH_STUB_DIR="$scratch/ssh" XDG_CACHE_HOME="$scratch/cache" CIMA_QEMU_ACCEL=tcg

# How the next machines behave: see test/fake/qemu-stub.c.
qemu_mode() { printf '%s' "$1" >"$scratch/qemu.mode"; }
qemu_mode run

# stub_yaml FILE: an instance for the stubs; what follows on standard input is appended.
stub_yaml() {
    [ -e "$scratch/stub.img" ] || truncate -s 8M "$scratch/stub.img"
    cat >"$1" - <<YAML
images:
- location: $scratch/stub.img
arch: x86_64
cpus: 1
memory: 128MiB
disk: 16MiB
mounts: []
user: {name: lima, uid: 1000}
firmware: {legacyBIOS: true}
containerd: {system: false, user: false}
YAML
}

# Process ids of an instance, 0 when there is none.
field_of() {
    "$cima" list --format json "$1" 2>/dev/null | sed -n "s/.*\"$2\":\\([0-9]*\\).*/\\1/p" | grep . || echo 0
}
agent_pid() { field_of "$1" hostAgentPID; }
driver_pid() { field_of "$1" driverPID; }
condition_of() { "$cima" list --format json "$1" 2>/dev/null | sed -n 's/.*"condition":"\([^"]*\)".*/\1/p'; }
