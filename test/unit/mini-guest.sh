#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The mini guest's reader of user-data: the forms of YAML it promises to know, and what cima writes.
set -u
srcdir=${srcdir:-$(dirname "$0")/../..}
reader=$srcdir/test/guest/mini/root/usr/lib/mini/user-data.awk
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
passed=0
failed=0

# parse: reads a document from standard input
parse() {
    rm -rf "$dir/out"
    mkdir "$dir/out"
    $awk -v dir="$dir/out" -f "$reader"
}

# is NAME FILE: the file that parse has written is what stands on standard input; no file is empty.
is() {
    cat >"$dir/want"
    [ -e "$dir/out/$2" ] || : >"$dir/out/$2"
    if diff -u "$dir/want" "$dir/out/$2" >"$dir/diff"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'FAIL %s with %s: %s\n' "$1" "$awk" "$2"
        cat "$dir/diff"
    fi
}

for awk in 'busybox awk' mawk gawk; do
    command -v "${awk%% *}" >/dev/null 2>&1 || continue

    parse <<'EOF'
#cloud-config
growpart:
  mode: auto
  devices:
    - /
mounts:
  - ["mount0", "/a\\040b", "virtiofs", "rw,nofail", "0", "0"]
  - ["mount1", "/c", "9p", "ro,trans=virtio,nofail", "0", "0"]
timezone: "UTC"
users:
  - name: "lima"
    uid: 1000
    gecos: "A \"quoted\" \\ name: x # y"
    homedir: "/home/lima.guest"
    shell: "/bin/bash"
    sudo: "ALL=(ALL) NOPASSWD:ALL"
    lock_passwd: true
    ssh_authorized_keys:
      - "ssh-ed25519 AAAA one"
      - "ssh-ed25519 BBBB two"
manage_resolv_conf: true
resolv_conf:
  nameservers:
    - "192.168.5.3"
write_files:
  - path: /var/lib/cloud/scripts/per-boot/00-lima.boot.sh
    owner: root:root
    permissions: "0755"
    content: |
      #!/bin/sh
      if true; then
          echo "a: b"

      fi
bootcmd:
  - |
    one
      two

    three
EOF
    is "cima's form" user <<'EOF'
lima
1000
A "quoted" \ name: x # y
/home/lima.guest
/bin/bash
ALL=(ALL) NOPASSWD:ALL
EOF
    is "cima's form" keys <<'EOF'
ssh-ed25519 AAAA one
ssh-ed25519 BBBB two
EOF
    is "cima's form" files <<'EOF'
0 0755 root:root /var/lib/cloud/scripts/per-boot/00-lima.boot.sh
EOF
    is "cima's form" file.0 <<'EOF'
#!/bin/sh
if true; then
    echo "a: b"

fi
EOF
    # bootcmd's entries become lines of one script.
    is "cima's form" bootcmd <<'EOF'
one
  two

three

EOF
    is "cima's form" fstab <<'EOF'
mount0 /a\040b virtiofs rw,nofail 0 0
mount1 /c 9p ro,trans=virtio,nofail 0 0
EOF

    # Lists at the indent of their key, other quotes, content first, block variants, two files.
    parse <<'EOF'
users:
- ssh-authorized-keys:
  - 'it''s a key'
  - plain key # comment
  name: bob
  shell: ~
- name: second
  ssh_authorized_keys:
  - other
write_files:
- content: |2
      indented
    less
  path: '/a b/c'
- content: "one\n\ttwo"
  path: /d
  owner: "x:y"
bootcmd:
- echo plain
- |-
  block

- "quoted \"x\""
EOF
    is "variants" user <<'EOF'
bob





EOF
    is "variants" keys <<'EOF'
it's a key
plain key
EOF
    is "variants" files <<'EOF'
0 0644 root:root /a b/c
1 0644 x:y /d
EOF
    is "variants" file.0 <<'EOF'
  indented
less
EOF
    is "variants" bootcmd <<'EOF'
echo plain
block
quoted "x"
EOF

    parse <<'EOF'
#cloud-config
EOF
    is "nothing" user </dev/null
    is "nothing" files </dev/null
    is "nothing" bootcmd </dev/null
done
echo "mini-guest: $passed passed, $failed failed"
[ $failed -eq 0 ] && [ $passed -gt 0 ]
