#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# escape_fstab.sh TEXT: prints TEXT as a field of fstab has it.
set -eu
rest=${1?usage: escape_fstab.sh TEXT}
text=
newline='
'
while [ -n "$rest" ]; do
    tail=${rest#?}
    case $rest in
        ' '*) text=$text\\040 ;;
        '	'*) text=$text\\011 ;;
        "$newline"*) text=$text\\012 ;;
        \\*) text=$text\\134 ;;
        *) text=$text${rest%"$tail"} ;;
    esac
    rest=$tail
done
printf '%s\n' "$text"
