#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The mini guest as a guest: a restart that a script asks for, file transfer, sudo, what survives a
# stop, and a stop that leaves the disk clean.
# shellcheck disable=SC2016 # the guest's shell expands
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
need_guest

mini_yaml "$scratch/box.yaml" </dev/null
cat >>"$scratch/box.yaml" <<'YAML'
provision:
- script: |
    #!/bin/sh
    echo run >>/var/log/runs
    if [ ! -e /var/lib/restarted ]; then
        touch /var/lib/restarted /run/lima-reboot-required
    fi
- script: |
    #!/bin/sh
    [ ! -e /run/lima-reboot-required ] || exit 0
    dd if=/dev/zero bs=65536 count=320 2>/dev/null
    du -sk /run | cut -f 1 >/run/used
YAML
sed -i 's/^disk: 1GiB/disk: 2GiB/' "$scratch/box.yaml"
box="$CIMA_HOME/box"
guest() { "$cima" shell box sh -c "$1" 2>/dev/null; }

succeeds 'GS-07 READY after a restart that a script asked for' "$cima" start "$scratch/box.yaml"
check '… both boots ran it' is "$(guest 'grep -c run /var/log/runs')" 2
report=$(guest 'cat /run/cima-boot-report')
check '… the report is of the second' is "$(printf '%s\n' "$report" | cut -d ' ' -f 1-3)" \
    "script provision.system/00000000 0
script provision.system/00000001 0
end 0"
used=$(guest 'cat /run/used')
check 'F25 20 MiB of output leave /run small' [ "${used:-9999}" -lt 300 ]
check 'the disk has grown' [ "$(guest 'df -m / | sed -n 2p' | awk '{ print $2 }')" -gt 1900 ]
check 'sudo' is "$(guest 'sudo id -u')" 0
check 'a login shell' is "$(guest 'bash -lc "shopt -q login_shell && echo yes"')" yes
check 'names' is "$(guest 'hostname; grep -c host.lima.internal /etc/hosts')" "lima-box
1"

head -c 3000000 /dev/urandom >"$scratch/data"
succeeds 'scp to the guest' scp -q -F "$box/ssh.config" "$scratch/data" lima-box:copy
succeeds 'scp from the guest' scp -q -F "$box/ssh.config" lima-box:copy "$scratch/back"
check '… byte for byte' cmp "$scratch/data" "$scratch/back"

guest 'for d in /root /srv /var /etc; do echo kept | sudo tee $d/kept; done; sudo cp /var/lib/mini/host_key /srv/key' >/dev/null
succeeds 'stop' "$cima" stop box
check '… the disk was left clean' grep -qa 'stopped' "$box"/serial*.log
check '… without complaint' sh -c "! grep -qa 'still in use' '$box'/serial*.log"
succeeds 'start again' "$cima" start box
check 'what was written is there' is "$(guest 'for d in /root /srv /var /etc; do sudo cat $d/kept; done; cat copy | wc -c')" \
    "kept
kept
kept
kept
3000000"
check 'the host key, too' guest 'sudo cmp /var/lib/mini/host_key /srv/key'
check 'no error of the file system' is "$(guest 'sudo dmesg | grep -ciE "ext4.*(error|recovery)"')" 0
succeeds 'stop at the end' "$cima" stop box
succeeds 'delete' "$cima" delete box
finish
