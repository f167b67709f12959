#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Tests of the guest's boot scripts, on the host: in mount and process namespaces of their own with
# a fresh /run and /mnt and a copy of /etc, so that the very bytes of the guest run on their real
# paths and can stop or change nothing outside.
# Every test runs under each shell that is here.
set -u

if [ "${1:-}" != --inside ]; then
    scripts=$(cd "${srcdir:-$(dirname "$0")/../..}/src/cidata/scripts" && pwd) || exit 1
    self=$(cd "$(dirname "$0")" && pwd)/${0##*/}
    base=$(mktemp -d) || exit 1
    trap 'rm -rf "$base"' EXIT
    if [ "$(id -u)" -eq 0 ]; then
        set -- unshare -mpf --mount-proc
    else
        set -- unshare -rmpf --mount-proc
    fi
    if ! "$@" true 2>/dev/null; then
        echo "SKIP: namespaces are not allowed here ($*)"
        exit 77
    fi
    "$@" sh "$self" --inside "$scripts" "$base"
    exit
fi

scripts=$2
base=$3
seed=/mnt/lima-cidata
report=/run/cima-boot-report
passed=0
failed=0

# ---- a fake guest --------------------------------------------------------------------------------

mount --make-rprivate / 2>/dev/null
mkdir "$base/etc" "$base/bin" || exit 1
cp -a /etc/passwd /etc/group /etc/nsswitch.conf "$base/etc/" 2>/dev/null
cp -a /etc/alternatives /etc/ld.so* /etc/pam.d /etc/pam.conf /etc/security /etc/login.defs \
    "$base/etc/" 2>/dev/null
mount --bind "$base/etc" /etc || exit 1
mount -t tmpfs run /run || exit 1
mount -t tmpfs mnt /mnt || exit 1
mount -t tmpfs log /var/log || exit 1
mount -t tmpfs lib /var/lib || exit 1
mount -t tmpfs sys /sys || exit 1
mkdir -p /sys/class/block/vda /sys/class/block/sr0 /sys/fs/selinux

# The user of the fake guest: an unprivileged namespace knows root alone.
user=root
uid=0
: >"$base/owner"
if chown daemon "$base/owner" 2>/dev/null; then
    user=daemon
    uid=$(id -u daemon)
fi

# sudo and reboot of the fake guest.
cat >"$base/bin/sudo" <<'EOF'
#!/bin/sh
[ "$1" = -iu ] || exit 1
echo "sudo to $2" >&2
shift 2
exec env -i "HOME=$FAKE_HOME" PATH="$PATH" "$@"
EOF
cat >"$base/bin/reboot" <<'EOF'
#!/bin/sh
echo asked >/run/reboot-asked
EOF
# systemctl and systemd-run note the call; what a test has put in /run/start does the latter's work.
cat >"$base/bin/systemctl" <<'EOF'
#!/bin/sh
echo "$*" >>/run/systemctl-calls
EOF
cat >"$base/bin/systemd-run" <<'EOF'
#!/bin/sh
printf '%s\n' "$@" >>/run/systemd-run-arguments
[ ! -e /run/start ] || . /run/start
EOF
# ip notes the call, and renames; an interface has an address when it has been asked for thrice.
cat >"$base/bin/ip" <<'EOF'
#!/bin/sh
echo "$*" >>/run/ip-calls
case "$*" in
*' name '*) [ ! -e /run/ip-fails ] && mv "/sys/class/net/$4" "/sys/class/net/$6" ;;
*addr*) [ "$(grep -c addr /run/ip-calls)" -lt 3 ] || echo "2: lima0    inet 192.168.5.15/24" ;;
esac
EOF
cat >"$base/bin/chpasswd" <<'EOF'
#!/bin/sh
cat >/run/chpasswd-in
EOF
chmod +x "$base/bin/"*
PATH=$base/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH
export FAKE_HOME=/mnt/home

# A seed with nothing to do.
new_seed() {
    rm -rf /run/* /sys/class/net "${seed:?}" /mnt/home /etc/hosts /etc/environment /etc/fuse.conf
    mkdir -p "$seed" /mnt/home
    chown "$user" /mnt/home
    cp -r "$scripts/." "$seed/"
    cat >"$seed/lima.env" <<EOF
LIMA_CIDATA_IID=iid-1
LIMA_CIDATA_NAME=box
LIMA_CIDATA_USER=$user
LIMA_CIDATA_UID=$uid
LIMA_CIDATA_HOME=/mnt/home
LIMA_CIDATA_SHELL=/bin/bash
LIMA_CIDATA_MOUNTS=0
LIMA_CIDATA_DISKS=0
LIMA_CIDATA_SLIRP_GATEWAY=192.168.5.2
EOF
    : >"$seed/param.env"
    : >"$seed/etc_environment"
}

# provision MODE INDEX < script
provision() {
    mkdir -p "$seed/provision.$1"
    cat >"$seed/provision.$1/0000000$2"
    chmod +x "$seed/provision.$1/0000000$2"
}

run_boot() {
    # $shell may have an argument
    # shellcheck disable=SC2086
    env LIMA_CIDATA_MNT=$seed $shell "$seed/boot.sh" >/run/output 2>&1 </dev/null
    rc=$?
}

check() {
    what=$1
    shift
    if "$@"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED: $test under $shell: $what"
        sed 's/^/    report: /' $report 2>/dev/null | cut -b 1-150
        sed 's/^/    output: /' /run/output 2>/dev/null | tail -n 30 | cut -b 1-150
    fi
}

# is FILE TEXT: the file's content is TEXT.
is() {
    [ "$(cat "$1" 2>/dev/null)" = "$2" ] || {
        echo "    $1 is: $(head -c 300 "$1" 2>&1)"
        return 1
    }
}

# The report without its times.
results() {
    sed 's/^\(script .*\) [0-9]*\.[0-9][0-9]$/\1/' $report
}

has() {
    grep -qF -- "$2" "$1"
}

absent() {
    [ ! -e "$1" ]
}

# ---- tests ---------------------------------------------------------------------------------------

test_nothing_to_do() {
    run_boot
    check "exit status" [ $rc -eq 0 ]
    check "report" is $report 'end 0'
    check "boot-done" is /run/lima-boot-done iid-1
    check "ssh-ready" is /run/lima-ssh-ready iid-1
    check "fuse-ready" is /run/lima-fuse-ready iid-1
    check "report is private" [ "$(stat -c '%a %U' $report)" = "600 $user" ]
}

# GS-06, GS-07: values are what the files say, to the byte.
test_values_are_literal() {
    # shellcheck disable=SC2016 # nothing here may be expanded by anyone
    {
        printf '%s\n' 'LIMA_CIDATA_COMMENT=a  "b" $HOME `id`; \n '"'c'"' #d=e ' >>"$seed/lima.env"
        printf '%s\n' 'PARAM_ODD=  $(touch /run/expanded)'"'"'x'"''"'y" \ *' >"$seed/param.env"
        printf 'PARAM_LAST=no line feed' >>"$seed/param.env"
        printf '%s\n' 'FOO=1 2' 'IFS=x' 'UID=7' '1BAD=x' 'a-b=c' 'boot_mnt=/x' 'line' \
            'name=lower' >"$seed/etc_environment"
    }
    provision system 0 <<'EOF'
#!/bin/sh
printf '%s\n' "$LIMA_CIDATA_COMMENT" "$PARAM_ODD" "$PARAM_LAST" "$FOO" "$name" "$LIMA_CIDATA_MNT" >/run/sys
EOF
    provision user 1 <<'EOF'
#!/bin/sh
printf '%s\n' "$PARAM_ODD" "$PARAM_LAST" "${LIMA_CIDATA_NAME-none}" >/mnt/home/usr
EOF
    run_boot
    check "exit status" [ $rc -eq 0 ]
    # shellcheck disable=SC2016
    check "system sees them" is /run/sys "$(printf '%s\n' \
        'a  "b" $HOME `id`; \n '"'c'"' #d=e ' '  $(touch /run/expanded)'"'"'x'"''"'y" \ *' \
        'no line feed' '1 2' lower $seed)"
    # shellcheck disable=SC2016
    check "user sees parameters" is /mnt/home/usr "$(printf '%s\n' \
        '  $(touch /run/expanded)'"'"'x'"''"'y" \ *' 'no line feed' none)"
    check "nothing was run" absent /run/expanded
    check "user's copy is gone" absent /mnt/home/.lima-user-script
}

# GS-07: data, yq, system, user, each in the order of the list; what fails stops nobody else.
test_order_and_failures() {
    printf '%s\n' LIMA_CIDATA_DATAFILE_00000003_PATH=/run/data/deep/file \
        "LIMA_CIDATA_DATAFILE_00000003_OWNER=$user" \
        LIMA_CIDATA_DATAFILE_00000003_PERMISSIONS=640 >>"$seed/lima.env"
    provision user 0 <<'EOF'
#!/bin/sh
echo user >>/run/order
exit 42
EOF
    chmod 777 /run
    : >/run/order
    chmod 666 /run/order
    provision system 1 <<'EOF'
#!/bin/sh
echo one >>/run/order
echo to stderr >&2
printf 'no line feed'
exit 3
EOF
    provision system 2 <<'EOF'
#!/bin/sh
echo two >>/run/order
echo fine
EOF
    echo content | provision data 3
    echo .a = 1 | provision yq 4
    run_boot
    check "exit status" [ $rc -eq 1 ]
    check "order" is /run/order "$(printf 'one\ntwo\nuser')"
    results >/run/results
    check "report" is /run/results "$(printf '%s\n' 'script provision.data/00000003 0' \
        'script provision.yq/00000004 1' \
        '| yq provisions need the guest agent, which this version does not have' \
        'script provision.system/00000001 3' '| to stderr' '| no line feed' \
        'script provision.system/00000002 0' \
        'script provision.user/00000000 42' "| sudo to $user" 'end 1')"
    check "warning" has /run/output 'WARNING: Failed to execute provision.system/00000001'
    check "output goes on" has /run/output 'fine'
    check "boot-done all the same" is /run/lima-boot-done iid-1
    check "data" is /run/data/deep/file content
    check "data's mode and owner" [ "$(stat -c '%a %U' /run/data/deep/file)" = "640 $user" ]
}

test_script_that_cannot_run() {
    printf '#!/no/such/interpreter\n' | provision system 0
    run_boot
    check "exit status" [ $rc -eq 1 ]
    check "status in the report" grep -q '^script provision.system/00000000 12[67] ' $report
    check "reason in the report" grep -q '^| .*00000000' $report
}

# The tail is bounded: in lines, in bytes of a line, in bytes of /run.
test_bounded_output() {
    provision system 0 <<'EOF'
#!/bin/sh
head -c 100000000 /dev/zero | tr '\0' x
echo
i=0
while [ $i -lt 30 ]; do
    i=$((i + 1))
    echo "line $i"
done
head -c 3000 /dev/zero | tr '\0' y
du -sk /run/cima-boot >/run/used
exit 9
EOF
    run_boot
    : >/run/output
    check "20 lines" [ "$(grep -c '^| ' $report)" -eq 20 ]
    check "the last ones" [ "$(sed -n 2p $report)" = '| line 12' ]
    check "500 bytes" [ "$(grep '^| y' $report | tr -d '\n' | wc -c)" -eq 502 ]
    read -r used _ </run/used
    check "/run stays small ($used KiB)" [ "$used" -lt 200 ]
}

# A process that stays behind with the script's output keeps nobody waiting.
test_daemon_stays_behind() {
    provision system 0 <<'EOF'
#!/bin/sh
sleep 1000 &
echo $! >/run/daemon
EOF
    provision system 1 <<'EOF'
#!/bin/sh
echo second
EOF
    run_boot
    check "no waiting" kill "$(cat /run/daemon)"
    check "exit status" [ $rc -eq 0 ]
    check "the next one's output" has /run/output second
}

test_bootcmd_stage() {
    echo PARAM_A=b >"$seed/param.env"
    provision boot 0 <<'EOF'
#!/bin/sh
echo "early $PARAM_A $(ls /run/lima-ssh-ready 2>&1 | wc -c)" >/run/early
exit 5
EOF
    provision system 1 <<'EOF'
#!/bin/sh
exit 0
EOF
    # As cloud-init does it: lines of one script.
    sed 's,/mnt/lima-cidata,'$seed, "$seed/lima.bootcmd.sh" >/run/bootcmd
    # shellcheck disable=SC2016
    echo 'echo "went on $?" >/run/went' >>/run/bootcmd
    # shellcheck disable=SC2086
    $shell /run/bootcmd >/run/output 2>&1
    check "ran" grep -q '^early b ' /run/early
    check "its status, and no exit" is /run/went 'went on 1'
    check "no end yet" [ "$(grep -c end $report)" -eq 0 ]
    check "no marker yet" absent /run/lima-boot-done
    run_boot
    results >/run/results
    check "one report" is /run/results "$(printf '%s\n' 'script provision.boot/00000000 5' \
        'script provision.system/00000001 0' 'end 1')"
    check "counts as a failure" [ $rc -eq 1 ]
    run_boot
    results >/run/results
    check "a new run begins anew" is /run/results "$(printf '%s\n' \
        'script provision.system/00000001 0' 'end 0')"
}

test_per_boot_script() {
    # shellcheck disable=SC2086
    $shell "$seed/lima.boot.sh" >/run/output 2>&1
    rc=$?
    check "exit status" [ $rc -eq 0 ]
    check "boot-done" is /run/lima-boot-done iid-1
}

# A card of the fake guest: name, address.
card() {
    mkdir -p "/sys/class/net/$1/device"
    echo "$2" >"/sys/class/net/$1/address"
}

# lima.nics.sh: who has its name is left alone, as is who is no card.
test_interfaces_get_their_names() {
    if [ "$shell" = 'busybox sh' ]; then
        echo "not tested under $shell: its own ip goes before ours"
        return
    fi
    card eth0 52:55:55:00:00:01
    card ens5 52:55:55:00:00:02
    card other 52:55:55:00:00:03
    card lo 00:00:00:00:00:00
    mkdir /sys/class/net/br0
    echo 52:55:55:00:00:02 >/sys/class/net/br0/address
    # As cloud-init does it: lines of one script. The address comes with the third look.
    (cat "$scripts/lima.nics.sh" && cat <<'EOF'
lima_name_nics '52:55:55:00:00:01=eth0' '52:55:55:00:00:02=lima0' '52:55:55:00:00:03=eth0' \
    '52:55:55:00:00:04=lima1'
echo "went on $?" >/run/went
EOF
    ) >/run/bootcmd
    # shellcheck disable=SC2086
    $shell /run/bootcmd
    check "no exit" is /run/went 'went on 0'
    check "renamed while down" [ "$(grep '^link' /run/ip-calls | tr '\n' ',')" = \
        'link set dev ens5 down,link set dev ens5 name lima0,link set dev lima0 up,' ]
    check "waits for its address" [ "$(grep -c '^-4 -o addr show dev lima0' /run/ip-calls)" -eq 3 ]
    rm /run/ip-calls
    # shellcheck disable=SC2086
    $shell /run/bootcmd
    check "nothing to do the next time" absent /run/ip-calls
}

# A name that can't be had is no reason to stay without a network.
test_interface_keeps_its_name() {
    if [ "$shell" = 'busybox sh' ]; then
        echo "not tested under $shell: its own ip goes before ours"
        return
    fi
    card ens5 52:55:55:00:00:02
    : >/run/ip-fails
    (cat "$scripts/lima.nics.sh" && echo "lima_name_nics '52:55:55:00:00:02=eth0'") >/run/bootcmd
    # shellcheck disable=SC2086
    $shell /run/bootcmd
    check "up again" [ "$(tail -n 1 /run/ip-calls)" = 'link set dev ens5 up' ]
}

# lima.early.sh: only with systemd, and once per boot.
test_early_start_is_asked_for() {
    # shellcheck disable=SC2086
    $shell "$scripts/lima.early.sh"
    check "not without systemd" absent /run/systemd-run-arguments
    mkdir -p /run/systemd/system
    # As cloud-init does it: lines of one script.
    # shellcheck disable=SC2016
    (cat "$scripts/lima.early.sh" && echo 'echo "went on $?" >/run/went') >/run/bootcmd
    # shellcheck disable=SC2086
    $shell /run/bootcmd
    check "no exit" is /run/went 'went on 0'
    check "marker" [ -e /run/cima-boot-early ]
    check "after users and keys" has /run/systemd-run-arguments After=cloud-init.service
    check "what" [ "$(tail -n 3 /run/systemd-run-arguments | tr '\n' ' ')" = \
        '/bin/sh /var/lib/cloud/scripts/per-boot/00-lima.boot.sh early ' ]
    lines=$(wc -l </run/systemd-run-arguments)
    # shellcheck disable=SC2086
    $shell /run/bootcmd
    check "once" [ "$(wc -l </run/systemd-run-arguments)" -eq "$lines" ]
}

# A guest in which cloud-init has done all its work.
cloud_init_is_done() {
    rm -rf /etc/cloud /etc/systemd /var/lib/cloud /var/lib/cima /etc/cima-no-quick-boot
    mkdir -p /run/systemd/system /run/cloud-init /etc/systemd/system /etc/cloud/cloud.cfg.d \
        /var/lib/cloud/scripts/per-boot /var/lib/cloud/data
    echo 'end 0' >$report
    printf '%s\n' '{' ' "v1": {' '  "datasource": "DataSourceNoCloud [seed=/dev/sr0]",' \
        '  "errors": []' ' }' '}' >/run/cloud-init/result.json
    echo iid-abc >/var/lib/cloud/data/instance-id
    printf '%s\n' 'instance-id: iid-abc' 'local-hostname: lima-box' >"$seed/meta-data"
    printf '%s\n' '#cloud-config' 'users:' >"$seed/user-data"
    echo 'version: 2' >"$seed/network-config"
    printf '%s\n' 'cloud_init_modules:' ' - bootcmd' >/etc/cloud/cloud.cfg
    : >/var/lib/cloud/scripts/per-boot/00-lima.boot.sh
    echo 8388608 >/sys/class/block/vda/size
    echo 216 >/sys/class/block/sr0/size
    rm -f /sys/fs/selinux/enforce
    mkdir -p /sys/class/net/eth0/device /sys/class/net/eth1/device /sys/class/net/lo
    echo 52:55:55:00:00:01 | tee /sys/class/net/eth0/address >/sys/class/net/eth1/address
    echo up >/sys/class/net/eth0/operstate
    echo down >/sys/class/net/eth1/operstate
}

quick_boot() {
    # shellcheck disable=SC2086
    $shell "$seed/util/quick_boot.sh" "$1" >/run/output 2>&1
    # As systemd does when the machine goes down.
    stop=$(sed -n 's/^ExecStop=//p' /run/systemd-run-arguments 2>/dev/null)
    rm -f /run/systemd-run-arguments
    case $stop in *' switch')
        check "this boot sees no switch" absent $switch
        # shellcheck disable=SC2086
        $shell ${stop#/bin/sh }
        ;;
    esac
}

switch=/etc/cloud/cloud-init.disabled

test_quick_boot() {
    cloud_init_is_done
    quick_boot arm
    check "the switch" is $switch 'made by /var/lib/cima/quick-boot'
    check "the unit is enabled" is /run/systemctl-calls 'enable -q cima-quick-boot.service'
    check "… only with the switch" has /etc/systemd/system/cima-quick-boot.service \
        "ConditionPathExists=$switch"
    rm -f $report /run/systemctl-calls
    # The seed is made anew on every start, and not always of the same size.
    echo 300 >/sys/class/block/sr0/size
    echo touch /run/system | provision system 0
    # shellcheck disable=SC2086
    $shell /var/lib/cima/quick-boot boot >/run/output 2>&1
    check "boot scripts" is /run/lima-boot-done iid-1
    check "scripts of the instance wait for the system" has /run/systemd-run-arguments \
        After=multi-user.target
    check "… and for the network" has /run/systemd-run-arguments Wants=network-online.target
    check "cloud-init stays away" [ "$(grep -c cloud /run/systemd-run-arguments)" -eq 0 ]
    check "… and nothing starts it" absent /run/systemctl-calls
    check "they run" [ -e /run/system ]
    check "the switch stays" [ -e $switch ]
}

# Each of these needs cloud-init: no switch.
test_quick_boot_is_not_for_all() {
    while IFS= read -r line; do
        cloud_init_is_done
        rm -rf "$seed/provision.boot"
        eval "$line"
        quick_boot arm
        check "$line" [ ! -e $switch ]
        check "… says why" has /run/output 'cloud-init stays: '
    done <<'EOF'
: >/etc/cima-no-quick-boot
echo 'end 1' >$report
rm $report
echo '"errors": ["x"]' >/run/cloud-init/result.json
rm /run/cloud-init/result.json
mkdir "$seed/provision.boot"
echo 'package_upgrade: true' >>"$seed/user-data"
echo 'instance-id: iid-new' >"$seed/meta-data"
: >/var/lib/cloud/scripts/per-boot/mine
echo 'bootcmd: [[ls]]' >/etc/cloud/cloud.cfg.d/50-mine.cfg
echo ' - [scripts-user, always]' >/etc/cloud/cloud.cfg.d/50-mine.cfg
rm -rf /run/systemd
echo 1 >/sys/fs/selinux/enforce
EOF
    cloud_init_is_done
    echo mine >$switch
    quick_boot arm
    check "somebody else's switch" is $switch mine
    quick_boot boot
    check "… is left alone" is $switch mine
    check "… and nothing is run" absent /run/lima-boot-done
}

# Whatever changes after that brings cloud-init back, at once.
test_quick_boot_hears_of_changes() {
    while IFS= read -r line; do
        cloud_init_is_done
        quick_boot arm
        check "armed" [ -e $switch ]
        rm -f /run/systemctl-calls
        eval "$line"
        # shellcheck disable=SC2086
        $shell /var/lib/cima/quick-boot boot >/run/output 2>&1
        check "$line: the switch" absent $switch
        check "$line: a restart" is /run/systemctl-calls \
            '--no-block --job-mode=replace-irreversibly start reboot.target'
        check "$line: no scripts before it" absent /run/lima-boot-done
    done <<'EOF'
echo 'instance-id: iid-new' >"$seed/meta-data"
echo '# another key' >>"$seed/user-data"
echo '# another network' >>"$seed/network-config"
: >/etc/cima-no-quick-boot
: >/var/lib/cloud/scripts/per-boot/mine
echo x >/etc/cloud/cloud.cfg.d/50-mine.cfg
echo x >>/etc/cloud/cloud.cfg
echo 16777216 >/sys/class/block/vda/size
rm /var/lib/cima/quick-state
rm "$seed/user-data"
EOF
}

# A restart on every start would be worse than cloud-init on every start.
test_quick_boot_gives_up_where_all_is_always_new() {
    cloud_init_is_done
    for i in 1 2 3; do
        quick_boot arm
        check "armed, $i" [ -e $switch ]
        echo "# $i" >>/etc/cloud/cloud.cfg
        # shellcheck disable=SC2086
        $shell /var/lib/cima/quick-boot boot >/run/output 2>&1
        check "a miss, $i" absent $switch
    done
    quick_boot arm
    check "given up" absent $switch
    check "… says why" has /run/output 'something new on each of the last starts'
    echo '# 4' >>/etc/cloud/cloud.cfg
    quick_boot arm
    check "and stays so" absent $switch
    quick_boot arm
    check "until all is as it was" [ -e $switch ]
    # shellcheck disable=SC2086
    $shell /var/lib/cima/quick-boot boot >/run/output 2>&1
    check "which lasts" [ -e $switch ]
}

# A quick boot whose interface has kept its old name, until there is no switch any more.
quick_boot_with_a_stray_interface() {
    cloud_init_is_done
    quick_boot arm
    check "what was up" is /var/lib/cima/quick-network 'eth0 52:55:55:00:00:01'
    echo "$1" >/sys/class/net/eth0/operstate
    mv /sys/class/net/eth0 /sys/class/net/enp0s4
    printf '#!/bin/sh\n' >"$base/bin/sleep"
    chmod +x "$base/bin/sleep"
    # shellcheck disable=SC2086
    $shell /var/lib/cima/quick-boot boot >/run/output 2>&1
    tries=0
    while [ -e $switch ] && [ $tries -lt 3000 ]; do
        tries=$((tries + 1))
        /bin/sleep 0.1
    done
    rm "$base/bin/sleep"
    mv /sys/class/net/enp0s4 /sys/class/net/eth0
    echo up >/sys/class/net/eth0/operstate
    check "the switch" absent $switch
}

# A part of the network is up: nobody is thrown out.
test_quick_boot_with_another_network() {
    if [ "$shell" = 'busybox sh' ]; then
        echo "not tested under $shell: its own sleep goes before ours"
        return
    fi
    quick_boot_with_a_stray_interface up
    check "no restart" [ "$(grep -c 'this needs cloud-init' /run/output)" -eq 0 ]
}

test_quick_boot_without_network() {
    if [ "$shell" = 'busybox sh' ]; then
        echo "not tested under $shell: its own sleep goes before ours"
        return
    fi
    quick_boot_with_a_stray_interface down
    check "a restart" grep -q "no network: this needs cloud-init" /run/output
    # What it does last must not happen in the middle of the next test.
    tries=0
    while ! grep -q reboot.target /run/systemctl-calls 2>/dev/null && [ $tries -lt 3000 ]; do
        tries=$((tries + 1))
        sleep 0.1
    done
    check "… at once" has /run/systemctl-calls reboot.target
}

test_quick_boot_is_considered() {
    # shellcheck disable=SC2086
    $shell "$seed/boot.sh" early >/run/output 2>&1
    check "after cloud-init" has /run/systemd-run-arguments After=cloud-final.service
    rm /run/systemd-run-arguments
    # shellcheck disable=SC2086
    $shell "$seed/boot.sh" quick >/run/output 2>&1
    check "not again" absent /run/systemd-run-arguments
    echo exit 1 | provision system 0
    # shellcheck disable=SC2086
    $shell "$seed/boot.sh" early >/run/output 2>&1
    check "not after a failure" [ "$(grep -c quick /run/systemd-run-arguments)" -eq 0 ]
}

# Boot scripts at once; those of the instance when the system is up; one run, whose result cloud-init
# gets when its own turn comes.
test_early() {
    : >/run/cima-boot-early
    cat >/run/start <<'EOF'
case $* in
    *After=multi-user.target*After=cloud-config.service*) cp /run/lima-ssh-ready /run/ready-before; touch /run/system-is-up ;;
esac
EOF
    provision system 0 <<'EOF'
#!/bin/sh
[ -e /run/system-is-up ] || exit 7
echo once >>/run/runs
EOF
    provision system 1 <<'EOF'
#!/bin/sh
exit 4
EOF
    # shellcheck disable=SC2086
    $shell "$seed/lima.boot.sh" early >/run/output 2>&1
    check "exit status" [ $? -eq 0 ]
    check "boot-done" is /run/lima-boot-done iid-1
    check "the user session does not wait" is /run/ready-before iid-1
    check "nothing is started for it" absent /run/systemctl-calls
    # shellcheck disable=SC2086
    $shell "$seed/lima.boot.sh" >>/run/output 2>&1
    check "cloud-init hears of the failure" [ $? -eq 1 ]
    check "and waits" has /run/systemctl-calls 'start cima-boot.service'
    check "no second run" is /run/runs once
    results >/run/results
    check "report" is /run/results "$(printf '%s\n' 'script provision.system/00000000 0' \
        'script provision.system/00000001 4' 'end 1')"
}

test_early_with_nothing_to_wait_for() {
    # shellcheck disable=SC2086
    $shell "$seed/lima.boot.sh" early >/run/output 2>&1
    check "boot-done" is /run/lima-boot-done iid-1
    check "no waiting" [ "$(grep -c multi-user /run/systemd-run-arguments)" -eq 0 ]
    : >/run/cima-boot-early
    # shellcheck disable=SC2086
    $shell "$seed/lima.boot.sh" >/run/output 2>&1
    check "all is well" [ $? -eq 0 ]
}

# An early run that came to nothing is a failure of cloud-init's turn.
test_early_without_a_result() {
    : >/run/cima-boot-early
    # shellcheck disable=SC2086
    $shell "$seed/lima.boot.sh" >/run/output 2>&1
    check "a failure" [ $? -ne 0 ]
    check "no boot-done" absent /run/lima-boot-done
}

# status.json as cloud-init 22.4 writes it, with what later versions add.
status_json() {
    mkdir -p /run/cloud-init
    cat >/run/cloud-init/status.json <<EOF
{
 "v1": {
  "datasource": "DataSourceNoCloud [seed=/dev/sr0][dsmode=net]",
  "init": {
   "errors": $1,
   "finished": 1700000000.5,
   "recoverable_errors": $2,
   "start": 1700000000.1
  },
  "init-local": {
   "errors": [],
   "finished": null,
   "start": null
  },
  "stage": null
 }
}
EOF
}

test_cloud_init_without_errors() {
    status_json '[]' '{}'
    run_boot
    check "report" is $report 'end 0'
}

test_cloud_init_errors() {
    status_json '[
    "('"'users'"', ProcessExecutionError([x]))",
    "second"
   ]' '{}'
    {
        echo '2026-01-01 00:00:00,000 - util.py[DEBUG]: nothing'
        echo '2026-01-01 00:00:00,000 - util.py[WARNING]: Failed to make user'
        echo '2026-01-01 00:00:00,000 - util.py[DEBUG]: nothing'
    } >/var/log/cloud-init.log
    run_boot
    rm -f /var/log/cloud-init.log
    check "report" is $report "$(printf '%s\n' 'cloud-init error' \
        "| \"('users', ProcessExecutionError([x]))\"," '| "second"' \
        '| 2026-01-01 00:00:00,000 - util.py[WARNING]: Failed to make user' 'end 0')"
}

test_cloud_init_degraded() {
    status_json '[]' '{
    "WARNING": [
     "a deprecated key"
    ]
   }'
    run_boot
    check "report" is $report "$(printf '%s\n' 'cloud-init degraded' '| "WARNING": [' \
        '| "a deprecated key"' 'end 0')"
}

test_cloud_init_log_is_bounded() {
    status_json '[
    "x"
   ]' '{}'
    i=0
    while [ $i -lt 100 ]; do
        i=$((i + 1))
        head -c 2000 /dev/zero | tr '\0' w
        echo " WARNING $i"
        echo "ERROR $i"
    done >/var/log/cloud-init.log
    run_boot
    rm -f /var/log/cloud-init.log
    check "20 lines" [ "$(grep -c '^| ' $report)" -eq 20 ]
    check "the last ones" [ "$(grep '^| ' $report | tail -n 1)" = '| ERROR 100' ]
    check "short ones" [ "$(wc -c <$report)" -lt 6000 ]
}

test_dependency_failure_stops_its_script() {
    printf '%s\n' LIMA_CIDATA_MOUNTS=1 LIMA_CIDATA_MOUNTTYPE=reverse-sshfs \
        >>"$seed/lima.env"
    provision dependency 0 <<'EOF'
#!/bin/sh
echo zero
exit 8
EOF
    provision dependency 1 <<'EOF'
#!/bin/sh
touch /run/second
EOF
    provision system 2 <<'EOF'
#!/bin/sh
touch /run/system
EOF
    run_boot
    results >/run/results
    check "report" is /run/results "$(printf '%s\n' 'script provision.dependency/00000000 8' '| zero' \
        'script boot.Linux/30-install-packages.sh 1' \
        "$(sed -n '/30-inst/,/^[^|]/p' /run/results | grep '^|')" \
        'script provision.system/00000002 0' 'end 1')"
    check "the second one waits for the first" absent /run/second
    check "system scripts run" [ -e /run/system ]
    check "nothing was installed" [ "$(grep -c 'installing sshfs' /run/output)" -eq 0 ]
}

test_dependency_success() {
    provision dependency 0 <<'EOF'
#!/bin/sh
echo "dependency before fuse: $(ls /run/lima-fuse-ready 2>/dev/null)"
EOF
    run_boot
    results >/run/results
    check "report" is /run/results "$(printf '%s\n' 'script provision.dependency/00000000 0' 'end 0')"
    check "ran first" grep -q 'before fuse: $' /run/output
}

test_plain() {
    echo LIMA_CIDATA_PLAIN=true >>"$seed/lima.env"
    echo touch /run/system | provision system 0
    echo touch /run/dependency | provision dependency 1
    run_boot
    check "exit status" [ $rc -eq 0 ]
    check "provisioned" [ -e /run/system ]
    check "no dependencies" absent /run/dependency
    check "no boot scripts" absent /run/lima-ssh-ready
    check "boot-done" is /run/lima-boot-done iid-1
}

test_reboot() {
    if [ "$shell" = 'busybox sh' ]; then
        echo "not tested under $shell: its own reboot goes before ours"
        return
    fi
    echo touch /run/lima-reboot-required | provision system 0
    echo old >/run/lima-boot-done
    run_boot
    check "asked for" is /run/reboot-asked asked
    check "no boot-done" absent /run/lima-boot-done
    check "no end" [ "$(grep -c '^end' $report)" -eq 0 ]
}

test_data_attributes() {
    for i in 0 1 2 3; do
        echo "LIMA_CIDATA_DATAFILE_0000000${i}_PATH=/run/data$i" >>"$seed/lima.env"
        echo "new $i" | provision data $i
    done
    printf '%s\n' LIMA_CIDATA_DATAFILE_00000000_OVERWRITE=false \
        LIMA_CIDATA_DATAFILE_00000001_OVERWRITE=true >>"$seed/lima.env"
    echo old >/run/data0
    echo old >/run/data1
    mkdir /run/data2
    echo x | provision data 4
    run_boot
    check "overwrite false" is /run/data0 old
    check "overwrite true" is /run/data1 'new 1'
    check "a directory is refused" grep -q '^| /run/data2 is a directory' $report
    check "later ones are written" is /run/data3 'new 3'
    check "default mode and owner" [ "$(stat -c '%a %u:%g' /run/data3)" = '644 0:0' ]
    check "no path" grep -q '^| the seed has no absolute path' $report
    check "exit status" [ $rc -eq 1 ]
}

test_hosts_and_environment() {
    read -r host </proc/sys/kernel/hostname
    tab='	'
    printf '127.0.0.1 localhost\n10.0.0.9\thost.lima.internal\n10.1.1.1 other' >/etc/hosts
    printf 'LANG=C\n#LIMA-START\nOLD=1\n#LIMA-END\nLAST=1' >/etc/environment
    # shellcheck disable=SC2016
    printf '%s\n' 'A=b c' 'D=$x' >"$seed/etc_environment"
    run_boot
    check "hosts" is /etc/hosts "$(printf '%s\n' '127.0.0.1 localhost' '10.1.1.1 other' \
        "127.0.1.1$tab$host" "127.0.1.1${tab}lima-box" "192.168.5.2${tab}host.lima.internal")"
    # shellcheck disable=SC2016
    check "environment" is /etc/environment "$(printf '%s\n' 'LANG=C' 'LAST=1' '#LIMA-START' 'A=b c' \
        'D=$x' '#LIMA-END')"
    inode=$(stat -c %i /etc/hosts /etc/environment)
    run_boot
    check "nothing to change" [ "$inode" = "$(stat -c %i /etc/hosts /etc/environment)" ]
    check "fuse.conf" is /etc/fuse.conf user_allow_other
    : >"$seed/etc_environment"
    run_boot
    check "environment emptied" is /etc/environment "$(printf '%s\n' LANG=C LAST=1)"
}

test_home_made_by_a_mount() {
    [ "$user" != root ] || return 0
    mkdir -p /etc/skel
    echo rc >/etc/skel/.bashrc
    chown root /mnt/home
    run_boot
    check "owner" [ "$(stat -c '%U' /mnt/home)" = "$user" ]
    check "skeleton" is /mnt/home/.bashrc rc
}

test_password() {
    echo LIMA_CIDATA_PASSWORDLESS_SUDO=false >>"$seed/lima.env"
    run_boot
    check "set" grep -qE "^$user:[A-Za-z0-9]{20}$" /run/chpasswd-in
    check "kept" [ "$user:$(cat /mnt/home/password)" = "$(cat /run/chpasswd-in)" ]
    check "private" [ "$(stat -c '%a %U' /mnt/home/password)" = "600 $user" ]
    rm /run/chpasswd-in
    run_boot
    check "once" absent /run/chpasswd-in
}

test_utilities() {
    : >/run/output
    while read -r a op b expect; do
        # shellcheck disable=SC2086
        $shell "$scripts/util/compare_version.sh" "$a" "$op" "$b"
        check "$a $op $b" [ $? -eq "$expect" ]
    done <<'EOF'
1.2.3 -ge 1.2 0
v1.10 -gt 1.9.9 0
1.0 -eq 1 0
1.0 -ne 1.0.1 0
2.0-rc1 -lt 2.0.1 0
1.08 -le 1.9 0
1.9 -ge 1.10 1
3 -lt 3.0.0 1
EOF
    # shellcheck disable=SC2086
    $shell "$scripts/util/compare_version.sh" 1 -xx 2 2>/dev/null
    check "unknown operator" [ $? -eq 2 ]
    # shellcheck disable=SC2086
    escaped=$($shell "$scripts/util/escape_fstab.sh" 'a b	c\d')
    check "escape" [ "$escaped" = 'a\040b\011c\134d' ]
    # shellcheck disable=SC2086
    check "unescape" [ "$($shell "$scripts/util/unescape_fstab.sh" "$escaped")" = 'a b	c\d' ]
}

# ---- all of them, under every shell ---------------------------------------------------------------

for shell in dash 'busybox sh' 'bash --posix'; do
    command -v "${shell%% *}" >/dev/null 2>&1 || {
        echo "not tested under $shell: not installed"
        continue
    }
    # shellcheck disable=SC2013 # one word per line
    for test in $(sed -n 's/^test_\([a-z_]*\)() {$/\1/p' "$0"); do
        new_seed
        "test_$test"
    done
done
echo "boot-scripts: $passed passed, $failed failed"
[ $failed -eq 0 ] && [ $passed -gt 0 ]
