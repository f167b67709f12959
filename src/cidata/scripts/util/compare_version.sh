#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# compare_version.sh A -lt|-le|-eq|-ne|-ge|-gt B: compares dotted version numbers, for use in a
# condition. A leading v and all after the numbers (-rc1, +build) are left aside; missing numbers
# are 0.
set -eu
if [ $# -ne 3 ]; then
    echo 'usage: compare_version.sh A -lt|-le|-eq|-ne|-ge|-gt B' >&2
    exit 2
fi

# Takes the first number off the list in $rest.
first_number() {
    number=${rest%%.*}
    case $rest in *.*) rest=${rest#*.} ;; *) rest= ;; esac
    while :; do
        case $number in 0?*) number=${number#0} ;; *) break ;; esac
    done
}

left=${1#v}
left=${left%%[!0-9.]*}
right=${3#v}
right=${right%%[!0-9.]*}
order=0
while [ "$order" -eq 0 ] && [ -n "$left$right" ]; do
    rest=$left && first_number && left=$rest && a=${number:-0}
    rest=$right && first_number && right=$rest && b=${number:-0}
    [ "$a" -le "$b" ] || order=1
    [ "$a" -ge "$b" ] || order=-1
done
case $2 in
    -lt) [ "$order" -lt 0 ] ;;
    -le) [ "$order" -le 0 ] ;;
    -eq) [ "$order" -eq 0 ] ;;
    -ne) [ "$order" -ne 0 ] ;;
    -ge) [ "$order" -ge 0 ] ;;
    -gt) [ "$order" -gt 0 ] ;;
    *)
        echo "compare_version.sh: unknown operator $2" >&2
        exit 2
        ;;
esac
