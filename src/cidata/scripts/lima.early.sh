# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# An entry of user-data's bootcmd: asks systemd to run the boot scripts as soon as the stage of
# cloud-init that makes users, keys and files is over, instead of at the end of its last stage,
# which comes much later. Elsewhere nothing happens, and cloud-init runs them as it always does.
# cloud-init joins all entries into one script, so nothing here may exit or set -e.
if [ -d /run/systemd/system ] && [ ! -e /run/cima-boot-early ] &&
    systemd-run --quiet --no-block --unit=cima-boot.service \
        --description='Boot scripts of the instance' -p Type=oneshot -p RemainAfterExit=yes \
        -p KillMode=process -p TasksMax=infinity -p DefaultDependencies=no \
        -p After=cloud-init.service -p After=local-fs.target \
        -p Conflicts=shutdown.target -p Before=shutdown.target \
        -p StandardOutput=append:/var/log/cloud-init-output.log \
        -p StandardError=append:/var/log/cloud-init-output.log \
        /bin/sh /var/lib/cloud/scripts/per-boot/00-lima.boot.sh early
then
    : >/run/cima-boot-early
fi
