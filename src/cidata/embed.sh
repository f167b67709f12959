#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# embed.sh DIR: writes C with the content of every script below DIR, sorted by name, to stdout.
set -eu
LC_ALL=C
export LC_ALL
cd "$1"
echo '/* Made by embed.sh from scripts/. */'
echo '#include "cidata/internal.h"'
echo
echo 'const struct embedded_file embedded_files[] = {'
find . -type f -name '*.sh' | sort | while IFS= read -r file; do
    name=${file#./}
    printf '    {"%s",\n' "$name"
    # Line by line; the octal escapes leave nothing to be read as a trigraph or another escape.
    awk '{
        gsub(/\\/, "\\134")
        gsub(/"/, "\\042")
        gsub(/\?/, "\\077")
        gsub(/\t/, "\\011")
        printf "     \"%s\\n\"\n", $0
    }' "$file"
    printf '     , %d},\n' "$(wc -c <"$file")"
done
echo '};'
echo 'const size_t embedded_files_count = sizeof(embedded_files) / sizeof(embedded_files[0]);'
