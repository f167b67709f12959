#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Size budget: no function over 100 lines, no file over 1000. Data may be longer: a `static const`
# table inside a function does not count, files that are one table are named below. Needs Universal
# Ctags for the functions.
set -u
cd "${srcdir:-$(dirname "$0")/../..}" || exit 1

max_function=100
max_file=1000

# Files that are one table of data, whatever their length.
tables='
src/config/config.def
'

tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
passed=0
failed=0

find src test -type f \( -name '*.[ch]' -o -name '*.def' -o -name '*.sh' -o -name '*.py' \) \
    ! -path '*/corpus/*' | LC_ALL=C sort >"$tmp/files"
while read -r file; do
    case $tables in
    *"
$file
"*) continue ;;
    esac
    lines=$(wc -l <"$file")
    if [ "$lines" -gt "$max_file" ]; then
        echo "$file: $lines lines, at most $max_file are allowed: split it by concern"
        failed=$((failed + 1))
    else
        passed=$((passed + 1))
    fi
done <"$tmp/files"

skipped=
if ctags --version 2>/dev/null | grep -q 'Universal Ctags'; then
    grep '\.c$' "$tmp/files" |
        ctags -L - -f - --languages=C --kinds-C=f --fields=ne --sort=no 2>/dev/null |
        awk -F '\t' -v max="$max_function" '
        # Lines of the file from start to end that belong to static const initialisers.
        function table_lines(file, start, end,    line, i, n, inside) {
            for (i = 1; (getline line < file) > 0 && i <= end; i++) {
                if (i >= start && line ~ /^ +static const .*= *\{$/)
                    inside = 1
                else if (i >= start && line ~ /^ +static const struct \{$/)
                    inside = 1
                if (inside)
                    n++
                if (line ~ /^ +\};/)
                    inside = 0
            }
            close(file)
            return n + 0
        }
        {
            start = end = 0
            for (i = 4; i <= NF; i++) {
                if ($i ~ /^line:/) start = substr($i, 6) + 0
                if ($i ~ /^end:/) end = substr($i, 5) + 0
            }
            if (!start || !end)
                next
            n = end - start + 1
            if (n > max)
                n -= table_lines($2, start, end)
            if (n > max) {
                print $2 ":" start ": " $1 "() has " n " lines, at most " max " are allowed"
                failed++
            } else {
                passed++
            }
        }
        END { print "#", passed + 0, failed + 0 }' >"$tmp/functions"
    grep -v '^#' "$tmp/functions"
    read -r _ ok bad <<END
$(grep '^#' "$tmp/functions")
END
    passed=$((passed + ok))
    failed=$((failed + bad))
else
    echo "SKIP: the length of functions is not checked: Universal Ctags is not installed"
    skipped=", 1 skipped"
fi
echo "$passed passed, $failed failed$skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
