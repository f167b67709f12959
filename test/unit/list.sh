#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Rows `list` and `info` through the program: forms, templates, queries, filters, conflicts, exit
# codes, and what is said of instances that are broken.
set -u

tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
# shellcheck disable=SC2154 # set by make
build=$(cd "$builddir" && pwd) || exit 1
CIMA_HOME=$tmp/home CIMA_LIBEXEC=$build LIMA_TEMPLATES_PATH=$tmp/templates
export CIMA_HOME CIMA_LIBEXEC LIMA_TEMPLATES_PATH
cima=$build/cima
passed=0
failed=0

ok() { passed=$((passed + 1)); }
bad() {
    failed=$((failed + 1))
    echo "FAIL: $*"
}

# gives STATUS 'OUTPUT' ARG...: the command ends so and prints exactly that.
gives() {
    status=$1 want=$2
    shift 2
    got=$("$cima" "$@" 2>"$tmp/said") && r=0 || r=$?
    if [ "$r" -eq "$status" ] && [ "$got" = "$want" ]; then
        ok
    else
        bad "$*: exit status $r, output:"
        printf '%s\n' "$got" | sed 's/^/    /'
        sed 's/^/    /' "$tmp/said"
    fi
}

# refuses 'WORDS' ARG...: exit status 1, and these words are said.
refuses() {
    words=$1
    shift
    "$cima" "$@" >"$tmp/out" 2>"$tmp/said" && r=0 || r=$?
    if [ "$r" -eq 1 ] && grep -qF -- "$words" "$tmp/said" && ! [ -s "$tmp/out" ]; then
        ok
    else
        bad "$*: exit status $r, wanted: $words"
        sed 's/^/    /' "$tmp/said"
    fi
}

says() { # WORDS, of the command before
    if grep -qF -- "$1" "$tmp/said"; then
        ok
    else
        bad "not said: $1"
        sed 's/^/    /' "$tmp/said"
    fi
}

holds() { # WHAT COMMAND...
    what=$1
    shift
    if "$@"; then ok; else bad "$what"; fi
}

instance() { # NAME, text on standard input
    mkdir -m 700 "$CIMA_HOME/$1"
    cat >"$CIMA_HOME/$1/lima.yaml"
    printf 2.2.0 >"$CIMA_HOME/$1/lima-version"
}

# ---- nothing there --------------------------------------------------------------------------------
mkdir -m 700 "$CIMA_HOME"
for args in '' --json -q '--format yaml' "--format {{.Name}}" '--yq .'; do
    # shellcheck disable=SC2086 # words
    gives 0 '' list $args
    # shellcheck disable=SC2016
    says 'No instance found. Run `cima create` to create an instance.'
done
gives 1 '' list nosuch
says 'No instance matching nosuch found.'

# ---- instances ------------------------------------------------------------------------------------
instance one <<'YAML'
images: [{location: /image}]
cpus: 3
memory: 2GiB
disk: 10GiB
param: {who: you, where: here}
provision: [{script: 'echo $PARAM_who $PARAM_where'}]
mounts: [{location: /srv, mountPoint: /mnt/srv, writable: true}]
networks: [{lima: user-v2}]
message: |
  hello {{.Param.who}} in {{.Name}}
  {{range .Config.Mounts}}{{.MountPoint}} {{.NineP.Cache}}{{end}}
YAML
instance two <<'YAML'
images: [{location: /image}]
cpus: 1
message: '{{.Nmae}}'
YAML
printf 'cpus: [\n' | instance wrong
touch "$CIMA_HOME/one/protected"

gives 0 'one
two
wrong' list -q
gives 0 'two' list -q two
gives 1 'two' list -q two three
says 'No instance matching three found.'
gives 0 'wrong Broken 0
two Broken 1' list --format '{{.Name}} {{.Status}} {{.CPUs}}' wrong two
gives 0 'one 2147483648 10737418240 127.0.0.1:0 true' \
    list -f '{{.Name}} {{.Memory}} {{.Disk}} {{.SSHAddress}}:{{.SSHLocalPort}} {{.Protected}}' one
gives 0 'hello you in one
/mnt/srv mmap' list -f '{{.Message}}' one
# shellcheck disable=SC2016 # variables of the template
gives 0 'where=here who=you user-v2 lima0 <none>' list -f \
    '{{range $k, $v := .Param}}{{$k}}={{$v}} {{end}}{{range .Networks}}{{.Lima}} {{.Interface}}{{end}} {{.AutoStartedIdentifier | missing "<none>"}}' one
gives 0 '3 /bin/bash {"who":"you","where":"here"}' \
    list -f '{{.Config.CPUs}} {{.Config.User.Shell}} {{json .Config.Param}}' one
gives 0 "$CIMA_HOME" list -f '{{.LimaHome}}' one
gives 0 'name: one' list -f '{{slice (yaml .) 4 13}}' one
gives 0 '<nil>' list -f '{{.Config.CPUs}}' wrong
refuses "1:3: can't evaluate field \`.Nam\`" list -f '{{.Nam}}'
# shellcheck disable=SC2016
says 'did you mean `.Name`?'
refuses '1:8: unclosed action' list -f '{{.Name'
refuses 'must be one of: table, json, yaml' list -f tabel

# ---- JSON and YAML: one object a line, one document an instance -------------------------------------
"$cima" list --json >"$tmp/json" && "$cima" list --format yaml >"$tmp/yaml"
if python3 - "$tmp/json" "$CIMA_HOME" <<'PY'; then ok; else bad 'list --json'; fi
import json, sys
rows = [json.loads(line) for line in open(sys.argv[1])]
one, two, wrong = rows
order = ("name hostname status dir vmType arch cpus memory disk message additionalDisks network sshLocalPort "
         "sshConfigFile hostAgentPID driverPID config sshAddress protected limaVersion param "
         "autoStartedIdentifier errors HostOS HostArch LimaHome IdentityFile condition").split()
for row in rows:
    places = [order.index(key) for key in row]
    assert places == sorted(places), row.keys()
assert one["status"] == "Stopped" and one["cpus"] == 3 and one["config"]["cpus"] == 3
assert one["message"] == "hello you in one\n/mnt/srv mmap" and "errors" not in one
assert one["network"][0]["lima"] == "user-v2" and one["param"] == {"who": "you", "where": "here"}
assert one["protected"] is True and two["protected"] is False
assert two["status"] == "Broken" and "config" in two and "message" not in two
assert "Nmae" in two["errors"][0] and "did you mean `.Name`" in two["errors"][0]
assert wrong["status"] == "Broken" and "config" not in wrong and "lima.yaml:2:1" in wrong["errors"][0]
def empty(v):
    if isinstance(v, dict):
        return not v or any(empty(x) for x in v.values())
    return isinstance(v, list) and any(empty(x) for x in v)
assert not any(empty(row) for row in rows)
PY
holds 'list --format yaml: 3 documents' [ "$(grep -c '^---$' "$tmp/yaml")" -eq 2 ]
holds 'list --format yaml: 3 names' [ "$(grep -c '^name: ' "$tmp/yaml")" -eq 3 ]

# ---- on a terminal: the same in colours --------------------------------------------------------------
export _LIMA_OUTPUT_IS_TTY=1
unset NO_COLOR
for form in json yaml; do
    "$cima" list --format "$form" >"$tmp/coloured"
    holds "$form: colours" grep -q "$(printf '\033')\\[0m" "$tmp/coloured"
    sed 's/\x1b\[[0-9;]*m//g' "$tmp/coloured" >"$tmp/plain.$form"
done
holds 'yaml: nothing else differs' cmp "$tmp/plain.yaml" "$tmp/yaml"
if python3 - "$tmp/plain.json" "$tmp/json" <<'PY'; then ok; else bad 'json: more differs than lines'; fi
import json, sys
text, rows = open(sys.argv[1]).read().strip(), []
while text:
    row, end = json.JSONDecoder().raw_decode(text)
    rows.append(row)
    text = text[end:].lstrip()
assert rows == [json.loads(line) for line in open(sys.argv[2])]
PY
gives 0 'one' list --yq .name one
NO_COLOR=1 "$cima" list --format yaml >"$tmp/coloured"
holds 'NO_COLOR' cmp "$tmp/coloured" "$tmp/yaml"
unset _LIMA_OUTPUT_IS_TTY

# ---- queries and filters ----------------------------------------------------------------------------
gives 0 'one
two
wrong' list --yq .name
gives 0 '{"name":"one","cpus":3}' list --yq '{name, cpus}' one
gives 0 'here' list --yq .param --yq .where one
gives 0 'name: one
cpus: 3' list --format yaml --yq '{name, cpus}' one
gives 0 'one
---
two' list --format yaml --yq .name one two
gives 0 'one' list -q --yq 'select(.cpus == 3)'
gives 0 'one' list -q --filter '.cpus == 3'
gives 0 'two
wrong' list -q -l '.status == "Broken"'
gives 0 'wrong' list -q -l '.status == "Broken"' -l '.cpus == null'
gives 0 'two 1' list -l '.cpus == 1' -f '{{.Name}} {{.CPUs}}'
gives 0 'two' list -l '.cpus == 1' --yq .name
gives 0 '' list -q -l 'false'
got=$("$cima" list -l '.cpus == 3' 2>&1 | sed 's/  */ /g')
holds "table: $got" [ "$got" = "NAME STATUS SSH VMTYPE ARCH CPUS MEMORY DISK DIR
one Stopped 127.0.0.1:0 qemu $(uname -m) 3 2GiB 10GiB $CIMA_HOME/one" ]
"$cima" list -l '.name == "one"' --json >"$tmp/filtered"
holds 'a filter changes nothing' [ "$(cat "$tmp/filtered")" = "$(head -n 1 "$tmp/json")" ]
refuses "--filter '.a['" list --filter '.a['
refuses "--yq 'env.HOME'" list --yq 'env.HOME'

# ---- the table, and what is said below it ------------------------------------------------------------
"$cima" list >"$tmp/out" 2>"$tmp/said"
holds 'the table has a head and 3 rows' [ "$(wc -l <"$tmp/out")" -eq 4 ]
# shellcheck disable=SC2016
says 'The instance `two` is Broken: `message` can'
# shellcheck disable=SC2016
says 'The instance `wrong` is Broken: '

# ---- conflicts --------------------------------------------------------------------------------------
refuses 'option --json conflicts with option --format' list --json --format yaml
refuses 'option --list-fields conflicts with option --format' list --list-fields --format json
refuses 'option --list-fields conflicts with option --yq' list --list-fields --yq .
refuses 'option --list-fields conflicts with option --filter' list --list-fields --filter .
refuses 'option --yq only works with --format json or yaml' list --yq . --format table
refuses 'option --yq only works with --format json or yaml' list --yq . --format '{{.Name}}'
refuses "option --quiet can only be used with '--format table'" list -q --json
refuses "option --quiet can only be used with '--format table'" list -q --format yaml
"$cima" list --list-fields >"$tmp/fields"
holds '--list-fields' [ "$(wc -l <"$tmp/fields")" -eq 23 ]
for field in HostArch HostOS IdentityFile LimaHome; do
    holds "--list-fields does not offer $field" [ "$(grep -cx "$field" "$tmp/fields")" -eq 0 ]
    holds "a template may still use $field" [ -n "$("$cima" list -f "{{.$field}}" one)" ]
done
holds '--list-fields are sorted' env LC_ALL=C sort -c "$tmp/fields"
while read -r field; do
    "$cima" list -f "{{.$field}}" wrong >"$tmp/out" 2>&1
    holds "field $field" [ $? -eq 0 ]
done <"$tmp/fields"

# ---- info -------------------------------------------------------------------------------------------
mkdir "$tmp/templates" "$tmp/bin"
printf '# The default one\nimages: [{location: /image}]\ncpus: 7\n' >"$tmp/templates/default.yaml"
printf '#!/bin/sh\n' >"$tmp/bin/limactl-url-abc" && chmod +x "$tmp/bin/limactl-url-abc"
PATH=$tmp/bin:$PATH
gives 0 "default
$tmp/templates/default.yaml
7
$CIMA_HOME
url-abc" info --yq '.templates[0].name, .templates[0].location, .defaultTemplate.cpus, .limaHome, .plugins[0].name'
gives 0 'version templates defaultTemplate limaHome vmTypes vmTypesEx guestAgents shellEnvBlock hostOS hostArch identityFile plugins libexecPaths sharePaths' \
    info --yq 'to_entries | map(.key) | join(" ")'
gives 0 '[
    "qemu"
]' info --yq .vmTypes
refuses "--yq '.a['" info --yq '.a['

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
