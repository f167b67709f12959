#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Images by URL: `cima create` and `cima prune` against a local HTTP server. No machine is started.
# shellcheck disable=SC2016,SC2317 # backquotes are text; functions are called by name
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=web.sh
. "$(dirname "$0")/web.sh"

downloads=$XDG_CACHE_HOME/lima/download/by-url-sha256

# yaml FILE URL [DIGEST]
yaml() { printf 'images:\n- location: "%s"\n%s' "$2" "${3:+  digest: $3
}" >"$1"; }
# An image of so many MiB that doesn't compress.
image() {
    head -c "$(($2 * 1048576))" /dev/urandom >raw
    qemu-img convert -f raw -O qcow2 raw "$www/$1"
    rm raw
}
digest() { printf 'sha256:%s' "$(sha256sum "$1" | cut -d' ' -f1)"; }
entry() { printf '%s/%s' "$downloads" "$(printf %s "$1" | sha256sum | cut -d' ' -f1)"; }
requests() { grep -c -- "$1" "$state/log" 2>/dev/null; }
# The line of a request comes when it has been answered; who asked may know that sooner.
were_asked() { [ "$(requests "$1")" -ge "$2" ]; }
bytes_sent() { grep -- "$1" "$state/log" | awk '{ n += $NF } END { print n + 0 }'; }
has_bytes() { [ "$(stat -c %s "$1" 2>/dev/null || echo 0)" -ge "$2" ]; }
no_instance() { absent "$CIMA_HOME/$1" && [ "$("$cima" list --quiet 2>/dev/null | grep -cx "$1")" -eq 0 ]; }
# Hidden directories of killed creates go with the next one.
nothing_hidden() { [ -z "$(find "$CIMA_HOME" -mindepth 1 -maxdepth 1 -name '.*' 2>/dev/null)" ]; }

server
image small.qcow2 2
image big.qcow2 12

# ---- from the server, then from the cache --------------------------------------------------------------
yaml small.yaml "$base/small.qcow2" "$(digest "$www/small.qcow2")"
succeeds 'DL-01 create by URL' "$cima" create small.yaml
check 'DL-08 … says where from' says "Downloaded the image from \`$base/small.qcow2\`"
check 'DL-01 … the cache is as Lima has it' cmp "$www/small.qcow2" "$(entry "$base/small.qcow2")/data"
check 'DL-01 … with its URL' is "$(cat "$(entry "$base/small.qcow2")/url")" "$base/small.qcow2"
check 'DL-03 … and its digest' is "$(cat "$(entry "$base/small.qcow2")/sha256.digest")" "$(digest "$www/small.qcow2")"
check '… the server was asked' within 20 were_asked small.qcow2 1
succeeds 'DL-03 create from the cache' "$cima" create --name second small.yaml
check 'DL-08 … says so' says 'Using cache `'
check 'DL-03 … nobody was asked' is "$(requests small.qcow2)" 1
check '… no data was copied' is "$(stat -c %i "$CIMA_HOME/second/image")" "$(stat -c %i "$(entry "$base/small.qcow2")/data")"
if strace -o trace true 2>/dev/null; then
    succeeds 'create under strace' strace -f -o trace -e trace=write,pwrite64,copy_file_range,sendfile "$cima" create --name third small.yaml
    written=$(sed -n 's/.*) *= \([0-9][0-9]*\)$/\1/p' trace | awk '{ n += $1 } END { print n }')
    check "… writes less than 1 MB ($written bytes)" [ "$written" -lt 1000000 ]
fi
yaml bad.yaml "$base/small.qcow2" "sha256:$(printf '%064d' 0)"
fails 'DL-03 another digest' 1 "$cima" create bad.yaml
check 'DL-03 … says which' says "expected digest \`sha256:$(printf '%064d' 0)\`, got \`$(digest "$www/small.qcow2")\`"
check '… and makes no instance' no_instance bad
check '… the good file stays' cmp "$www/small.qcow2" "$(entry "$base/small.qcow2")/data"

# ---- S01: images that name other files, downloaded and compressed --------------------------------------
echo secret >secret
qemu-img create -q -f qcow2 -F raw -b "$scratch/secret" backing.qcow2 1M
qemu-img create -q -u -f qcow2 -F raw -b "json:{\"driver\":\"raw\",\"file\":{\"driver\":\"file\",\"filename\":\"$scratch/secret\"}}" json.qcow2 1M
qemu-img create -q -f qcow2 -o "data_file=$scratch/data,data_file_raw=on" data.qcow2 1M
printf '# Disk DescriptorFile\nversion=1\nRW 1 FLAT "%s" 0\n' "$scratch/secret" >flat.vmdk
for f in backing.qcow2 json.qcow2 data.qcow2 flat.vmdk; do
    cp "$f" "$www/"
    gzip -c "$f" >"$www/$f.gz"
    for file in "$f" "$f.gz"; do
        yaml evil.yaml "$base/$file"
        fails "S01 $file" 1 "$cima" create evil.yaml
        check 'S01 … is refused' says 'is not acceptable as a disk image'
        check 'S01 … no instance' no_instance evil
        strace -o trace true 2>/dev/null || continue
        # Once fetched, once from the cache.
        run strace -f -o trace -e trace=open,openat,openat2 "$cima" create evil.yaml
        check 'S01 … strace sees openings' grep -q '"evil.yaml"' trace
        check 'S01 … none of the secret file' [ "$(grep -c -e "$scratch/secret" -e "$scratch/data\"" trace)" -eq 0 ]
    done
done

# ---- F37: what a person sees ---------------------------------------------------------------------------
yaml gone.yaml "$base/404/small.qcow2"
fails 'F37 a file that is not there' 1 "$cima" create gone.yaml
check 'F37 … says so' says 'unexpected HTTP status 404 Not Found, body='
check 'F37 … with a next step' says 'look for its new address'
yaml portal.yaml "$base/portal/small.qcow2"
fails 'F37 a login page' 1 "$cima" create portal.yaml
check 'F37 … says so' says 'the server sent a web page, not the image'
cat >list.yaml <<YAML
images:
- location: $base/404/one.qcow2
- location: /nowhere/two.qcow2
- location: ftp://example.com/three.qcow2
YAML
fails 'every image of the list fails' 1 "$cima" create list.yaml
check '… the first' says 'images[0] '
check '… the second' says "images[1] /nowhere/two.qcow2: '/nowhere/two.qcow2' does not exist"
check '… the third' says "locations with 'ftp:' are not supported"

# ---- F11: killed and interrupted -----------------------------------------------------------------------
# The server waits for us in the middle.
url=$base/hold:2000000/big.qcow2
yaml big.yaml "$url" "$(digest "$www/big.qcow2")"
"$cima" create big.yaml >/dev/null 2>&1 &
pid=$!
check 'F11 a download is under way' within 60 has_bytes "$(entry "$url")/data.part" 2000000
check 'F11 … by a helper program' [ -n "$(ours cima-fetch)" ]
kill_hard "$pid"
wait "$pid" 2>/dev/null
check 'F11 kill -9: no instance' no_instance big
check 'F11 … its helper has ended with it' within 20 none_of_ours cima-fetch
# In the foreground: a shell lets background commands ignore SIGINT.
fails 'F11 SIGINT' 124 timeout --foreground -s INT 3 "$cima" create big.yaml
check 'F11 … no instance' no_instance big
check 'F11 … the part is kept' test -s "$(entry "$url")/data.part"
check 'F11 … and not used' absent "$(entry "$url")/data"
: >"$state/go"
succeeds 'F11 the same command again' "$cima" create big.yaml
check 'F11 … is whole' cmp "$www/big.qcow2" "$CIMA_HOME/big/image"
check 'F11 … nothing hidden is left' nothing_hidden
within 10 were_asked 'GET /hold:2000000/big' 3
sent=$(bytes_sent 'GET /hold:2000000/big') size=$(stat -c %s "$www/big.qcow2")
check "F11 … $sent bytes came for $size" [ "$sent" -le $((size * 21 / 20)) ]

# ---- ten at once ---------------------------------------------------------------------------------------
rm "$state/go"
url=$base/hold:6000000/big.qcow2
yaml ten.yaml "$url"
pids=
for i in 0 1 2 3 4 5 6 7 8 9; do
    "$cima" create --name "ten$i" ten.yaml >/dev/null 2>"ten$i.err" &
    pids="$pids $!"
done
within 60 has_bytes "$(entry "$url")/data.part" 6000000
: >"$state/go"
failed_ones=0
for pid in $pids; do wait "$pid" || failed_ones=$((failed_ones + 1)); done
check 'ten creates at once succeed' is "$failed_ones" 0
check '… with a download' within 20 were_asked 'GET /hold:6000000/' 1
check '… and only one' is "$(requests 'GET /hold:6000000/')" 1
check '… and one file' is "$(stat -c %h "$(entry "$url")/data")" 11

# ---- prune ---------------------------------------------------------------------------------------------
rm "$state/go"
url=$base/hold:1000000/big.qcow2
yaml busy.yaml "$url"
"$cima" create busy.yaml >/dev/null 2>&1 &
pid=$!
within 60 has_bytes "$(entry "$url")/data.part" 1
succeeds 'F39 prune --keep-referred while a create downloads' "$cima" prune --keep-referred
check 'F39 … names what is in use' says "\`$url\` is in use by another command and stays"
check 'DL-07 … keeps what instances refer to' test -s "$(entry "$base/small.qcow2")/data"
check 'DL-07 … says so' says 'instances refer to'
: >"$state/go"
check 'F39 … and the create succeeds' wait "$pid"
succeeds 'DL-07 delete an instance' "$cima" delete -f busy
succeeds 'DL-07 prune --keep-referred' "$cima" prune --keep-referred
check 'DL-07 … removes what it alone referred to' absent "$(entry "$url")/data"
check 'DL-07 … says how much' says 'Removed 1 cached file, freed 12'
printf 'images: [' >"$CIMA_HOME/second/lima.yaml"
succeeds 'a broken instance' "$cima" prune --keep-referred
check '… is named' says 'instance `second` is broken'
check '… and nothing is lost' test -s "$(entry "$base/small.qcow2")/data"
succeeds 'DL-07 prune' "$cima" prune
check 'DL-07 … empties the cache' is "$(find "$downloads" -mindepth 1 | wc -l)" 0
check 'DL-07 … instances keep their images' cmp "$www/big.qcow2" "$CIMA_HOME/big/image"
fails 'prune takes no names' 1 "$cima" prune small

# ---- without a network ---------------------------------------------------------------------------------
yaml offline.yaml "$base/small.qcow2"
succeeds 'offline: fetched before' "$cima" create --name online offline.yaml
check 'S08 … over http without a digest: a warning' says 'comes unencrypted and without a `digest`'
kill "$server_pid"
wait "$server_pid" 2>/dev/null
succeeds 'offline: created from the cache' "$cima" create --name offline offline.yaml
check '… says so' says 'Cannot ask whether there is a newer file'

if unshare -n true 2>/dev/null; then
    succeeds 'offline: without any network interface' unshare -n "$cima" create --name nonet offline.yaml
    check '… from the cache' says 'Using cache `'
else
    echo 'skipped: no network namespaces here'
fi

# ---- S08: certificates -----------------------------------------------------------------------------------
if command -v openssl >/dev/null && openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=localhost \
    -addext subjectAltName=DNS:localhost -keyout key.pem -out cert.pem 2>/dev/null; then
    cat key.pem cert.pem >both.pem
    server "$scratch/both.pem"
    port=${base##*:}
    yaml tls.yaml "https://localhost:$port/small.qcow2"
    fails 'S08 a self-signed certificate' 1 "$cima" create tls.yaml
    check 'S08 … is refused' says 'SSL certificate problem'
    check 'S08 … no instance' no_instance tls
    succeeds 'S08 one that the system trusts' env SSL_CERT_FILE="$scratch/cert.pem" "$cima" create tls.yaml
    yaml host.yaml "https://127.0.0.1:$port/small.qcow2"
    fails 'S08 the certificate of another host' 1 env SSL_CERT_FILE="$scratch/cert.pem" "$cima" create host.yaml
    yaml down.yaml "https://localhost:$port/to:http%3A%2F%2Flocalhost%3A$port/small.qcow2"
    fails 'S08 https that redirects to http' 1 env SSL_CERT_FILE="$scratch/cert.pem" "$cima" create down.yaml
    check 'S08 … is refused' says 'it redirects from https to another protocol, which is refused'
    kill "$server_pid"
else
    echo 'skipped: S08, openssl is not installed'
fi
finish
