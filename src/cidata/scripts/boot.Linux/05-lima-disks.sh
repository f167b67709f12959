#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Additional disks: LIMA_CIDATA_DISK_n_{NAME,DEVICE,FORMAT,FSTYPE,FSARGS}. Each is mounted on
# /mnt/lima-NAME by the label lima-NAME. A blank disk gets one partition with a file system if
# FORMAT says so; a disk with data in it and another label is never touched.
set -u
value=

get() {
    eval "value=\${LIMA_CIDATA_DISK_${n}_$1:-}"
}

# Only zeros in the first MiB: no partition table, no file system that anyone knows.
is_blank() {
    [ "$(head -c 1048576 "$1" | LC_ALL=C tr -d '\0' | head -c 1 | wc -c)" -eq 0 ]
}

format() {
    target=/dev/$device
    if command -v sfdisk >/dev/null 2>&1; then
        echo 'type=linux' | sfdisk --quiet --label gpt "$target" || return 1
        target=/dev/${device}1
        ! command -v udevadm >/dev/null 2>&1 || udevadm settle
    fi
    command -v "mkfs.$fstype" >/dev/null 2>&1 || {
        echo "disk $name: this guest has no mkfs.$fstype"
        return 1
    }
    echo "disk $name: making a file system of type $fstype on $target"
    set -f
    # shellcheck disable=SC2086 # arguments, separated by blanks
    "mkfs.$fstype" $fsargs -L "$label" "$target"
}

# A disk may have been made bigger since it was formatted.
grow() {
    case $found in
        "/dev/${device}1")
            sys=/sys/class/block
            read -r disk_size <"$sys/$device/size"
            read -r part_size <"$sys/${device}1/size"
            read -r part_start <"$sys/${device}1/start"
            [ $((disk_size - part_start - part_size)) -gt 4096 ] || return 0
            if command -v growpart >/dev/null 2>&1; then
                growpart "/dev/$device" 1
            elif command -v sfdisk >/dev/null 2>&1; then
                echo ', +' | sfdisk --quiet --no-reread --force -N 1 "/dev/$device" &&
                    partx -u "/dev/$device"
            else
                echo "disk $name: not grown, this guest has neither growpart nor sfdisk"
                return 0
            fi || return 1
            ;;
    esac
    case $fstype in
        ext[234]) ! command -v resize2fs >/dev/null 2>&1 || resize2fs "$found" ;;
        xfs) ! command -v xfs_growfs >/dev/null 2>&1 || xfs_growfs "$mount_point" ;;
        btrfs) btrfs filesystem resize max "$mount_point" ;;
    esac
}

one_disk() {
    get NAME && name=$value
    get DEVICE && device=$value
    get FORMAT && want_format=$value
    get FSTYPE && fstype=${value:-ext4}
    get FSARGS && fsargs=$value
    label=lima-$name
    mount_point=/mnt/$label
    if [ ! -b "/dev/$device" ]; then
        echo "disk $name: there is no device /dev/$device"
        return 1
    fi
    while read -r _ point _; do
        [ "$point" != "$mount_point" ] || return 0
    done </proc/mounts
    found=$(findfs "LABEL=$label" 2>/dev/null)
    if [ -z "$found" ]; then
        case $want_format in
            1 | [Tt]rue) ;;
            *)
                echo "disk $name: not formatted, so it stays unmounted"
                return 0
                ;;
        esac
        if ! is_blank "/dev/$device"; then
            echo "disk $name: /dev/$device has data, but no file system labelled $label:" \
                "left as it is (format: false says so in the instance)"
            return 1
        fi
        format || return 1
        found=$target
    fi
    mkdir -p "$mount_point" && mount -t "$fstype" "$found" "$mount_point" || return 1
    grow || echo "disk $name: could not be grown, used in its old size"
}

status=0
n=0
while [ $n -lt "$LIMA_CIDATA_DISKS" ]; do
    one_disk || status=1
    n=$((n + 1))
done
exit $status
