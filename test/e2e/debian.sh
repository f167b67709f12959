#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A real distribution as guest: Debian 12 with UEFI, systemd and cloud-init.
#   first start   provisioning, what a user of such a machine expects
#   second start  nothing new: without cloud-init; a file has survived
#   third start   a changed seed: cloud-init again, and failures of every mode (GS-07, F25)
# shellcheck disable=SC2016,SC2317 # the guest's shell expands them; functions are called by name
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
command -v qemu-system-x86_64 >/dev/null || skip 'qemu-system-x86_64 is not installed'
command -v mmdebstrap >/dev/null || skip 'mmdebstrap is not installed; ./bootstrap deps does it'
guest=$builddir/guest/debian
outside "$srcdir/test/guest/debian/build.sh" --out "$guest" >"$scratch/guest.log" 2>&1 || {
    cat "$scratch/guest.log"
    skip 'the Debian guest could not be made (see above)'
}

# debian_yaml FILE: what both starts have in common; more follows on standard input.
debian_yaml() {
    cat >"$1" - <<YAML
images:
- location: $guest/disk.qcow2
cpus: 1
memory: 1GiB
disk: 4GiB
mounts: []
containerd: {system: false, user: false}
YAML
    cat >>"$1"
}
in_guest() { "$cima" shell deb sh -c "$1" 2>"$scratch/shell.err"; }
box=$CIMA_HOME/deb
# Emulated on a busy machine, one boot may take many minutes.
patience='--timeout 60m'

debian_yaml "$scratch/deb.yaml" <<'YAML'
param:
  greeting: hello there
env:
  EDITION: first
provision:
- mode: dependency
  script: |
    #!/bin/sh
    [ -e /run/lima-ssh-ready ] && echo dependency >/run/prov-dependency
- mode: data
  path: /etc/prov/data.txt
  permissions: "600"
  content: |
    {{.Param.greeting}} for {{.User}}
- mode: system
  script: |
    #!/bin/bash
    echo run >>/var/log/runs
    # The system is up, as at the end of cloud-init.
    systemctl is-active multi-user.target ssh.service >/run/prov-active
    echo "$(id -un) $PARAM_greeting" >/run/prov-system
- mode: user
  script: |
    #!/bin/bash
    set -e
    echo "$(id -un) $HOME $PARAM_greeting" >"$HOME/prov-user"
    systemctl --user is-active default.target >>"$HOME/prov-user"
probes:
- description: the system script has run
  script: |
    #!/bin/sh
    test -f /run/prov-system
YAML
# shellcheck disable=SC2086 # words
succeeds 'start' "$cima" start $patience "$scratch/deb.yaml"
[ "$code" -eq 0 ] || finish # the rest would say the same, many times
user=$("$cima" shell deb id -un 2>/dev/null)
home=$(in_guest 'printf %s "$HOME"')
check 'GS-07 each mode ran as it should' is "$(in_guest 'sudo cat /run/prov-system "$HOME/prov-user" /run/prov-dependency /run/prov-active /etc/prov/data.txt; sudo stat -c %a /etc/prov/data.txt')" "root hello there
$user $home hello there
active
dependency
active
active
hello there for $user
600"
check 'cloud-init is content' sh -c "'$cima' shell deb cloud-init status --wait | grep -q 'status: done'"
check 'nothing has failed' is "$(in_guest 'systemctl --failed --no-legend | wc -l')" 0
check 'the user has a service manager' is "$(in_guest 'systemctl --user is-active default.target')" active
check 'names, environment, locale' is "$(in_guest 'hostname; grep -c host.lima.internal /etc/hosts; grep EDITION /etc/environment; locale 2>&1 | grep -c "^LANG=C.UTF-8$"; locale 2>&1 | grep -ci cannot')" "lima-deb
1
EDITION=first
1
0"
check 'home is the user'"'"'s' is "$(in_guest 'stat -c "%U %a" "$HOME"; ls -A "$HOME" | grep -c "^.bashrc$"')" "$user 755
1"
check 'the guest is ready for sshfs' is "$(in_guest 'command -v sshfs; test -c /dev/fuse; grep -c "^user_allow_other" /etc/fuse.conf; cmp /run/lima-fuse-ready /run/lima-ssh-ready && echo ready')" "/usr/bin/sshfs
1
ready"
check 'the disk has grown' [ "$(in_guest 'df -m / | sed -n 2p' | awk '{ print $2 }')" -gt 3500 ]
in_guest 'echo "written before the stop" >"$HOME/note"; cp /etc/ssh/ssh_host_ed25519_key.pub "$HOME/hostkey"'
armed() { "$cima" shell deb systemctl is-active -q cima-quick-switch.service 2>/dev/null; }
check 'cloud-init may rest' within 600 armed
succeeds 'stop' "$cima" stop --timeout 20m deb

# shellcheck disable=SC2086
succeeds 'start again' "$cima" start $patience deb
[ "$code" -eq 0 ] || finish
check '… without cloud-init' is "$(in_guest 'cloud-init status; test -e /run/cloud-init/result.json || echo none')" 'status: disabled
none'
check '… one more run of the scripts' is "$(in_guest 'grep -c run /var/log/runs; sudo cat /run/prov-active /run/prov-dependency; tail -n 1 "$HOME/prov-user"')" '2
active
active
dependency
active'
check '… names and network as before' is "$(in_guest 'hostname; ip -o -4 addr show dev eth0 | wc -l; getent hosts host.lima.internal | cut -d " " -f 1')" 'lima-deb
1
192.168.5.2'
check 'the file has survived, and the host key' is "$(in_guest 'cat "$HOME/note"; cmp /etc/ssh/ssh_host_ed25519_key.pub "$HOME/hostkey" && echo same')" 'written before the stop
same'
check 'nothing has failed' is "$(in_guest 'systemctl --failed --no-legend | wc -l')" 0
succeeds 'stop' "$cima" stop --timeout 20m deb

# Its seed is another one now: a script of each mode that fails.
debian_yaml "$box/lima.yaml" <<'YAML'
env:
  EDITION: second
provision:
- mode: system
  script: |
    #!/bin/sh
    i=0
    while [ $i -lt 50 ]; do i=$((i + 1)); echo "line $i of the system script"; done
    exit 7
- mode: user
  script: |
    #!/bin/sh
    echo "the user script"
    exit 8
- mode: boot
  script: |
    #!/bin/sh
    echo "the boot script"
    exit 9
- mode: dependency
  script: |
    #!/bin/sh
    echo "the dependency script"
    exit 10
- mode: data
  path: /proc/no/such/place
  content: x
- mode: system
  script: |
    #!/bin/sh
    touch /run/later-scripts-still-run
- mode: boot
  script: |
    #!/bin/sh
    systemctl is-active multi-user.target >/run/boot-was-early || :
YAML
# shellcheck disable=SC2086
fails 'F25 failing scripts are the exit status of start' 1 "$cima" start $patience deb
check 'F25 … how many, and the first one' says '6 scripts failed in the guest; the first is provision[2] (mode boot) with exit status 9'
for words in 'provision.system/00000000: exit status 7' 'line 50 of the system script' \
    'line 31 of the system script' 'provision.user/00000001: exit status 8' 'the user script' \
    'provision.boot/00000002: exit status 9' 'the boot script' \
    'provision.dependency/00000003: exit status 10' 'the dependency script' \
    'provision.data/00000004: exit status 1'; do
    check "F25 … $words" says "$words"
done
check 'F25 … and no more' sh -c "! grep -q 'line 30 of the system script' '$scratch/err'"
check 'F25 the machine is left running' has_status deb Running
succeeds 'F25 later scripts still ran' "$cima" shell deb test -e /run/later-scripts-still-run
check 'mode boot is early' is "$(in_guest 'cat /run/boot-was-early')" inactive
check 'the changed seed has its effect' is "$(in_guest 'grep EDITION /etc/environment')" EDITION=second
check 'cloud-init hears of the failure' sh -c "'$cima' shell deb cloud-init status --wait --long | grep -q 'status: error'"
succeeds 'stop again' "$cima" stop --timeout 20m deb
succeeds 'delete' "$cima" delete deb
finish
