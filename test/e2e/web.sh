# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# For the end-to-end tests that have a local HTTP server (after lib.sh): a cache of their own, no
# proxy, the directories $www and $state, and `server`, which serves $www at $base. Works in $scratch.
# shellcheck disable=SC2034,SC2154 # what lib.sh sets, and what the scripts use

cd "$scratch" || exit 99
command -v python3 >/dev/null || skip 'python3 is not installed'
command -v qemu-img >/dev/null || skip 'qemu-img is not installed'
command -v qemu-system-x86_64 >/dev/null || skip 'qemu-system-x86_64 is not installed'

export XDG_CACHE_HOME="$scratch/cache"
unset http_proxy HTTP_PROXY https_proxy HTTPS_PROXY all_proxy ALL_PROXY SSL_CERT_FILE SSL_CERT_DIR
www=$scratch/www state=$scratch/state
mkdir "$www" "$state"

# server [CERTIFICATE]
server() {
    rm -f "$state/port"
    python3 "$srcdir/test/fake/http_server.py" "$www" "$state" "$@" &
    server_pid=$!
    within 60 test -s "$state/port" || exit 99
    base=http://127.0.0.1:$(cat "$state/port")
}
