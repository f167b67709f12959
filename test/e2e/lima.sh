# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# shellcheck disable=SC2154 # variables of lib.sh
# A home and instance directories as limactl leaves them. Sourced after lib.sh.
command -v python3 >/dev/null || skip 'python3 is not installed'

export LIMA_HOME="$scratch/lima"
unset CIMA_HOME
home=$LIMA_HOME

# As limactl leaves them.
mkdir -m 700 "$home" "$home/_config" "$home/_disks" "$home/_networks"
ssh-keygen -t ed25519 -q -N '' -C lima -f "$home/_config/user"
printf '# networks of the host\npaths:\n  varRun: /private/var/run/lima\ngroup: everyone\nnetworks:\n  user-v2:\n    mode: user-v2\n    gateway: 192.168.104.1\n' >"$home/_config/networks.yaml"

# lima_dir NAME VERSION: an instance that ran last under Lima and was not shut down properly.
lima_dir() {
    d=$home/$1
    mkdir -m 700 "$d" "$d/sock"
    [ -z "$2" ] || printf %s "$2" >"$d/lima-version"
    cat >"$d/lima.yaml" <<YAML
# This template requires Lima v1.0.0 or later.
minimumLimaVersion: 1.0.0

vmType: qemu
os: null
arch: x86_64 # of the host

images:
# Try the release first.
- location: "https://images.example.org/mini/20260101/mini-amd64.qcow2"
  arch: "x86_64"
  digest: "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
- location: "https://images.example.org/mini/20260101/mini-arm64.qcow2"
  arch: "aarch64"

cpus: 2
memory: "512MiB"
disk: "1GiB"
mounts: []
mountInotify: false
user: {name: lima, uid: 1000}
containerd:
  system: false
  user: false
firmware:
  legacyBIOS: true
hostResolver:
  hosts:
    host.docker.internal: host.lima.internal
param: {}
YAML
    printf '#cloud-config\n# vim:syntax=yaml\nusers: []\n' >"$d/cloud-config.yaml"
    head -c 65536 /dev/zero >"$d/cidata.iso"
    cat >"$d/ssh.config" <<CONFIG
# This SSH config file can be passed to 'ssh -F'.
# This file is created by Lima, but not used by Lima itself currently.
# Modifications to this file will be lost on restarting the Lima instance.
Host lima-$1
  IdentityFile "$home/_config/user"
  StrictHostKeyChecking no
  UserKnownHostsFile /dev/null
  NoHostAuthenticationForLocalhost yes
  PreferredAuthentications publickey
  Compression no
  BatchMode yes
  IdentitiesOnly yes
  User lima
  ControlMaster auto
  ControlPath "$d/ssh.sock"
  ControlPersist yes
  Hostname 127.0.0.1
  Port 60022
CONFIG
    {
        echo '{"time":"2026-01-05T10:00:00.123456789+01:00","status":{"sshLocalPort":60022}}'
        echo '{"time":"2026-01-05T10:01:00.5+01:00","status":{"running":true,"sshLocalPort":60022,"cloudInitProgress":{"active":true}}}'
        echo '{"time":"2026-01-05T10:01:01.5+01:00","status":{"running":true,"sshLocalPort":60022,"portForward":{"type":"forwarding","protocol":"tcp","guestAddr":"127.0.0.1:80","hostAddr":"127.0.0.1:8080"}}}'
    } >"$d/ha.stdout.log"
    echo '{"level":"info","msg":"hostagent socket created","time":"2026-01-05T10:00:00+01:00"}' >"$d/ha.stderr.log"
    : >"$d/serial.log"
    : >"$d/serialv.log"
    : >"$d/lima-guestagent.Linux-x86_64.tmp"
    echo 4194300 >"$d/ha.pid"
    echo 4194301 >"$d/qemu.pid"
}
