#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Package upgrades may need a restart before anything else is set up. Debian's and Ubuntu's
# packages say so with this file; boot.sh acts on ours.
set -eu
if [ -e /run/reboot-required ]; then
    : >/run/lima-reboot-required
fi
