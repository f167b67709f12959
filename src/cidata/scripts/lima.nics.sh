# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# An entry of user-data's bootcmd, and after it the call of this function with MAC=NAME of every
# interface: one that does not have its name gets it. cloud-init and systemd have renamed them by
# now, but where something has set them up before (Ubuntu 26.04: the initramfs), they could not, as
# the kernel renames only what is down; and what waits for the new name has no network. cloud-init
# joins all entries into one script, so nothing here may exit or set -e.
lima_name_nics() {
    lima_renamed=
    for lima_pair in "$@"; do
        lima_name=${lima_pair#*=}
        [ ! -e "/sys/class/net/$lima_name" ] || continue
        for lima_nic in /sys/class/net/*; do
            # A bridge or a VLAN has the address of its interface, and is no device.
            [ -e "$lima_nic/device" ] || continue
            read -r lima_mac <"$lima_nic/address"
            [ "$lima_mac" = "${lima_pair%%=*}" ] || continue
            lima_nic=${lima_nic##*/}
            ip link set dev "$lima_nic" down
            if ip link set dev "$lima_nic" name "$lima_name"; then
                lima_nic=$lima_name
                lima_renamed="$lima_renamed $lima_name"
            fi
            ip link set dev "$lima_nic" up
            break
        done
    done
    # What follows in cloud-init may want the network, which comes up anew.
    for lima_name in $lima_renamed; do
        lima_left=100
        until [ $lima_left -eq 0 ] || ip -4 -o addr show dev "$lima_name" | grep -q ' inet '; do
            lima_left=$((lima_left - 1))
            sleep 0.2
        done
    done
}
