#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Templates from the net, by name and by plugins, with what they are based on: against a local HTTP
# server. No machine is started.
# shellcheck disable=SC2016,SC2088,SC2317 # backquotes and ~ are text; functions are called by name
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=web.sh
. "$(dirname "$0")/web.sh"

unset LIMA_TEMPLATES_PATH VISUAL
mkdir bin
PATH=$scratch/bin:$PATH

digest() { printf 'sha256:%s' "$(sha256sum "$1" | cut -d' ' -f1)"; }
# The line of a request comes when it has been answered; who asked may know that sooner.
was_asked() { grep -q -- "$1" "$state/log" 2>/dev/null; }
no_instance() { absent "$CIMA_HOME/$1" && [ "$("$cima" list --quiet 2>/dev/null | grep -cx "$1")" -eq 0 ]; }
nothing_hidden() { [ -z "$(find "$CIMA_HOME" -mindepth 1 -maxdepth 1 -name '.*' 2>/dev/null)" ]; }
plugin() {
    cat >"bin/$1"
    chmod +x "bin/$1"
}

server
qemu-img create -q -f qcow2 disk.qcow2 1M
cat >"$www/main.yaml" <<YAML
# From the net
base: part/below.yaml  # relative
images:
- location: $scratch/disk.qcow2
  arch: x86_64
arch: x86_64
containerd: {user: false}
provision:
- file: part/setup.sh
YAML
printf 'cpus: 3\nbase: deeper.yaml\n' >"$www/below.yaml"
printf 'env: {A: b}\n# theirs\nmemory: 1GiB\n' >"$www/deeper.yaml"
printf '#!/bin/sh\necho hi\n' >"$www/setup.sh"

# ---- URLs ----------------------------------------------------------------------------------------------
succeeds 'create from a URL' "$cima" create --tty=false "$base/x/main.yaml"
check '… takes its name from it' is "$("$cima" list --quiet)" main
check '… its base is looked for beside it' within 20 was_asked 'GET /x/part/below.yaml'
check '… and that one'\''s beside that' within 20 was_asked 'GET /x/part/deeper.yaml'
check '… and the file' within 20 was_asked 'GET /x/part/setup.sh'
cat >want.yaml <<YAML
# From the net
images:
- location: $scratch/disk.qcow2
  arch: x86_64
arch: x86_64
containerd: {user: false}
provision:
- script: |
    #!/bin/sh
    echo hi
cpus: 3
env: {A: b}
# theirs
memory: 1GiB
YAML
check 'lima.yaml has all of it' cmp want.yaml "$CIMA_HOME/main/lima.yaml"
succeeds 'a second one of another name' "$cima" create --tty=false --name two "$base/x/main.yaml"
fails 'a third one of the same name' 1 "$cima" create --tty=false "$base/x/main.yaml"
check '… exists already' says 'instance `main` already exists'
succeeds 'template url leaves a URL as it is' "$cima" template url "$base/x/main.yaml"
check '… and does not ask for it' prints "$base/x/main.yaml"
succeeds 'validate takes a URL' "$cima" validate "$base/x/main.yaml"
check '… and says so' says "\`$base/x/main.yaml\`: OK"
succeeds 'a redirection is followed' "$cima" validate "$base/to:http%3A%2F%2F127.0.0.1%3A$(cat "$state/port")/main.yaml"
succeeds 'a busy server is asked again' "$cima" validate "$base/503:1/main.yaml"
check '… which is said' says 'trying again'
succeeds 'a transfer that breaks is made again' "$cima" validate "$base/dropfirst:20/main.yaml"

fails '404' 1 "$cima" create --tty=false --name bad "$base/404/main.yaml"
check '… says what was asked' says "cannot download the template '$base/404/main.yaml'"
check '… and the answer' says 'unexpected HTTP status 404'
check '… makes nothing' no_instance bad
fails 'redirections without an end' 1 "$cima" create --tty=false --name bad "$base/loop/main.yaml"
check '… are cut' says 'redirects'
fails 'S08 a login page' 1 "$cima" create --tty=false --name bad "$base/portal/main.yaml"
check '… is no template' says 'the server sent a web page instead of the file'
printf '<!DOCTYPE html>\n<html></html>\n' >"$www/page.yaml"
fails 'a web page' 1 "$cima" validate "$base/page.yaml"
check '… is none either' says 'the server sent a web page'
fails 'nobody listens' 1 "$cima" validate http://127.0.0.1:1/main.yaml
check '… says so' says "cannot download the template 'http://127.0.0.1:1/main.yaml'"
: >"$www/empty.yaml"
fails 'nothing at all' 1 "$cima" validate "$base/empty.yaml"

# ---- S13: limits ---------------------------------------------------------------------------------------
python3 -c 'print("# " + "x" * (5 << 20))' >"$www/large.yaml"
fails 'S13 a large template' 1 "$cima" validate "$base/large.yaml"
check '… is refused by what the server announces' says 'the file is larger than 4096 KiB'
fails 'S13 … also without a length' 1 "$cima" validate "$base/chunked/large.yaml"
check '… by what it sends' says 'the file is larger than 4096 KiB'
printf 'base: two.yaml\n' >"$www/one.yaml"
printf 'cpus: 1\nbase: one.yaml\n' >"$www/two.yaml"
fails 'S13 a loop over the net' 1 "$cima" validate "$base/one.yaml"
check '… is told' says "base template loop detected: template \`$base/one.yaml\` already included"
check '… with its place' says "$base/two.yaml:2:7: error: field \`base\`"
for way in ../main.yaml x/../../main.yaml; do
    printf 'base: %s\n' "$way" >"$www/up.yaml"
    fails "S13 a base of $way" 1 "$cima" validate "$base/a/b/up.yaml"
    check '… is refused' says 'must not contain `..`'
done
echo secret >secret.txt
for way in "$scratch/secret.txt" "file://$scratch/secret.txt" '~/secret.txt'; do
    printf 'provision:\n- file: %s\n' "$way" >"$www/thief.yaml"
    fails "S13 a template of the net that wants $way" 1 "$cima" validate "$base/thief.yaml"
    check '… is refused' says "a template from the network can't use the file"
    printf 'base: %s\n' "$way" >"$www/thief.yaml"
    fails "S13 … as its base" 1 "$cima" validate "$base/thief.yaml"
done
mkdir deep
n=40
while [ $n -gt 0 ]; do
    printf 'base: %d.yaml\n' $((n - 1)) >deep/$n.yaml
    n=$((n - 1))
done
echo 'cpus: 1' >deep/0.yaml
fails 'S13 forty bases, one below the other' 1 "$cima" validate deep/40.yaml
check '… are too many' says 'nested more than 32 deep'
succeeds 'thirty are not' "$cima" template copy --embed-all deep/30.yaml -
check '… and end where they should' is "$out" 'cpus: 1'

# ---- digests -------------------------------------------------------------------------------------------
printf 'base:\n- url: %s\n  digest: %s\n' "$base/deeper.yaml" "$(digest "$www/deeper.yaml")" >digest.yaml
succeeds 'a base with its digest' "$cima" template copy --embed-all digest.yaml -
check '… is taken' prints 'memory: 1GiB'
printf 'base:\n- url: %s\n  digest: sha256:%064d\n' "$base/deeper.yaml" 0 >digest.yaml
fails 'a base with another digest' 1 "$cima" create --tty=false digest.yaml
check '… is refused' says "got \`$(digest "$www/deeper.yaml")\`"
check '… with its place' says 'digest.yaml:2:8: error: field `base[0]`'
check '… and makes nothing' no_instance digest

# ---- places --------------------------------------------------------------------------------------------
printf 'cpus: 1\nmemory: lots\n' >"$www/wrong.yaml"
printf 'base: wrong.yaml\ndisk: much\n' >"$www/first.yaml"
fails 'mistakes in two files' 1 "$cima" validate "$base/first.yaml"
check '… each has its own place: the base' says "$base/wrong.yaml:2:9: error: field \`memory\`"
check '… and the template' says "$base/first.yaml:2:7: error: field \`disk\`"
fails '… also with flags' 1 "$cima" create --tty=false --cpus 2 --set '.env.A = "b"' "$base/first.yaml"
check '… in the base' says "$base/wrong.yaml:2:9: error: field \`memory\`"
check '… and in the template' says "$base/first.yaml:2:7: error: field \`disk\`"

# ---- github --------------------------------------------------------------------------------------------
export CIMA_GITHUB_API="$base/api" CIMA_GITHUB_RAW="$base/raw/"
printf '{"default_branch": "trunk"}' >"$www/repo"
printf '{"default_branch": "main"}' >"$www/org"
printf '{}' >"$www/odd"
succeeds 'github with a branch' "$cima" template url github:org/repo/dir/web@v1
check '… asks nobody' is "$out" "$base/raw/org/repo/v1/dir/web.yaml"
succeeds 'github without one' "$cima" template url github:org/repo/web.yml
check '… asks for the default one' is "$out" "$base/raw/org/repo/trunk/web.yml"
printf 'below.yaml' >"$www/.lima.yaml"
succeeds 'the default file may be a link' "$cima" template url github:org/repo/some/
check '… which is followed' is "$out" "$base/raw/org/repo/trunk/some/below.yaml"
printf 'github:org/repo/web\n' >"$www/.lima.yaml"
succeeds 'the one of ORG/ORG may name another' "$cima" template url github:org@v2
check '… in the same branch' is "$out" "$base/raw/org/repo/v2/web.yaml"
printf 'github:other/repo/web\n' >"$www/.lima.yaml"
fails '… but none of somebody else' 1 "$cima" template url github:org@v2
printf 'cpus: 2\n' >"$www/.lima.yaml"
succeeds 'or a template' "$cima" template copy --verbatim github:org/repo -
check '… that is read' is "$out" 'cpus: 2'
printf 'images: [{location: %s/disk.qcow2, arch: x86_64}]\narch: x86_64\n' "$scratch" >"$www/.lima.yaml"
succeeds '… an instance of it' "$cima" create --tty=false --containerd none github:org/Repo@v1
check '… has the name of the repository' is "$("$cima" list --quiet repo)" repo
fails 'a repository without a branch' 1 "$cima" template url github:org/odd
check '… says what to do' says 'name the branch'
fails 'one that is not there' 1 "$cima" template url github:org/404
unset CIMA_GITHUB_API CIMA_GITHUB_RAW

# ---- plugins -------------------------------------------------------------------------------------------
plugin cima-url-dev <<SH
#!/bin/sh
echo "$base/\$1.yaml"
SH
plugin limactl-url-prod <<'SH'
#!/bin/sh
echo "dev:$1"
SH
plugin cima-url-fail <<'SH'
#!/bin/sh
echo "cannot reach the catalogue" >&2
exit 4
SH
succeeds 'the scheme of a plugin' "$cima" template url dev:main
check '… is what it says' is "$out" "$base/main.yaml"
succeeds 'a plugin of Lima that leads to ours' "$cima" create --tty=false --name three prod:main
check '… makes an instance' is "$("$cima" list --quiet three)" three
fails 'a plugin that fails' 1 "$cima" create --tty=false --name bad fail:x
check '… says how' says 'exited with status 4'
check '… in its own words' says 'cannot reach the catalogue'
plugin cima-url-here <<SH
#!/bin/sh
echo "$scratch/\$1"
SH
for way in 'base: here:secret.txt' 'provision: [{file: here:secret.txt}]'; do
    printf '%s\n' "$way" >"$www/thief.yaml"
    fails "S13 a template of the net that wants $way" 1 "$cima" validate "$base/thief.yaml"
    check '… is refused' says "a template from the network can't use the file"
done
i=0
echo 'provision:' >many.yaml
while [ $i -lt 300 ]; do
    echo '- file: secret.txt' >>many.yaml
    i=$((i + 1))
done
fails 'S13 three hundred files' 1 "$cima" validate many.yaml
check '… are too many' says 'more than 256 base templates and files'
printf 'base: dev:below\n' >based.yaml
succeeds 'a base by plugin' "$cima" template copy --embed-all based.yaml -
check '… with its own' prints 'memory: 1GiB'

# ---- by name -------------------------------------------------------------------------------------------
mkdir -p "$CIMA_HOME/_templates/more"
cat >"$CIMA_HOME/_templates/mine.yaml" <<YAML
# One of my own
base: template:more/part
images: [{location: $scratch/disk.qcow2, arch: x86_64}]
arch: x86_64
containerd: {user: false}
YAML
echo 'cpus: 1' >"$CIMA_HOME/_templates/more/part.yaml"
succeeds 'create by name' "$cima" create --tty=false template:mine
check '… has its base' grep -qx 'cpus: 1' "$CIMA_HOME/mine/lima.yaml"
succeeds 'the list' "$cima" create --list-templates
check '… has it with its description' eval "prints mine && prints 'One of my own'"
fails 'a name that is nearly right' 1 "$cima" create --tty=false template:mne
check '… did you mean' says 'did you mean `template:mine`?'
fails 'start without the prefix' 1 "$cima" start --tty=false more/part
fails 'start of a template as if it were an instance' 1 "$cima" start --tty=false template
cp "$CIMA_HOME/_templates/mine.yaml" "$CIMA_HOME/_templates/default.yaml"
succeeds 'create of nothing' "$cima" create --tty=false
check '… is template:default' is "$("$cima" list --quiet default)" default
fails 'create of what is there, by its name alone' 1 "$cima" create --tty=false mine
check '… exists already' says 'instance `mine` already exists'
fails 'create of the word default: exists already' 1 "$cima" create --tty=false default
check '… says so' says 'instance `default` already exists'
succeeds 'delete' "$cima" delete default
succeeds 'create of the word default' "$cima" create --tty=false default
check '… is template:default, too' is "$("$cima" list --quiet default)" default
succeeds '… under another name' "$cima" create --tty=false --name other
check '… as well' is "$("$cima" list --quiet other)" other
succeeds 'template copy --embed' "$cima" template copy --embed template:mine -
check '… leaves names as they are' prints 'base: template:more/part'
succeeds 'template copy --embed-all' "$cima" template copy --embed-all template:mine copied.yaml
check '… does not' grep -qx 'cpus: 1' copied.yaml
mkfifo pipe
timeout 600 cat pipe >piped &
succeeds 'template copy to what is no file' "$cima" template copy template:mine pipe
wait $!
check '… writes into it' test -p pipe -a -s piped
chmod 0600 copied.yaml
ln -s copied.yaml linked.yaml
succeeds 'template copy to a link' "$cima" template copy template:mine linked.yaml
check '… keeps the link' test -L linked.yaml
check '… and writes its file' grep -q 'base: template:more/part' copied.yaml
check '… with the mode that it has' is "$(stat -c %a copied.yaml)" 600
fails 'template copy --verbatim --fill' 1 "$cima" template copy --verbatim --fill template:mine -
check '… is none' says '--verbatim cannot be used with any of --embed, --embed-all, or --fill'
mkdir -p "$CIMA_HOME/_config"
echo 'env: {EVERY: where}' >"$CIMA_HOME/_config/base.yaml"
succeeds 'base.yaml of _config' "$cima" create --tty=false --name based template:mine
check '… is in every new instance' grep -q 'EVERY: where' "$CIMA_HOME/based/lima.yaml"
rm "$CIMA_HOME/_config/base.yaml"

# ---- disk images ---------------------------------------------------------------------------------------
succeeds 'create from a disk image' "$cima" create --tty=false --set '.containerd.user = false' "$scratch/disk.qcow2"
check '… with a name of its own' is "$("$cima" list --quiet disk)" disk

# ---- the menu on a terminal ----------------------------------------------------------------------------
cat >on-terminal.py <<'PY'
"""on-terminal.py ANSWERS COMMAND...: runs it on a terminal; each answer (\\n between) after a prompt."""
import os, pty, sys
answers = sys.argv[1].split(",")
pid, fd = pty.fork()
if pid == 0:
    os.execvp(sys.argv[2], sys.argv[2:])
seen = b""
while True:
    try:
        data = os.read(fd, 65536)
    except OSError:
        break
    if not data:
        break
    os.write(1, data)
    seen += data
    if answers and (seen.endswith(b"> ") or seen.endswith(b"] ")):
        os.write(fd, answers.pop(0).encode() + b"\n")
        seen = b""
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
PY
on_terminal() { env -u CI TERM=dumb python3 on-terminal.py "$@"; }
cat >bin/spoil <<'SH'
#!/bin/sh
echo 'memory: lots' >>"$1"
SH
cat >bin/mend <<'SH'
#!/bin/sh
sed -i 's/^memory: lots$/memory: 2GiB/; $a\
message: edited' "$1"
SH
chmod +x bin/spoil bin/mend
succeeds 'the menu: exit' on_terminal 4 "$cima" create --name menu template:mine
check '… shows what there is to choose' prints 'Open an editor'
check '… makes nothing' no_instance menu
succeeds 'the menu: nothing is yes' on_terminal '' "$cima" create --name menu template:mine
check '… makes it' is "$("$cima" list --quiet menu)" menu
fails 'the menu is not for a name that is taken' 1 on_terminal '' "$cima" create --name menu template:mine
check '… which is said at once' eval "! prints 'Open an editor'"
succeeds 'the menu: another template' on_terminal 3,mine,1 "$cima" create --tty=true "$base/main.yaml" --name chosen
check '… is taken' grep -q 'One of my own' "$CIMA_HOME/chosen/lima.yaml"
succeeds 'the menu: the editor' on_terminal 2 env EDITOR=mend "$cima" create --name edited --cpus 2 template:mine
check '… its text is taken' grep -qx 'message: edited' "$CIMA_HOME/edited/lima.yaml"
check '… with the flags' grep -qx 'cpus: 2' "$CIMA_HOME/edited/lima.yaml"
rm -f lima.REJECTED.yaml
fails 'the menu: an editor that spoils it' 1 on_terminal 2,n env EDITOR=spoil "$cima" create --name spoilt template:mine
check '… is rejected with the place' prints 'lima.REJECTED.yaml:'
check '… the text is kept' grep -qx 'memory: lots' lima.REJECTED.yaml
check '… nothing is made' no_instance spoilt
rm -f lima.REJECTED.yaml

# ---- interrupted ---------------------------------------------------------------------------------------
cp "$www/main.yaml" "$www/slow.yaml"
# A background job of a script ignores ^C; python gives the signal back its usual meaning.
python3 -c 'import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execvp(sys.argv[1], sys.argv[1:])' "$cima" create --tty=false --name slow "$base/stall:10/slow.yaml" >out.txt 2>err.txt &
pid=$!
downloading() { [ -n "$(ours cima-fetch)" ]; }
check 'a download is under way' within 60 downloading
kill -INT $pid
wait $pid
check 'interrupted during the download: fails' [ $? -ne 0 ]
check '… makes nothing' no_instance slow
check '… leaves no helper' within 30 none_of_ours cima-fetch
check 'nothing hidden is left of all that' nothing_hidden
check 'no template is in the cache of images' [ -z "$(find "$XDG_CACHE_HOME" -path '*by-url-sha256*' -name data 2>/dev/null)" ]

# ---- S08: certificates ---------------------------------------------------------------------------------
if command -v openssl >/dev/null && openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=localhost \
    -addext subjectAltName=DNS:localhost -keyout key.pem -out cert.pem 2>/dev/null; then
    plain=$base
    cat key.pem cert.pem >both.pem
    server both.pem
    tls=https://localhost:$(cat "$state/port")
    fails 'S08 a self-signed certificate' 1 "$cima" validate "$tls/main.yaml"
    check 'S08 … is refused' says 'SSL certificate problem'
    succeeds 'S08 one that the system trusts' env SSL_CERT_FILE="$scratch/cert.pem" "$cima" validate "$tls/main.yaml"
    fails 'S08 https that redirects to http' 1 env SSL_CERT_FILE="$scratch/cert.pem" "$cima" validate \
        "$tls/to:$(printf %s "$plain" | sed 's|:|%3A|g; s|/|%2F|g')/main.yaml"
    check 'S08 … is refused' says 'redirects from https to another protocol'
    kill "$server_pid"
else
    echo 'skipped: S08, openssl is not installed'
fi
finish
