#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# summary.sh BUILD-DIR...: prints the closing line of every test program that ran there and a total.
# Fails when a test failed or when nothing ran.
set -eu

plain() { sed 's/\x1b\[[0-9;]*m//g' "$1"; }

# N passed, N failed[, N skipped]
set_counts() { n=$1 f=$3 s=${5:-0}; }

total=0 bad=0 skipped=0
for dir; do
    printf -- '--- %s\n' "$(basename "$dir")"
    for trs in "$dir"/*.trs "$dir"/test/*/*.trs "$dir"/test/*/*/*.trs; do
        [ -f "$trs" ] || continue
        log=${trs%.trs}.log
        name=${trs#"$dir"/}
        name=${name%.trs}
        result=$(sed -n 's/^:global-test-result: //p' "$trs")
        # Criterion closes with its synthesis, the other runners with "N passed, N failed".
        line=$(plain "$log" |
            grep -E 'Synthesis: Tested:|^([^ ]+: )?[0-9]+ passed, [0-9]+ failed' | tail -n 1) || line=
        printf '%-5s %-28s %s\n' "$result" "$name" "$line"
        case $line in
        *Synthesis*)
            n=$(printf '%s\n' "$line" | sed 's/.*Passing: *\([0-9]*\).*/\1/')
            f=$(printf '%s\n' "$line" | sed 's/.*Failing: *\([0-9]*\).*/\1/')
            crashed=$(printf '%s\n' "$line" | sed 's/.*Crashing: *\([0-9]*\).*/\1/')
            f=$((f + crashed))
            # What was skipped is in none of them: a line of its own says so, and why.
            s=$(plain "$log" | grep -c '^\[SKIP\]') || true
            total=$((total + n)) bad=$((bad + f)) skipped=$((skipped + s))
            plain "$log" | grep -E '^\[SKIP\]|^skipped: ' | sed 's/^/      /' || true
            ;;
        *passed*)
            # "[name: ]N passed, N failed[, N skipped]": words to positions.
            # shellcheck disable=SC2086 # splitting is the point
            set_counts ${line##*: }
            total=$((total + n)) bad=$((bad + f)) skipped=$((skipped + s))
            ;;
        esac
        case $result in
        SKIP)
            skipped=$((skipped + 1))
            tail -n 3 "$log" | sed 's/^/      /'
            ;;
        PASS) ;;
        *)
            # A program that failed without saying how many tests did.
            if [ -z "$line" ] || [ "$f" -eq 0 ]; then
                bad=$((bad + 1))
            fi
            # Criterion's assertions come before the line that names the test.
            plain "$log" | grep -E -A 32 '^FAIL |^not ok|Assertion Failed|\[FAIL\]|\[CRASH\]|ERROR: |runtime error' |
                head -n 120 | cut -c 1-400 | sed 's/^/      /' || true
            echo '      ...'
            tail -n 40 "$log" | sed 's/^/      /'
            ;;
        esac
    done
done
printf '%d passed, %d failed, %d skipped\n' "$total" "$bad" "$skipped"
[ "$bad" -eq 0 ] && [ "$total" -gt 0 ]
