#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs in the guest, as root, on every boot, from the mounted seed ($LIMA_CIDATA_MNT):
#   boot.sh           boot scripts, provision scripts, then /run/lima-boot-done (GS-07)
#   boot.sh early     the same, begun while the system comes up: provision scripts and whatever
#                     installs packages wait until it is
#   boot.sh quick     as early, on a boot without cloud-init (util/quick_boot.sh)
#   boot.sh bootcmd   the scripts of provision.boot, early in boot
# What became of each provision script is written to $boot_report for the host to read:
#   script NAME STATUS SECONDS      one per provision script and per boot script that failed
#   cloud-init STATE                error or degraded, when cloud-init has complained
#   | LINE                          after these: up to 20 last lines, 500 bytes each
#   end STATUS                      when all is over
# For dash, busybox and bash alike. A fork costs milliseconds under emulation: whatever the shell
# can do by itself is done by the shell. Variables of ours begin with boot_, because the
# environment files may define any other name.

boot_mnt=${LIMA_CIDATA_MNT:-/mnt/lima-cidata}
boot_tmp=/run/cima-boot
boot_report=/run/cima-boot-report
boot_log=/var/log/cloud-init.log
boot_awaited=
boot_how=${1:-}
boot_status=0

# ---- small things ------------------------------------------------------------------------------

boot_info() {
    echo "LIMA| $*"
}

boot_warning() {
    echo "LIMA $(date '+%Y-%m-%d %H:%M:%S')| WARNING: $*"
}

# Is the value a true one? Booleans come as 1 or true; unset, empty, 0 and false are false.
boot_true() {
    case ${1:-} in 1 | [Tt]rue | [Yy]es) return 0 ;; esac
    return 1
}

# Sets boot_now to the time since boot in hundredths of a second.
boot_clock() {
    read -r boot_now boot_rest </proc/uptime
    boot_now=$((${boot_now%.*} * 100 + 1${boot_now#*.} - 100))
}

# boot_get VARIABLE: sets boot_value to the value of LIMA_CIDATA_VARIABLE, or to nothing.
boot_get() {
    eval "boot_value=\${LIMA_CIDATA_$1:-}"
}

# Exports the NAME=value lines of a file as they stand: nothing in them is expanded or run. Names
# that are none, and those that shells keep to themselves, are left out.
boot_import() {
    [ -r "$1" ] || return 0
    while IFS= read -r boot_line || [ -n "$boot_line" ]; do
        case $boot_line in *=*) ;; *) continue ;; esac
        case ${boot_line%%=*} in
            '' | [0-9]* | *[!A-Za-z0-9_]* | boot_*) ;;
            BASHOPTS | BASH_VERSINFO | EUID | IFS | PPID | SHELLOPTS | UID) ;;
            *) export "${boot_line?}" ;;
        esac
    done <"$1"
}

# ---- running and reporting ---------------------------------------------------------------------

# boot_record NAME STATUS HUNDREDTHS FILE: one block of the report; FILE has the last output.
boot_record() {
    case $1:$2 in boot.*:0) return 0 ;; esac
    printf 'script %s %d %d.%02d\n' "$1" "$2" $(($3 / 100)) $(($3 % 100)) >>"$boot_report"
    [ "$2" -ne 0 ] || return 0
    boot_status=1
    boot_warning "Failed to execute $1 (exit status $2)"
    [ ! -s "$4" ] || boot_lines "$4"
}

# boot_lines FILE: its last lines go into the report.
boot_lines() {
    tail -n 20 "$1" | LC_ALL=C cut -b 1-500 | LC_ALL=C sed 's/^/| /' >>"$boot_report"
}

# What cloud-init says of its own work in this boot, as far as it has come: its errors, and what its
# log has of them. Asking it (`cloud-init status`) would take seconds under emulation.
boot_cloud_init() {
    [ -r /run/cloud-init/status.json ] || return 0
    boot_state=
    boot_inside=
    while IFS= read -r boot_line || [ -n "$boot_line" ]; do
        case $boot_line in
            *'"errors": []'* | *'"recoverable_errors": {}'*) continue ;;
            *'"errors": '*) boot_state=error ;;
            *'"recoverable_errors": '*) boot_state=${boot_state:-degraded} ;;
            *)
                boot_line=${boot_line#"${boot_line%%[! ]*}"}
                case $boot_line in ']'* | '}'*) boot_inside= ;; esac
                [ -z "$boot_inside" ] || echo "$boot_line"
                continue
                ;;
        esac
        boot_inside=yes
    done </run/cloud-init/status.json >"$boot_tmp/cloud-init"
    if [ -n "$boot_state" ]; then
        echo "cloud-init $boot_state" >>$boot_report
        tail -c 1000000 $boot_log 2>/dev/null |
            grep -aE 'WARNING|ERROR|CRITICAL' >>"$boot_tmp/cloud-init"
        boot_lines "$boot_tmp/cloud-init"
    fi
    rm -f "$boot_tmp/cloud-init"
}

# Scripts of the instance are written for a system that is up, as it is at the end of cloud-init.
# A unit that does nothing waits for those that are being started. To start them here would run
# once more what has failed.
boot_wait_for_system() {
    [ -n "$boot_awaited" ] || return 0
    boot_info "Waiting for the system to be up"
    # shellcheck disable=SC2086 # words
    systemd-run --quiet --unit=cima-boot-wait.service -p Type=oneshot -p DefaultDependencies=no \
        -p After=multi-user.target -p Conflicts=shutdown.target $boot_awaited true || :
    boot_awaited=
}

# When cloud-init has finished, it may be that later boots can do without it.
boot_arm_quick_boot() {
    [ "$boot_how" = early ] && [ $boot_status -eq 0 ] || return 0
    systemd-run --quiet --no-block --unit=cima-quick-arm.service -p After=cloud-final.service \
        -p StandardOutput=append:/var/log/cloud-init-output.log \
        -p StandardError=append:/var/log/cloud-init-output.log \
        /bin/sh "$boot_mnt/util/quick_boot.sh" arm || :
}

# boot_do HOW FILE: does with a file of the seed what its place says.
boot_do() {
    case $1 in
        run) "$2" ;;
        source) boot_source "$2" ;;
        data) boot_data "$2" ;;
        user) boot_user "$2" ;;
        yq)
            echo "yq provisions need the guest agent, which this version does not have"
            return 1
            ;;
    esac
}

# boot_run NAME HOW FILE: does it with its output passed on to our own, and records the result.
# Memory and /run hold 16 KiB of the output at most, however much there is. A process that a
# script leaves behind keeps its pipe and reader; nobody waits for those.
boot_run() {
    boot_name=$1
    echo "$boot_name" >/run/cima-boot-now
    boot_key=$boot_tmp/${boot_name##*/}
    boot_info "Executing $boot_name"
    mkfifo "$boot_key.pipe" || return 1
    {
        { tee /proc/self/fd/5 >&4; } 5>&1 | tail -c 16384 >"$boot_key.tail"
        : >"$boot_key.done"
    } <"$boot_key.pipe" 4>&1 2>/dev/null &
    boot_clock
    boot_start=$boot_now
    boot_do "$2" "$3" >"$boot_key.pipe" 2>&1 </dev/null
    boot_rc=$?
    boot_clock
    boot_took=$((boot_now - boot_start))
    # The reader needs a moment for the end of the output; it is the last lines that count after
    # a failure, and the order of the log otherwise.
    boot_limit=$((boot_now + 50))
    [ $boot_rc -eq 0 ] || boot_limit=$((boot_now + 500))
    while [ ! -e "$boot_key.done" ] && [ "$boot_now" -lt $boot_limit ]; do
        boot_clock
    done
    boot_record "$boot_name" $boot_rc $boot_took "$boot_key.tail"
    rm -f "$boot_key.pipe" "$boot_key.tail" "$boot_key.done"
    return $boot_rc
}

# Runs a script of the seed in a copy of this shell, which saves an exec.
boot_source() {
    # shellcheck source=/dev/null
    (. "$1")
}

# boot_quick NAME FILE: a boot script of ours, with little output. Only a failure is recorded.
boot_quick() {
    boot_clock
    boot_start=$boot_now
    boot_source "$2" >"$boot_tmp/quick" 2>&1 </dev/null
    boot_rc=$?
    [ ! -s "$boot_tmp/quick" ] || cat "$boot_tmp/quick"
    [ $boot_rc -ne 0 ] || return 0
    boot_clock
    boot_record "$1" $boot_rc $((boot_now - boot_start)) "$boot_tmp/quick"
}

# boot_provision MODE HOW: the files of one mode, in the order of the instance's list. All get
# their turn, whatever becomes of the others.
boot_provision() {
    for boot_file in "$boot_mnt/provision.$1"/*; do
        [ -f "$boot_file" ] || continue
        boot_run "provision.$1/${boot_file##*/}" "$2" "$boot_file"
    done
}

# ---- provision modes that are more than running a file ------------------------------------------

# Runs in a login shell of the user. The script is copied because the seed is for root alone; a
# wrapper takes the PARAM_ variables along, which sudo and su would drop.
boot_user() (
    boot_copy=$LIMA_CIDATA_HOME/.lima-user-script
    umask 077
    rm -f "$boot_copy" "$boot_copy.sh"
    {
        echo '#!/bin/sh'
        while IFS= read -r boot_line || [ -n "$boot_line" ]; do
            case ${boot_line%%=*} in '' | *[!A-Za-z0-9_]*) continue ;; esac
            boot_rest=${boot_line#*=}
            boot_quoted=
            while :; do
                case $boot_rest in *\'*) ;; *) break ;; esac
                boot_quoted="$boot_quoted${boot_rest%%\'*}'\\''"
                boot_rest=${boot_rest#*\'}
            done
            echo "export ${boot_line%%=*}"
            printf "%s='%s'\n" "${boot_line%%=*}" "$boot_quoted$boot_rest"
        done <"$boot_mnt/param.env"
        [ ! -d "/run/user/$LIMA_CIDATA_UID" ] ||
            echo "export XDG_RUNTIME_DIR=/run/user/$LIMA_CIDATA_UID"
        # shellcheck disable=SC2016 # for the wrapper to expand
        echo 'exec "${0%.sh}"'
    } >"$boot_copy.sh" &&
        cp "$1" "$boot_copy" &&
        chmod 0700 "$boot_copy" "$boot_copy.sh" &&
        chown "$LIMA_CIDATA_USER" "$boot_copy" "$boot_copy.sh" || return 1
    umask 022
    if command -v sudo >/dev/null 2>&1; then
        sudo -iu "$LIMA_CIDATA_USER" "$boot_copy.sh"
    else
        su - "$LIMA_CIDATA_USER" -c "'$boot_copy.sh'"
    fi
    boot_rc=$?
    rm -f "$boot_copy" "$boot_copy.sh"
    return "$boot_rc"
)

# Writes the file with the attributes that lima.env has for it.
boot_data() (
    boot_index=${1##*/}
    boot_get "DATAFILE_${boot_index}_PATH" && boot_path=$boot_value
    boot_get "DATAFILE_${boot_index}_OWNER" && boot_owner=${boot_value:-root:root}
    boot_get "DATAFILE_${boot_index}_PERMISSIONS" && boot_mode=${boot_value:-644}
    boot_get "DATAFILE_${boot_index}_OVERWRITE"
    case $boot_path in
        /*) ;;
        *)
            echo "the seed has no absolute path for this file: '$boot_path'"
            return 1
            ;;
    esac
    if [ -d "$boot_path" ]; then
        echo "$boot_path is a directory"
        return 1
    fi
    if [ -e "$boot_path" ] && [ -n "$boot_value" ] && ! boot_true "$boot_value"; then
        echo "Not overwriting $boot_path"
        return 0
    fi
    boot_dir=${boot_path%/*}
    if [ ! -d "${boot_dir:=/}" ]; then
        case $boot_owner in
            root | root:* | 0 | 0:*) mkdir -p "$boot_dir" ;;
            *)
                # shellcheck disable=SC2016 # for the shell of su to expand
                su -s /bin/sh "${boot_owner%%:*}" -c 'mkdir -p "$0"' "$boot_dir" 2>/dev/null ||
                    mkdir -p "$boot_dir"
                ;;
        esac || return 1
    fi
    umask 077
    cp "$1" "$boot_path" && chown "$boot_owner" "$boot_path" && chmod "$boot_mode" "$boot_path"
)

# ---- the stages ---------------------------------------------------------------------------------

boot_setup() {
    cd / || return 1
    umask 022
    boot_import "$boot_mnt/lima.env"
    boot_import "$boot_mnt/param.env"
    boot_import "$boot_mnt/etc_environment"
    export LIMA_CIDATA_MNT="$boot_mnt"
    case :$PATH: in
        *:/usr/sbin:*:/sbin:*) ;;
        *) PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin ;;
    esac
    export PATH
    if boot_true "${LIMA_CIDATA_DEBUG:-}"; then
        set -x
    fi
    [ -d $boot_tmp ] || mkdir -m 0700 $boot_tmp
}

# Begins the report, or goes on with the one that the bootcmd stage of this boot has begun, whose
# failures are failures of this boot, too. One with an end belongs to an earlier run.
boot_open_report() {
    boot_found=
    if [ "$1" = continue ] && [ -e $boot_report ]; then
        boot_found=yes
        while read -r boot_word boot_name boot_rc boot_rest; do
            case $boot_word:$boot_rc in
                end:*) boot_found= ;;
                script:0) ;;
                script:*) boot_status=1 ;;
            esac
        done <$boot_report
    fi
    if [ -z "$boot_found" ]; then
        boot_status=0
        rm -f $boot_report
        (umask 077 && : >$boot_report)
    fi
}

# sshfs also stands in for 9p where the kernel has none; 05-lima-mounts has tried to load it.
boot_needs_sshfs() {
    [ "${LIMA_CIDATA_MOUNTS:-0}" != 0 ] || return 1
    case ${LIMA_CIDATA_MOUNTTYPE:-} in
        reverse-sshfs) ;;
        9p)
            while read -r boot_line; do
                case $boot_line in *9p) return 1 ;; esac
            done </proc/filesystems
            ;;
        *) return 1 ;;
    esac
    ! command -v sshfs >/dev/null 2>&1
}

# Does this boot need that boot script? Saves the cost of finding out inside of it.
boot_needs() {
    case $1 in
        boot.essential.Linux/01-alpine-ash-as-bash.sh) [ ! -e /bin/bash ] ;;
        boot.Linux/00-reboot-if-required.sh) boot_true "${LIMA_CIDATA_UPGRADE_PACKAGES:-}" ;;
        boot.Linux/05-guest-home.sh)
            # A mount below the home may have made it before the user was made.
            [ ! -d "$LIMA_CIDATA_HOME" ] ||
                { [ -O "$LIMA_CIDATA_HOME" ] && [ "$LIMA_CIDATA_UID" != 0 ]; }
            ;;
        boot.Linux/05-lima-disks.sh) [ "${LIMA_CIDATA_DISKS:-0}" != 0 ] ;;
        boot.Linux/05-lima-mounts.sh)
            case ${LIMA_CIDATA_MOUNTS:-0}:${LIMA_CIDATA_MOUNTTYPE:-} in
                0:*) return 1 ;;
                *:9p | *:virtiofs) return 0 ;;
            esac
            return 1
            ;;
        boot.Linux/30-install-packages.sh)
            [ -d "$boot_mnt/provision.dependency" ] || boot_needs_sshfs
            ;;
    esac
}

boot_scripts() {
    for boot_file in "$boot_mnt/$1"/*.sh; do
        boot_name=$1/${boot_file##*/}
        if ! [ -f "$boot_file" ] || ! boot_needs "$boot_name"; then
            continue
        fi
        case $boot_name in
            # Runs scripts of the user and package managers: output without bounds.
            */30-install-packages.sh)
                boot_wait_for_system
                boot_run "$boot_name" source "$boot_file"
                ;;
            *) boot_quick "$boot_name" "$boot_file" ;;
        esac
    done
}

# The user's service manager is there once the user has logged in; scripts should not depend on
# when that happens. A guest without it must not keep them waiting.
boot_user_manager() {
    [ -d /run/systemd/system ] && [ -d "$boot_mnt/provision.user" ] || return 0
    systemctl start "user@$LIMA_CIDATA_UID.service" ||
        boot_warning "the service manager of user $LIMA_CIDATA_USER does not start"
}

# Where sudo asks for a password, the user needs one: made once, for the user alone to read.
boot_password() {
    case ${LIMA_CIDATA_PASSWORDLESS_SUDO:-} in '' | 1 | [Tt]rue) return 0 ;; esac
    [ ! -e "$LIMA_CIDATA_HOME/.lima-password-set" ] || return 0
    boot_value=$(LC_ALL=C tr -dc 'a-zA-Z0-9' </dev/urandom | head -c 20)
    if printf '%s:%s\n' "$LIMA_CIDATA_USER" "$boot_value" | chpasswd; then
        (umask 077 && printf '%s\n' "$boot_value" >"$LIMA_CIDATA_HOME/password")
        : >"$LIMA_CIDATA_HOME/.lima-password-set"
        chown "$LIMA_CIDATA_USER" "$LIMA_CIDATA_HOME/password" "$LIMA_CIDATA_HOME/.lima-password-set"
    else
        boot_status=1
        boot_warning "no password could be set for user $LIMA_CIDATA_USER"
    fi
}

boot_main() {
    boot_setup
    if [ "$boot_how" = bootcmd ]; then
        boot_open_report new
        boot_provision boot run
        return $boot_status
    fi
    case $boot_how in
        early) boot_awaited='-p After=cloud-config.service' ;;
        quick) boot_awaited='-p After=network-online.target -p Wants=network-online.target' ;;
    esac
    echo $$ >/run/cima-boot-running
    [ ! -e /run/lima-boot-done ] || rm -f /run/lima-boot-done
    [ ! -e /run/lima-reboot-required ] || rm -f /run/lima-reboot-required
    boot_open_report continue
    boot_scripts boot.essential.Linux
    chown "$LIMA_CIDATA_USER" $boot_report
    boot_true "${LIMA_CIDATA_PLAIN:-}" || boot_scripts boot.Linux
    for boot_mode in data yq system user; do
        [ ! -d "$boot_mnt/provision.$boot_mode" ] || boot_wait_for_system
    done
    boot_provision data data
    boot_provision yq yq
    boot_provision system run
    boot_user_manager
    boot_provision user user
    boot_password
    if [ -e /run/lima-reboot-required ]; then
        boot_info "Rebooting, as a script has asked for"
        reboot
        return $boot_status
    fi
    boot_cloud_init
    echo "end $boot_status" >>$boot_report
    echo "${LIMA_CIDATA_IID:-}" >/run/lima-boot-done
    boot_arm_quick_boot
    boot_info "Exiting with code $boot_status"
    return $boot_status
}

boot_main
exit
