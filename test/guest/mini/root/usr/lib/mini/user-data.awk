# SPDX-License-Identifier: Apache-2.0
# Reads the parts of a cloud-config that the mini guest honours. It knows block style only: top
# level keys with a scalar or a list of mappings, scalars or literal blocks, and lists of scalars
# in those mappings; and for mounts, lists in flow style with every field in double quotes. Other
# flow style, anchors, folded blocks and multi-line plain scalars are not read.
# Writes below `dir`:
#   user             name, uid, gecos, homedir, shell, sudo: one per line, in this order
#   keys             ssh_authorized_keys
#   bootcmd          all of bootcmd as one script, as cloud-init does it
#   fstab            mounts
#   file.N, files    contents of write_files; lines "N MODE OWNER PATH"

function flush_file() {
    if (path == "") return
    printf "%s", content >(dir "/file." files)
    close(dir "/file." files)
    print files, mode, owner, path >(dir "/files")
    files++
    path = content = ""
}

# A scalar without its quotes or its comment.
function plain(s,    out, c, i) {
    sub(/^[ \t]+/, "", s)
    if (s ~ /^'/) {
        s = substr(s, 2)
        out = ""
        while ((i = index(s, "'")) > 0) {
            out = out substr(s, 1, i - 1)
            if (substr(s, i + 1, 1) != "'") return out
            out = out "'"
            s = substr(s, i + 2)
        }
        return out s
    }
    if (s ~ /^"/) {
        out = ""
        for (i = 2; i <= length(s); i++) {
            c = substr(s, i, 1)
            if (c == "\"") break
            if (c == "\\") {
                c = substr(s, ++i, 1)
                if (c == "n") c = "\n"
                else if (c == "t") c = "\t"
            }
            out = out c
        }
        return out
    }
    sub(/[ \t]+#.*$/, "", s)
    sub(/[ \t]+$/, "", s)
    return s == "~" || s == "null" ? "" : s
}

# A line of fstab from ["FIELD", "FIELD", ...]; fields have no blanks (fstab escapes them).
function add_mount(s) {
    sub(/^\[[ \t]*"/, "", s)
    sub(/"[ \t]*\][ \t]*$/, "", s)
    gsub(/"[ \t]*,[ \t]*"/, " ", s)
    gsub(/\\\\/, "\\", s)
    print s >(dir "/fstab")
}

# A complete value: of key `sub_key` of an item of list `top`, or of the item itself.
function value(v) {
    if (top == "users") {
        if (item > 1) return
        if (sub_key ~ /^ssh[_-]authorized[_-]keys$/) print v >(dir "/keys")
        else user[sub_key] = v
    } else if (top == "bootcmd") {
        print v >(dir "/bootcmd")
    } else if (top == "write_files") {
        if (sub_key == "path") path = v
        else if (sub_key == "content") content = v
        else if (sub_key == "permissions") mode = v
        else if (sub_key == "owner") owner = v
    }
}

# A value that begins on this line, of a node indented by `at`.
function begin(s, at) {
    if (s ~ /^\|[0-9]?[-+]?[0-9]?[ \t]*(#.*)?$/) {
        in_block = 1
        block = ""
        block_floor = at
        block_indent = match(s, /[0-9]/) ? at + substr(s, RSTART, 1) : 0
        chomp = s ~ /^\|[0-9]?-/ ? "-" : s ~ /^\|[0-9]?\+/ ? "+" : ""
    } else if (s != "" && s !~ /^#/) {
        value(plain(s))
    }
}

function end_block() {
    in_block = 0
    if (chomp != "+") sub(/\n+$/, chomp == "-" ? "" : "\n", block)
    value(block)
}

BEGIN { mode = "0644"; owner = "root:root"; files = 0 }

{
    sub(/\r$/, "")
    match($0, /^ */)
    at = RLENGTH
    line = substr($0, at + 1)
}

in_block {
    if (line == "") {
        block = block (block_indent && at > block_indent ? substr($0, block_indent + 1) : "") "\n"
        next
    }
    if (!block_indent && at > block_floor) block_indent = at
    if (block_indent && at >= block_indent) {
        block = block substr($0, block_indent + 1) "\n"
        next
    }
    end_block()
}

line == "" || line ~ /^#/ || line ~ /^(---|\.\.\.)/ && at == 0 { next }

at == 0 && line !~ /^- / && line != "-" {
    if (top == "write_files") flush_file()
    top = line
    sub(/:.*/, "", top)
    dash = -1
    item = 0
    sub_key = ""
    next
}

line ~ /^-( |$)/ {
    if (dash < 0) dash = at
    if (at == dash) {
        item++
        sub_key = ""
        if (top == "write_files") {
            flush_file()
            mode = "0644"
            owner = "root:root"
        }
    }
    sub(/^-/, "", line)
    match(line, /^ */)
    node = at + 1 + RLENGTH
    line = substr(line, RLENGTH + 1)
    if (top == "mounts" && line ~ /^\[/) {
        add_mount(line)
        next
    }
    # An element of a list in an item, or an item that is no mapping.
    if (at > dash || line !~ /^[A-Za-z_][A-Za-z0-9_-]*:( |$)/) {
        begin(line, at)
        next
    }
    at = node
}

dash >= 0 && line ~ /^[A-Za-z_][A-Za-z0-9_-]*:( |$)/ {
    sub_key = line
    sub(/:.*/, "", sub_key)
    sub(/^[^:]*:[ \t]*/, "", line)
    begin(line, at)
}

END {
    if (in_block) end_block()
    flush_file()
    if ("name" in user) {
        printf "%s\n%s\n%s\n", user["name"], user["uid"], user["gecos"] >(dir "/user")
        printf "%s\n%s\n%s\n", user["homedir"], user["shell"], user["sudo"] >(dir "/user")
    }
}
