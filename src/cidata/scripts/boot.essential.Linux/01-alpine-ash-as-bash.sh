#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The user's login shell is /bin/bash unless the instance says otherwise. Where there is no bash,
# an ash under that name lets the user log in, until a package brings the real one.
set -eu
[ ! -e /bin/bash ] || exit 0
printf '#!/bin/sh\nexec /bin/ash "$@"\n' >/bin/bash
chmod 0755 /bin/bash
