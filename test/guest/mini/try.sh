#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Boots the mini guest without cima: a seed made by hand, plain QEMU. For work on the guest and the
# boot scripts.
#   try.sh DIR [COMMAND...]    keeps disk, key and logs in DIR (a second run is a second boot);
#                              prints the time to READY, runs COMMAND in the guest, shuts down
# Files of DIR/provision.MODE/ go onto the seed, lines of DIR/lima.env to the end of its lima.env.
# QEMU_EXTRA has more arguments for QEMU, CMDLINE another kernel command line.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
scripts=$here/../../../src/cidata/scripts
[ $# -ge 1 ] || {
    sed -n 's/^#   //p' "$0" >&2
    exit 2
}
mkdir -p "$1"
dir=$(cd "$1" && pwd)
shift
guest=$("$here/build.sh")

[ -e "$dir/key" ] || ssh-keygen -t ed25519 -q -N '' -C try -f "$dir/key"
[ -e "$dir/disk" ] || qemu-img create -q -f qcow2 -F qcow2 -b "$guest/disk.qcow2" "$dir/disk" "${DISK:-1G}"

seed=$dir/seed
rm -rf "$seed"
mkdir "$seed"
cp -R "$scripts/." "$seed/"
for mode in boot data dependency system user yq; do
    [ ! -d "$dir/provision.$mode" ] || cp -R "$dir/provision.$mode" "$seed/"
done
iid=iid-$(date +%s)
printf 'instance-id: try\nlocal-hostname: lima-try\n' >"$seed/meta-data"
cat >"$seed/lima.env" <<EOF
LIMA_CIDATA_IID=$iid
LIMA_CIDATA_NAME=try
LIMA_CIDATA_USER=lima
LIMA_CIDATA_UID=1000
LIMA_CIDATA_HOME=/home/lima.guest
LIMA_CIDATA_SHELL=/bin/bash
LIMA_CIDATA_MOUNTS=0
LIMA_CIDATA_DISKS=0
LIMA_CIDATA_SLIRP_GATEWAY=192.168.5.2
EOF
[ ! -e "$dir/lima.env" ] || cat "$dir/lima.env" >>"$seed/lima.env"
echo 'PARAM_WORD=hello world' >"$seed/param.env"
echo 'TRY_ENV=a b' >"$seed/etc_environment"
indent() { sed 's/^./    &/' "$1"; }
{
    cat <<EOF
#cloud-config
users:
  - name: "lima"
    uid: "1000"
    gecos: "Lima \"Try\" User"
    homedir: "/home/lima.guest"
    shell: /bin/bash
    sudo: ALL=(ALL) NOPASSWD:ALL
    lock_passwd: true
    ssh_authorized_keys:
      - "$(cat "$dir/key.pub")"
write_files:
- content: |
$(indent "$seed/lima.boot.sh")
  owner: root:root
  path: /var/lib/cloud/scripts/per-boot/00-lima.boot.sh
  permissions: '0755'
EOF
    if [ -d "$seed/provision.boot" ]; then
        echo 'bootcmd:'
        echo '- |'
        indent "$seed/lima.bootcmd.sh"
    fi
} >"$seed/user-data"
xorriso -as mkisofs -quiet -V cidata -J -R -o "$dir/cidata.iso" "$seed" 2>/dev/null

port=$((20000 + $$ % 20000))
rm -f "$dir/mon.in" "$dir/mon.out"
mkfifo "$dir/mon.in" "$dir/mon.out"
start=$(date +%s%N)
elapsed() { awk -v a="$start" -v b="$(date +%s%N)" 'BEGIN { printf "%.2f s", (b - a) / 1e9 }'; }
# shellcheck disable=SC2086 # words
qemu-system-x86_64 -accel tcg,thread=multi,tb-size=512 -machine q35,vmport=off -cpu max \
    -smp "${SMP:-2}" -m 512 -nodefaults -display none \
    -kernel "$guest/vmlinuz" -initrd "$guest/initrd.img" \
    -append "${CMDLINE:-console=ttyS0 quiet}" \
    -drive "file=$dir/disk,if=virtio,format=qcow2" \
    -drive "id=cdrom0,if=none,format=raw,readonly=on,file=$dir/cidata.iso" \
    -device virtio-scsi,id=scsi0 -device scsi-cd,bus=scsi0.0,drive=cdrom0 \
    -netdev "user,id=net0,net=192.168.5.0/24,dhcpstart=192.168.5.15,hostfwd=tcp:127.0.0.1:$port-:22" \
    -device virtio-net-pci,netdev=net0 -device virtio-rng-pci \
    -serial "file:$dir/serial.log" -chardev "pipe,id=mon,path=$dir/mon" -mon mon,mode=readline ${QEMU_EXTRA:-} &
qemu=$!
trap 'kill $qemu 2>/dev/null' EXIT

guest() {
    ssh -F /dev/null -i "$dir/key" -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null \
        -o LogLevel=ERROR -o BatchMode=yes -o IdentitiesOnly=yes -o ConnectTimeout=1 -p $port \
        -o ControlMaster=auto -o ControlPath="$dir/ssh.sock" -o ControlPersist=yes \
        -o Ciphers='^aes128-gcm@openssh.com,aes256-gcm@openssh.com' lima@127.0.0.1 "$@"
}

until guest true 2>/dev/null; do
    kill -0 $qemu
    sleep 0.05
done
echo "ssh after $(elapsed)"
# A script may ask for a restart in between.
until [ "$(guest cat /run/lima-boot-done 2>/dev/null)" = "$iid" ]; do
    kill -0 $qemu
    sleep 0.1
done
echo "READY after $(elapsed)"
guest cat /run/cima-boot-report
status=0
[ $# -eq 0 ] || guest "$@" || status=$?
guest true
ssh -F /dev/null -o ControlPath="$dir/ssh.sock" -O exit try 2>/dev/null || :
start=$(date +%s%N)
echo system_powerdown >"$dir/mon.in"
wait $qemu || status=$?
trap - EXIT
echo "stopped after $(elapsed)"
exit $status
