#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Later starts without cloud-init. On a boot that brings nothing new for it, all that cloud-init does
# is to find that out, which takes most of the time of an emulated boot.
#   quick_boot.sh arm    after cloud-init's end: if it has done its work without errors, and nothing
#                        in this guest needs it on every boot, the next boots go without it, by its
#                        own switch /etc/cloud/cloud-init.disabled; a unit of ours runs the rest
#   quick_boot.sh switch when the machine goes down after that: the switch, which this boot need not see
#   quick_boot.sh boot   in that unit: runs boot.sh if everything is as it was when cloud-init
#                        finished; otherwise takes the switch back and restarts the machine, and
#                        cloud-init sees to what is new
# The unit has a copy of this file. /etc/cima-no-quick-boot keeps cloud-init in every boot.
set -u
mnt=${LIMA_CIDATA_MNT:-/mnt/lima-cidata}
switch=/etc/cloud/cloud-init.disabled
ours='made by /var/lib/cima/quick-boot'
refusal=/etc/cima-no-quick-boot
state=/var/lib/cima/quick-state
misses=/var/lib/cima/quick-misses
network=/var/lib/cima/quick-network
newline='
'
unit=cima-quick-boot.service

say() {
    echo "LIMA| quick boot: $*"
}

# has_line FILE PATTERN: a line of the file matches the shell pattern. A file that is not there has
# none.
has_line() {
    [ -r "$1" ] || return 1
    while IFS= read -r line || [ -n "$line" ]; do
        # shellcheck disable=SC2254 # a pattern on purpose
        case $line in $2) return 0 ;; esac
    done <"$1"
    return 1
}

switch_is_ours() {
    [ -f $switch ] && has_line $switch "$ours"
}

# Everything that cloud-init would act upon if it were different: the seed, its own files and the
# scripts it runs, and the sizes of the disks.
fingerprint() {
    cksum "$mnt/meta-data" "$mnt/user-data" "$mnt/network-config" || return 1
    # A folder with nothing in it is a name that is not there.
    stat -c '%n %s %Y' /etc/cloud/cloud.cfg /etc/cloud/cloud.cfg.d/* /etc/cloud/ds-identify.cfg \
        /var/lib/cloud/scripts/*/* /usr/bin/cloud-init 2>/dev/null
    for size in /sys/class/block/*/size; do
        name=${size%/size}
        name=${name##*/}
        case $name in vd* | sd* | nvme* | xvd* | hd* | mmcblk*) ;; *) continue ;; esac
        read -r blocks <"$size" && echo "$name $blocks"
    done
    return 0
}

# The network devices that are up, by name and address.
network_now() {
    for dir in /sys/class/net/*; do
        [ -e "$dir/device" ] || continue
        operstate=
        read -r address <"$dir/address" && read -r operstate <"$dir/operstate"
        [ "$operstate" != up ] || echo "${dir##*/} $address"
    done
}

# ---- arm ------------------------------------------------------------------------------------------

# Prints why cloud-init has to stay, or nothing.
reason_against() {
    [ -d /run/systemd/system ] || echo "no systemd"
    # A service may not run what stands in /var/lib there.
    [ ! -e /sys/fs/selinux/enforce ] || echo "SELinux"
    [ ! -e $refusal ] || echo "$refusal is there"
    [ ! -e $switch ] || switch_is_ours || echo "$switch is somebody else's"
    [ -e /var/lib/cloud/scripts/per-boot/00-lima.boot.sh ] || echo "no per-boot script of ours"
    has_line /run/cima-boot-report 'end 0' || echo "the boot scripts have failed"
    has_line /run/cloud-init/result.json '*"errors": \[\]*' || echo "cloud-init has errors"
    has_line /run/cloud-init/result.json '*DataSourceNoCloud*' || echo "another data source"
    ! has_line /proc/cmdline '*cloud-init*' || echo "the kernel's command line"
    [ ! -d "$mnt/provision.boot" ] || echo "scripts of the instance run early in boot"
    ! has_line "$mnt/user-data" 'package_upgrade: true' || echo "packages are upgraded"
    id=
    while read -r key value; do
        [ "$key" != instance-id: ] || id=$value
    done <"$mnt/meta-data"
    [ -n "$id" ] && has_line /var/lib/cloud/data/instance-id "$id" || echo "not this seed's instance"
    for file in /var/lib/cloud/scripts/per-boot/*; do
        [ "${file##*/}" = 00-lima.boot.sh ] || echo "$file runs on every boot"
    done
    # What is not ours but is asked for on every boot.
    for file in /etc/cloud/cloud.cfg /etc/cloud/cloud.cfg.d/*; do
        [ -f "$file" ] || continue
        ! has_line "$file" 'bootcmd:*' || echo "bootcmd in $file"
        ! has_line "$file" 'updates:*' || echo "updates in $file"
        ! has_line "$file" '*always*' || echo "a module on every boot in $file"
    done
}

# Is there something new on every start? Three times in a row mean that a restart for it would be
# the rule; until a boot with cloud-init finds nothing new.
always_new() {
    has_line $misses '...*' || return 1
    if [ "$(cat $state.new)" = "$(cat $state)" ]; then
        rm -f $misses
        return 1
    fi
}

arm() {
    reasons=$(reason_against)
    if [ -n "$reasons" ]; then
        say "cloud-init stays: $reasons"
        return 0
    fi
    umask 022
    mkdir -p /var/lib/cima && fingerprint >$state.new || return 1
    if always_new; then
        mv $state.new $state
        say "cloud-init stays: there was something new on each of the last starts"
        return 0
    fi
    mv $state.new $state && network_now >$network &&
        cp "$0" /var/lib/cima/quick-boot.new &&
        mv /var/lib/cima/quick-boot.new /var/lib/cima/quick-boot || return 1
    cat >/etc/systemd/system/$unit <<TEXT || return 1
# $ours
[Unit]
Description=Boot scripts of the instance, on a boot without cloud-init
ConditionPathExists=$switch
DefaultDependencies=no
After=local-fs.target
Conflicts=shutdown.target
Before=shutdown.target

[Service]
Type=exec
ExecStart=/bin/sh /var/lib/cima/quick-boot boot
KillMode=process
TasksMax=infinity
StandardOutput=append:/var/log/cloud-init-output.log
StandardError=append:/var/log/cloud-init-output.log

[Install]
WantedBy=multi-user.target
TEXT
    systemctl enable -q $unit &&
        systemd-run --quiet --unit=cima-quick-switch.service \
            --description='Lets the next boot go without cloud-init' \
            -p Type=oneshot -p RemainAfterExit=yes \
            -p 'ExecStop=/bin/sh /var/lib/cima/quick-boot switch' true || return 1
    say "the next boot goes without cloud-init"
}

# The last thing, when all that stands in for cloud-init is on the disk. A machine that dies before
# boots with cloud-init.
make_switch() {
    [ ! -e $refusal ] && [ ! -e $switch ] || return 0
    sync
    echo "$ours" >$switch.new && mv $switch.new $switch
}

# ---- boot -----------------------------------------------------------------------------------------

mount_seed() {
    [ ! -e "$mnt/boot.sh" ] || return 0
    dev=/dev/disk/by-label/cidata
    tries=0
    while [ ! -e $dev ] && [ $tries -lt 150 ]; do
        tries=$((tries + 1))
        sleep 0.2
    done
    [ -e $dev ] || dev=$(findfs LABEL=cidata) || return 1
    mkdir -p "$mnt" &&
        mount -t iso9660 -o ro,exec,uid=0,gid=0,mode=0700,dmode=0700,overriderockperm "$dev" "$mnt"
}

# `systemctl reboot` would ask logind, and it is too early for the bus.
restart() {
    systemctl --no-block --job-mode=replace-irreversibly start reboot.target ||
        systemctl --force reboot || reboot -f
}

# Nothing may keep a guest from hearing of what is new.
back_to_cloud_init() {
    say "$1: this needs cloud-init"
    known=
    [ ! -e $misses ] || read -r known <$misses
    echo "$known." >$misses
    if rm -f $switch && [ ! -e $switch ]; then
        sync
        restart && return 0
    fi
    systemctl start cloud-init-local.service cloud-init.service cloud-config.service \
        cloud-final.service
}

# A network that does not come up without cloud-init would leave nobody a way in. Where a part of it
# is up, somebody may be at work: no restart then, cloud-init looks after the rest in the next boot.
watch_network() {
    tries=0
    while [ $tries -lt 120 ]; do
        now=$newline$(network_now)$newline
        missing=
        while read -r line; do
            case $now in *"$newline$line$newline"*) ;; *) missing=$line ;; esac
        done <$network
        [ -n "$missing" ] || return 0
        tries=$((tries + 1))
        sleep 2
    done
    if [ -n "$(network_now)" ]; then
        say "the network is not what it was (no $missing): the next boot goes with cloud-init"
        rm -f $switch
    else
        back_to_cloud_init "no network"
    fi
}

boot() {
    switch_is_ours || return 0
    if [ -e $refusal ]; then
        back_to_cloud_init "$refusal is there"
    elif ! mount_seed; then
        back_to_cloud_init "no seed"
    elif ! known=$(cat $state) || ! now=$(fingerprint) || [ "$now" != "$known" ]; then
        back_to_cloud_init "something has changed"
    else
        [ ! -e $misses ] || rm -f $misses
        watch_network &
        LIMA_CIDATA_MNT=$mnt
        export LIMA_CIDATA_MNT
        exec sh "$mnt/boot.sh" quick
    fi
}

case ${1:-} in
    arm) arm ;;
    switch) make_switch ;;
    boot) boot ;;
    *)
        echo 'usage: quick_boot.sh arm|switch|boot' >&2
        exit 2
        ;;
esac
