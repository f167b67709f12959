#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# unescape_fstab.sh FIELD: prints the text that a field of fstab or /proc/mounts stands for.
set -eu
rest=${1?usage: unescape_fstab.sh FIELD}
text=
newline='
'
while [ -n "$rest" ]; do
    tail=${rest#????}
    case $rest in
        \\040*) text="$text " ;;
        \\011*) text="$text	" ;;
        \\012*) text=$text$newline ;;
        \\134*) text=$text\\ ;;
        *)
            tail=${rest#?}
            text=$text${rest%"$tail"}
            ;;
    esac
    rest=$tail
done
printf '%s\n' "$text"
