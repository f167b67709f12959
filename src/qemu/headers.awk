# SPDX-License-Identifier: Apache-2.0
# Reads the public headers of libcima-qemu and prints, by `mode`:
#   symbols       the name of every function
#   map           the symbol map for the linker
#   undocumented  FILE:LINE: NAME of every function without a comment
#   man           the functions by header, with their comments, for libcima-qemu(3)
# A comment belongs to the declarations that follow it without a blank line. Run with LC_ALL=C.

BEGIN {
    if (mode == "")
        mode = "symbols"
    for (i = 128; i < 256; i++)
        code[sprintf("%c", i)] = i
    if (mode == "map")
        print "/* The public functions of libcima-qemu: `make update-map` writes this list anew from the\n" \
              " * headers. A name that has been released never goes away. */\nCIMA_QEMU_0 {\nglobal:"
}

# ---- for manual pages -----------------------------------------------------------------------------

# UTF-8 as groff's names of characters: \[u2026].
function characters(s,    out, c, n, value, i) {
    if (s !~ /[\200-\377]/)
        return s
    for (i = 1; i <= length(s); i++) {
        c = substr(s, i, 1)
        if (!(c in code)) {
            out = out c
            continue
        }
        n = code[c] >= 240 ? 3 : code[c] >= 224 ? 2 : 1
        value = code[c] % (n == 3 ? 8 : n == 2 ? 16 : 32)
        for (; n > 0; n--)
            value = value * 64 + code[substr(s, ++i, 1)] % 64
        out = out sprintf("\\[u%04X]", value)
    }
    return out
}

function roff(s) {
    gsub(/\\/, "\\e", s)
    gsub(/-/, "\\-", s)
    s = characters(s)
    return s ~ /^[.']/ ? "\\&" s : s
}

# A comment: its lines, those that are indented as they are. Examples and tables are.
function put_comment(text,    lines, n, i, fixed) {
    # Ids of the specification's rows say nothing to a reader of the page.
    gsub(/[ \n]\((S[0-9]|SD|Q|H|F)-?[0-9][^)]*\)/, "", text)
    n = split(text, lines, "\n")
    for (i = 1; i <= n; i++) {
        if (lines[i] == "") {
            if (!fixed)
                print ".PP"
            continue
        }
        if (lines[i] ~ /^  / && !fixed) {
            print ".PP\n.nf"
            fixed = 1
        } else if (lines[i] !~ /^  / && fixed) {
            print ".fi\n.PP"
            fixed = 0
        }
        print roff(lines[i])
    }
    if (fixed)
        print ".fi"
}

# On lines of at most 76 characters, where that can be.
function put_prototype(s,    words, n, i, line) {
    n = split(s, words, /, /)
    line = words[1]
    for (i = 2; i <= n; i++) {
        if (length(line) + 2 + length(words[i]) > 76) {
            print "\\fB" roff(line ",") "\\fP"
            line = "        " words[i]
        } else {
            line = line ", " words[i]
        }
    }
    print "\\fB" roff(line) "\\fP"
}

# The declarations that share a comment, then the comment.
function flush_group(    i, n, lines) {
    if (mode == "man" && group != "") {
        print ".PP\n.nf"
        n = split(group, lines, "\n")
        for (i = 1; i <= n; i++)
            put_prototype(lines[i])
        print ".fi"
        if (comment != "") {
            print ".RS 4"
            put_comment(comment)
            print ".RE"
        }
    }
    group = ""
}

# ---- reading --------------------------------------------------------------------------------------

FNR == 1 {
    flush_group()
    comment = text = header_text = ""
    depth = in_comment = in_cpp = skipping = 0
    started = 0
    file = FILENAME
    sub(/.*\/cima\//, "cima/", file)
}

# A line of a comment, without its ornaments.
function add_comment(s) {
    sub(/^[ \t]*\/\*[ \t]?/, "", s)
    sub(/[ \t]*\*\/[ \t]*$/, "", s)
    if (in_comment)
        sub(/^[ \t]*\*[ ]?/, "", s)
    comment = comment (comment == "" ? "" : "\n") s
}

# "---- title ----" is no comment of what follows, but a heading.
function end_comment() {
    if (comment !~ /^----/)
        return
    gsub(/^-+ *| *-+$/, "", comment)
    if (mode == "man" && comment !~ /\n/)
        print ".PP\n\\fI" roff(comment) "\\fP"
    comment = ""
}

# What a comment belongs to ends here.
function forget() {
    flush_group()
    comment = ""
}

# The parameters and the text of a macro, for expand().
function keep_macro(line,    head) {
    if (line ~ /^#define [A-Za-z_]+\(/) {
        macro = head = line
        sub(/^#define /, "", macro)
        sub(/\(.*/, "", macro)
        sub(/^[^(]*\(/, "", head)
        sub(/\).*/, "", head)
        parameters[macro] = head
        body[macro] = ""
        sub(/^[^)]*\)/, "", line)
    } else if (!in_cpp) {
        macro = ""
    }
    sub(/\\$/, "", line)
    if (macro != "")
        body[macro] = body[macro] " " line
}

# What ROW makes of every row X(A, B) of LIST.
function expand(line,    list, row, rows, names_of, values, n, i, k, m, p, s, parts) {
    list = row = line
    sub(/\(.*/, "", list)
    sub(/^[^(]*\(/, "", row)
    sub(/\).*/, "", row)
    n = split(body[list], rows, /X\(/)
    m = split(parameters[row], names_of, /, */)
    for (i = 2; i <= n; i++) {
        sub(/\).*/, "", rows[i])
        split(rows[i], values, /, */)
        s = body[row]
        for (k = 1; k <= m; k++) {
            gsub("##" names_of[k] "##", values[k], s)
            gsub("##" names_of[k], values[k], s)
        }
        p = split(s, parts, ";")
        for (k = 1; k < p; k++)
            declared(parts[k] ";")
    }
}

function declared(s,    name, head) {
    gsub(/[ \t]+/, " ", s)
    sub(/^ /, "", s)
    if (s ~ /^(typedef|struct [a-z_0-9]+ ?;|enum [a-z_0-9]+ ?;|(struct|enum) [a-z_0-9]* ?\{)/ ||
        s !~ /cima_[a-z0-9_]* ?\(/) {
        forget()
        return
    }
    head = s
    sub(/ ?\(.*/, "", head)
    name = head
    sub(/.*[ *]/, "", name)
    sub(/ __attribute__.*/, ";", s)
    names[++n_names] = name
    if (mode == "undocumented" && comment == "") {
        print FILENAME ":" FNR ": " name
        missing++
    }
    group = group (group == "" ? "" : "\n") s
}

{
    line = $0
    if (in_comment) {
        if (line ~ /\*\//) {
            add_comment(line)
            in_comment = 0
            end_comment()
            if (!started)
                header_text = comment
        } else {
            add_comment(line)
        }
        next
    }
    if (line ~ /^#ifdef __cplusplus/) {
        skipping = 1
        next
    }
    if (skipping) {
        if (line ~ /^#endif/)
            skipping = 0
        next
    }
    # A list of names, LIST(ROW): ROW is a macro that declares a function for a row of the list.
    if (depth == 0 && text == "" && line ~ /^[A-Z_]+\([A-Z_]+\)$/) {
        expand(line)
        next
    }
    if (line ~ /^[ \t]*#/ || in_cpp) {
        keep_macro(line)
        in_cpp = line ~ /\\$/
        if (line ~ /^#define/ && !started) {
            started = 1
            if (mode == "man") {
                print ".SS <" file ">"
                put_comment(header_text)
            }
        }
        if (line !~ /^#(define|undef)/ && !in_cpp && line ~ /^[ \t]*#/ || line ~ /^#undef/)
            forget()
        next
    }
    if (line ~ /SPDX-License-Identifier/)
        next
    if (line ~ /^[ \t]*$/ && text == "") {
        forget()
        next
    }
    if (text == "" && line ~ /^[ \t]*\/\*/) {
        # A comment behind declarations begins something new.
        if (group != "")
            forget()
        comment = ""
        if (line ~ /\*\//) {
            add_comment(line)
            end_comment()
            if (!started)
                header_text = comment
        } else {
            add_comment(line)
            in_comment = 1
        }
        next
    }
    # A comment at the end of a line belongs to this declaration.
    if (match(line, /\/\*.*\*\//)) {
        if (depth == 0 && comment == "") {
            tail = substr(line, RSTART, RLENGTH)
            add_comment(tail)
        }
        line = substr(line, 1, RSTART - 1) substr(line, RSTART + RLENGTH)
    } else if (match(line, /\/\*/)) {
        keep = comment
        add_comment(substr(line, RSTART))
        if (keep != "")
            comment = keep
        in_comment = 1
        line = substr(line, 1, RSTART - 1)
    }
    text = text " " line
    opened = gsub(/\{/, "{", line)
    closed = gsub(/\}/, "}", line)
    depth += opened - closed
    if (depth == 0 && text ~ /;[ \t]*$/) {
        declared(text)
        text = ""
    }
}

END {
    flush_group()
    if (mode != "symbols" && mode != "map")
        exit missing > 0
    # Sorted, without the help of a program.
    for (i = 2; i <= n_names; i++)
        for (k = i; k > 1 && names[k] < names[k - 1]; k--) {
            swap = names[k]
            names[k] = names[k - 1]
            names[k - 1] = swap
        }
    for (i = 1; i <= n_names; i++)
        print mode == "map" ? "    " names[i] ";" : names[i]
    if (mode == "map")
        print "local:\n    *;\n};"
}
