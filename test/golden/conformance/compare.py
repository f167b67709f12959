#!/usr/bin/env python3
"""Run the configuration conformance cases against a program.

usage: compare [options] PROGRAM CASE_DIR

  --as-user NAME   run PROGRAM as this user (needs root; limactl refuses root)
  --only TEXT      only the cases whose "kind/name" contains TEXT
  --as-limactl     expect the recorded limactl behaviour even where a case
                   states a better one (default when PROGRAM is limactl)
  --keep           keep the scratch directory and print its path
  --verbose        print every case and whole differences

Exit status: 0 if all cases passed, 1 if some failed, 2 for a usage error.
The layout of the cases and what is compared: README.md beside the cases.
"""
import argparse
import hashlib
import json
import os
import pwd
import re
import shutil
import struct
import subprocess
import sys
import tempfile

try:
    import yaml
except ImportError:
    sys.exit("compare: the Python module 'yaml' is missing; hint: install python3-yaml")

TIMEOUT = 600
KINDS = ("fill", "load", "invalid", "validate-warn", "flags", "edit", "names")

# ---------------------------------------------------------------- YAML 1.2
# The programs write YAML 1.2 (core schema): yes/no/on/off are strings, 0o17
# is an integer, 017 is decimal, dates are strings.


class Loader12(yaml.SafeLoader):
    """SafeLoader that also takes tabs where YAML 1.2 allows them."""

    def scan_plain_spaces(self, indent, start_mark):
        length = 0
        while self.peek(length) in " \t":
            length += 1
        if self.peek(length) in "\r\n\x85\u2028\u2029\0":
            return super().scan_plain_spaces(indent, start_mark)
        white = self.prefix(length)
        self.forward(length)
        return [white] if white else []

    def scan_to_next_token(self):
        super().scan_to_next_token()
        while self.peek() == "\t":
            self.forward()
            super().scan_to_next_token()


Loader12.yaml_implicit_resolvers = {}


def _resolver(tag, regex, first):
    Loader12.add_implicit_resolver(tag, re.compile(regex), first)


_resolver("tag:yaml.org,2002:bool", r"^(?:true|True|TRUE|false|False|FALSE)$", list("tTfF"))
_resolver("tag:yaml.org,2002:null", r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""])
_resolver("tag:yaml.org,2002:int", r"^(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)$", list("-+0123456789"))
_resolver("tag:yaml.org,2002:float",
          r"^(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$",
          list("-+0123456789."))
_resolver("tag:yaml.org,2002:merge", r"^(?:<<)$", ["<"])


def _int12(loader, node):
    text = loader.construct_scalar(node)
    if text.startswith("0o"):
        return int(text[2:], 8)
    if text.startswith("0x"):
        return int(text[2:], 16)
    return int(text, 10)


Loader12.add_constructor("tag:yaml.org,2002:int", _int12)


def parse_yaml(text):
    """First document of a YAML text as plain Python data."""
    for doc in yaml.load_all(text, Loader=Loader12):
        return doc
    return None


# ---------------------------------------------------------------- scratch

def tiny_qcow2(path, size=1 << 20):
    """An empty qcow2 image, written by hand so that no tool is needed."""
    cluster = 65536
    header = struct.pack(">4sIQIIQIIQQIIQQQQII", b"QFI\xfb", 3, 0, 0, 16, size, 0,
                         1, 3 * cluster, cluster, 1, 0, 0, 0, 0, 0, 4, 104)
    table = struct.pack(">Q", 2 * cluster)
    block = struct.pack(">4H", 1, 1, 1, 1)
    with open(path, "wb") as f:
        for part in (header, table, block, b""):
            f.write(part.ljust(cluster, b"\0"))


class Runner:
    """Runs one program in throw-away home and case directories."""

    def __init__(self, program, as_user=None):
        self.program = program
        self.as_user = as_user
        self.top = tempfile.mkdtemp(prefix="cc")
        os.chmod(self.top, 0o755)
        self.home = os.path.join(self.top, "h")
        self.case = os.path.join(self.top, "w")
        entry = pwd.getpwnam(as_user) if as_user else pwd.getpwuid(os.geteuid())
        self.entry = entry
        self.stderr = ""
        self.calls = []
        self.facts = None

    def fresh(self):
        for d in (self.home, self.case):
            shutil.rmtree(d, ignore_errors=True)
            os.mkdir(d, 0o755)
        os.makedirs(os.path.join(self.top, "c"), exist_ok=True)
        os.mkdir(os.path.join(self.home, "_config"), 0o755)
        tiny_qcow2(os.path.join(self.case, "tiny.qcow2"))
        with open(os.path.join(self.case, "plain.txt"), "w") as f:
            f.write("not a directory\n")
        with open(os.path.join(self.case, "archive.tgz"), "wb") as f:
            f.write(b"\x1f\x8b" + b"\0" * 64)
        for d in ("d1", "d2", "d3"):
            os.mkdir(os.path.join(self.case, d))
        self.calls = []

    def own(self):
        if self.as_user:
            for base, dirs, files in os.walk(self.top):
                for n in [base] + [os.path.join(base, f) for f in dirs + files]:
                    os.chown(n, self.entry.pw_uid, self.entry.pw_gid, follow_symlinks=False)

    def real(self, text):
        return text.replace("@CASE@", self.case).replace("@LIMA_HOME@", self.home)

    def put(self, path, data):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if isinstance(data, str):
            data = data.encode()
        data = data.replace(b"@CASE@", self.case.encode()).replace(b"@LIMA_HOME@", self.home.encode())
        with open(path, "wb") as f:
            f.write(data)

    def run(self, *args, env=None, stdin=None):
        self.own()
        e = {"HOME": self.entry.pw_dir, "USER": self.entry.pw_name, "LOGNAME": self.entry.pw_name,
             "PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LIMA_HOME": self.home, "LANG": "C.UTF-8",
             "XDG_CACHE_HOME": os.path.join(self.top, "c")}
        for k, v in (env or {}).items():
            e[k] = self.real(v)
        cmd = [self.program] + [self.real(a) for a in args]
        if self.as_user:
            cmd = ["runuser", "-u", self.as_user, "--"] + cmd
        try:
            p = subprocess.run(cmd, env=e, cwd=self.case, input=(stdin or "").encode(), timeout=TIMEOUT,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            rc, out, err = p.returncode, p.stdout.decode(errors="replace"), p.stderr.decode(errors="replace")
        except subprocess.TimeoutExpired:
            rc, out, err = 124, "", "timed out after %d s" % TIMEOUT
        self.stderr = err
        self.calls.append({"args": list(args), "exit": rc, "stderr": self.hide(err)})
        return rc, out, err

    def hide(self, text):
        return text.replace(self.case, "@CASE@").replace(self.home, "@LIMA_HOME@").replace(
            os.path.realpath(self.top), "@TOP@")

    def done(self, keep=False):
        if keep:
            print("scratch directory:", self.top)
        else:
            shutil.rmtree(self.top, ignore_errors=True)

    # ------------------------------------------------------------ host facts
    def learn_facts(self):
        """What the program takes from the host, seen on an empty template."""
        self.fresh()
        self.put(os.path.join(self.case, "facts.yaml"), "images:\n- location: https://example.invalid/x.qcow2\n")
        rc, out, err = self.run("template", "copy", "--fill", os.path.join(self.case, "facts.yaml"), "-")
        cfg = None
        if rc == 0:
            try:
                cfg = parse_yaml(out)
            except yaml.YAMLError:
                cfg = None
        if not isinstance(cfg, dict):
            raise SystemExit("compare: %s template copy --fill fails on a minimal template: exit %d\n%s"
                             % (self.program, rc, err))
        user = cfg.get("user") or {}
        self.facts = {
            "@CPUS@": cfg.get("cpus"), "@MEMORY@": cfg.get("memory"), "@TIMEZONE@": cfg.get("timezone"),
            "@USER@": user.get("name"), "@UID@": user.get("uid"), "@GECOS@": user.get("comment"),
            "@HOME@": self.entry.pw_dir, "@ARCH@": cfg.get("arch"),
        }
        return self.facts

    def host_facts_wrong(self):
        """Differences between the learned facts and what this host says."""
        f, wrong = self.facts, []
        cpus = len(os.sched_getaffinity(0))
        if f["@CPUS@"] not in (min(4, cpus), min(4, os.cpu_count() or 1)):
            wrong.append("cpus: %r on a host with %d" % (f["@CPUS@"], cpus))
        with open("/proc/meminfo") as m:
            total = int(re.search(r"MemTotal:\s+(\d+) kB", m.read()).group(1)) * 1024
        want = min(4 << 30, total // 2)
        got = size_bytes(str(f["@MEMORY@"]))
        if got is None or abs(got - want) > want // 100:
            wrong.append("memory: %r, expected about %d bytes" % (f["@MEMORY@"], want))
        if f["@USER@"] not in (self.entry.pw_name, "lima"):
            wrong.append("user.name: %r" % f["@USER@"])
        if f["@UID@"] != self.entry.pw_uid and not (self.entry.pw_uid == 0 and isinstance(f["@UID@"], int)):
            wrong.append("user.uid: %r" % f["@UID@"])
        if f["@GECOS@"] != self.entry.pw_gecos.split(",")[0] and f["@USER@"] == self.entry.pw_name:
            wrong.append("user.comment: %r" % f["@GECOS@"])
        return wrong

    # ------------------------------------------------------------ tokens
    def tokenise(self, value, inputs, mac_path):
        """Replace what depends on the host by tokens (used when recording)."""
        f = self.facts
        home = re.compile(re.escape(f["@HOME@"]) + r"(?![\w.-])")
        user = re.compile(r"(?<!\w)" + re.escape(str(f["@USER@"])) + r"(?!\w)")
        uid = re.compile(r"(?<!\d)%s(?!\d)" % f["@UID@"])

        def walk(v):
            if isinstance(v, dict):
                return {k: walk(x) for k, x in v.items()}
            if isinstance(v, list):
                return [walk(x) for x in v]
            if isinstance(v, str):
                v = self.hide(v)
                v = home.sub("@HOME@", v)
                v = user.sub("@USER@", v)
                return uid.sub("@UID@", v)
            return v

        value = walk(value)
        for cfg in ([value] if "images" in value or "os" in value else []) + [value.get("config")]:
            if not isinstance(cfg, dict):
                continue
            if cfg.get("cpus") == f["@CPUS@"]:
                cfg["cpus"] = "@CPUS@"
            if cfg.get("memory") == f["@MEMORY@"]:
                cfg["memory"] = "@MEMORY@"
            if cfg.get("timezone") == f["@TIMEZONE@"]:
                cfg["timezone"] = "@TIMEZONE@"
            u = cfg.get("user") or {}
            if u.get("uid") == f["@UID@"]:
                u["uid"] = "@UID@"
            if u.get("comment") == f["@GECOS@"] and not re.search(r"\bcomment\s*:", inputs):
                u["comment"] = "@GECOS@"
            self.name_macs(cfg.get("networks"), mac_path)
        if isinstance(value.get("config"), dict):
            if value.get("cpus") == f["@CPUS@"] and value["config"].get("cpus") == "@CPUS@":
                value["cpus"] = "@CPUS@"
            if value["config"].get("memory") == "@MEMORY@" and "memory" in value:
                value["memory"] = "@MEMORY_BYTES@"
        self.name_macs(value.get("network"), mac_path)
        return value

    def name_macs(self, networks, mac_path):
        for i, nw in enumerate(networks or []):
            if isinstance(nw, dict) and nw.get("macAddress") == mac(mac_path, i):
                nw["macAddress"] = "@MAC#%d@" % i

    def substitute(self, value):
        """Put this host's values in place of the tokens of an expectation."""
        f = dict(self.facts)
        f["@MEMORY_BYTES@"] = size_bytes(str(f["@MEMORY@"]))
        if isinstance(value, dict):
            return {k: self.substitute(v) for k, v in value.items()}
        if isinstance(value, list):
            return [self.substitute(v) for v in value]
        if isinstance(value, str):
            if value in f:
                return f[value]
            for k, v in f.items():
                if k in value:
                    value = value.replace(k, str(v))
        return value


def machine_id():
    for p in ("/etc/machine-id", "/var/lib/dbus/machine-id"):
        try:
            with open(p) as f:
                return f.read().strip()
        except OSError:
            pass
    return os.uname().nodename


def mac(path, index, mid=None):
    h = hashlib.sha256(((mid or machine_id()) + "%s#%d" % (path, index)).encode()).digest()
    return "52:55:55:%02x:%02x:%02x" % (h[0], h[1], h[2])


def size_bytes(text):
    m = re.match(r"^(\d+(?:\.\d+)?) ?([kKmMgGtTpP]?)(?:i?[bB])?$", text or "")
    if not m:
        return None
    return int(float(m.group(1)) * 1024 ** " kmgtp".index(m.group(2).lower() or " "))


# ---------------------------------------------------------------- messages

LOGLINE = re.compile(r'^time="[^"]*" level=(\w+) msg=(?:"((?:[^"\\]|\\.)*)"|(\S+))(.*)$')


def log_entries(stderr):
    """(level, message) per line; lines that are no log lines get level ''."""
    out = []
    for line in stderr.splitlines():
        m = LOGLINE.match(line)
        if not m:
            out.append(("", line))
            continue
        text = m.group(2) if m.group(2) is not None else m.group(3)
        rest = m.group(4) or ""
        r = re.search(r' error="((?:[^"\\]|\\.)*)"| error=(\S+)', rest)
        if r:
            text += ": " + (r.group(1) or r.group(2))
        text = text.replace('\\"', '"').replace("\\n", "\n").replace("\\t", "\t").replace("\\\\", "\\")
        out.append((m.group(1), text))
    return out


# Spellings that mean the same field. The first name is the field's path in
# the YAML file; a program may print either.
ALIASES = [
    (r"networks\[(\d+)\]\.macAddress", ["vmnet.mac"]),
    (r"mounts\[(\d+)\]\.9p\.msize", ["msize"]),
    (r"images\[(\d+)\]\.arch", ["arch"]),
    (r"images\[(\d+)\]\.kernel\.arch", ["images[{0}].kernel"]),
    (r"images\[(\d+)\]\.initrd\.arch", ["images[{0}].initrd"]),
    (r"containerd\.archives\[(\d+)\]\.arch", ["arch"]),
    (r"probes\[(\d+)\](.*)", ["probe[{0}]{1}"]),
    (r"copyToHost\[(\d+)\](.*)", ["CopyToHost[{0}]{1}"]),
    (r"hostResolver\.enabled", ["HostResolver.Enabled"]),
    (r"param\.(.*)", ["param `{0}`", "param {0}", 'param "{0}"', "key `{0}`"]),
    (r"minimumLimaVersion", ["template requires Lima version"]),
    (r"base", ["base template", "base `"]),
    (r"vmType", ["vm type", "VMType", "vmType", "driver"]),
    (r"os", ["Windows guest", "field `os`"]),
    (r"(.*)\.mode", ["provision mode"]),
]


def names_field(text, field):
    """Does a message name this field (by its path or a known alias)?"""
    if field in text:
        return True
    for pattern, others in ALIASES:
        m = re.fullmatch(pattern, field)
        if m and any(o.format(*m.groups()) in text for o in others):
            return True
    leaf = field.rsplit(".", 1)[-1]
    return len(leaf) >= 3 and leaf != field and re.search(r"\b%s\b" % re.escape(leaf), text) is not None


# ---------------------------------------------------------------- the kinds
# Each returns what the program did, in the shape of NAME.out.json.

def list_one(r, name, env=None):
    rc, out, err = r.run("list", "--json", name, env=env)
    for line in out.splitlines():
        try:
            obj = json.loads(line)
        except ValueError:
            continue
        if obj.get("name") == name:
            return rc, obj
    return rc, None


LIST_KEYS = ("status", "vmType", "arch", "cpus", "memory", "disk", "additionalDisks", "network", "message",
             "param", "sshLocalPort", "config", "protected", "hostname", "limaVersion")


def pick(obj):
    if obj is None:
        return {"listed": False}
    got = {k: obj[k] for k in LIST_KEYS if k in obj}
    got["broken"] = "errors" in obj
    if obj.get("errors"):
        got["hasErrors"] = True
    return got


def layers(r, files):
    for layer in ("default", "override", "base"):
        if "%s.yaml" % layer in files:
            r.put(os.path.join(r.home, "_config", layer + ".yaml"), files[layer + ".yaml"])
    if "networks.yaml" in files:
        r.put(os.path.join(r.home, "_config", "networks.yaml"), files["networks.yaml"])
    for n, data in files.items():
        if n.startswith("file."):
            r.put(os.path.join(r.case, n[5:].replace("%", "/")), data)


def do_fill(r, name, files, opts):
    layers(r, files)
    src = os.path.join(r.case, name + ".yaml")
    if "in.yaml" in files:
        r.put(src, files["in.yaml"])
    verb = opts.get("copy", ["--fill"])
    rc, out, err = r.run("template", "copy", *verb, opts.get("locator", src), "-", env=opts.get("env"),
                         stdin=r.real(files["stdin"].decode()) if "stdin" in files else None)
    got = {"exit": rc}
    if rc == 0:
        got["config"] = parse_yaml(out)
    return got, os.path.join(r.home, name + ".yaml")


def do_load(r, name, files, opts):
    layers(r, files)
    path = os.path.join(r.home, name, "lima.yaml")
    r.put(path, files["in.yaml"])
    if opts.get("limaVersion", "2.2.0"):
        r.put(os.path.join(r.home, name, "lima-version"), opts.get("limaVersion", "2.2.0"))
    for n in opts.get("touch", []):
        r.put(os.path.join(r.home, name, n), b"")
    os.chmod(os.path.join(r.home, name), 0o700)
    rc, obj = list_one(r, name, env=opts.get("env"))
    got = {"exit": rc}
    got.update(pick(obj))
    return got, path


def problem_text(stderr):
    return "\n".join(m for level, m in log_entries(stderr) if level in ("fatal", "error", ""))


def do_invalid(r, name, files, opts):
    layers(r, files)
    src = os.path.join(r.case, name + ".yaml")
    r.put(src, files["in.yaml"])
    rc, out, err = r.run("validate", src, env=opts.get("env"))
    return {"exit": rc, "said": problem_text(r.hide(err))}, None


def do_warn(r, name, files, opts):
    layers(r, files)
    src = os.path.join(r.case, name + ".yaml")
    r.put(src, files["in.yaml"])
    got = {"exit": 0, "said": ""}
    rc, out, err = r.run("validate", src, env=opts.get("env"))
    got["exit"] = rc
    said = [m for level, m in log_entries(r.hide(err)) if level != "info"]
    rc, out, err = r.run("create", "--tty=false", "--name=" + name, *opts.get("args", []), src, env=opts.get("env"))
    got["create"] = rc
    said += [m for level, m in log_entries(r.hide(err)) if level != "info"]
    got["said"] = "\n".join(said)
    got["quiet"] = not said
    return got, None


def read_instance_yaml(r, name):
    try:
        with open(os.path.join(r.home, name, "lima.yaml"), "rb") as f:
            return f.read().decode("utf-8-sig")
    except OSError:
        return None


def do_flags(r, name, files, opts):
    layers(r, files)
    src = os.path.join(r.case, name + ".yaml")
    r.put(src, files["in.yaml"])
    rc, out, err = r.run("create", "--tty=false", "--name=" + name, *opts["args"], src, env=opts.get("env"))
    got = {"exit": rc, "said": r.hide(err)}
    text = read_instance_yaml(r, name)
    if text is None:
        got["created"] = False
    else:
        got["yaml"] = parse_yaml(text)
        got["text"] = text
        got.update({k: v for k, v in pick(list_one(r, name)[1]).items()
                    if k in ("config", "memory", "disk", "cpus", "broken", "vmType")})
    return got, os.path.join(r.home, name, "lima.yaml")


def do_edit(r, name, files, opts):
    layers(r, files)
    path = os.path.join(r.home, name, "lima.yaml")
    r.put(path, files["in.yaml"])
    r.put(os.path.join(r.home, name, "lima-version"), opts.get("limaVersion", "2.2.0"))
    tiny_qcow2(os.path.join(r.home, name, "disk"))
    os.chmod(os.path.join(r.home, name), 0o700)
    rc, out, err = r.run("edit", "--tty=false", *opts["args"], name)
    got = {"exit": rc, "said": r.hide(err)}
    with open(path, "rb") as f:
        raw = f.read()
    got["text"] = r.hide(raw.decode("utf-8", "replace"))
    try:
        got["yaml"] = parse_yaml(raw.decode("utf-8-sig"))
    except yaml.YAMLError as e:
        got["yaml"] = "unreadable: %s" % e
    got["config"] = pick(list_one(r, name)[1]).get("config")
    return got, path


# ---- names: one table per file; each row is a test of its own

def table_rows(r, table, rows):
    """Yield (row, result) for each row of a table."""
    kind = table["table"]
    if kind == "size":
        r.fresh()
        for i, row in enumerate(rows):
            body = {"images": [{"location": "https://example.invalid/x.qcow2"}], table["field"]: row["in"]}
            r.put(os.path.join(r.home, "s%03d" % i, "lima.yaml"), json.dumps(body))
            r.put(os.path.join(r.home, "s%03d" % i, "lima-version"), "2.2.0")
        rc, out, err = r.run("list", "--json")
        listed = {}
        for line in out.splitlines():
            try:
                o = json.loads(line)
                listed[o["name"]] = o
            except (ValueError, KeyError):
                pass
        for i, row in enumerate(rows):
            body = {"images": [{"location": "https://example.invalid/x.qcow2"}], table["field"]: row["in"]}
            r.put(os.path.join(r.case, "s.yaml"), json.dumps(body))
            rc, out, err = r.run("validate", os.path.join(r.case, "s.yaml"))
            o = listed.get("s%03d" % i, {})
            got = {"exit": rc}
            if rc == 0:
                got["bytes"] = o.get(table["field"])
            yield row, got
    elif kind == "yaml":
        for row in rows:
            r.fresh()
            r.put(os.path.join(r.case, "t.yaml"), table.get("head", "images: [{location: https://example.invalid/x.qcow2}]\n")
                  + row["in"])
            rc, out, err = r.run("template", "copy", "--fill", os.path.join(r.case, "t.yaml"), "-")
            got = {"exit": rc}
            if rc == 0:
                rc2, _, _ = r.run("validate", os.path.join(r.case, "t.yaml"))
                got["valid"] = rc2 == 0
                if "path" in row:
                    got["value"] = dig(parse_yaml(out), row["path"])
            yield row, got
    elif kind == "create":
        for row in rows:
            r.fresh()
            r.put(os.path.join(r.case, "t.yaml"), "images: [{location: @CASE@/tiny.qcow2}]\ncontainerd: {user: false}\n"
                  + row["in"])
            rc, out, err = r.run("create", "--tty=false", "--name=t", os.path.join(r.case, "t.yaml"))
            yield row, {"exit": rc}
    elif kind == "instance-name":
        for row in rows:
            r.fresh()
            r.put(os.path.join(r.case, "t.yaml"), "images: [{location: @CASE@/tiny.qcow2}]\ncontainerd: {user: false}\n")
            rc, out, err = r.run("create", "--tty=false", "--name=" + row["in"], os.path.join(r.case, "t.yaml"))
            got = {"exit": rc}
            if rc == 0:
                _, o = list_one(r, row["in"])
                got["name"] = (o or {}).get("name")
                got["hostname"] = (o or {}).get("hostname")
            yield row, got
    elif kind == "locator":
        for row in rows:
            r.fresh()
            for n in ("t.yaml", "Big_Name.yml", "sub/u.yaml", "bad name.yaml"):
                r.put(os.path.join(r.case, n), "images: [{location: @CASE@/tiny.qcow2}]\ncontainerd: {user: false}\n")
            args = row.get("args") or ["template", "copy", "--verbatim", row["in"], "-"]
            rc, out, err = r.run(*args, stdin=row.get("stdin"))
            got = {"exit": rc}
            if rc == 0 and row.get("show") == "out":
                got["out"] = r.hide(out.strip())
            elif rc == 0 and row.get("show") == "names":
                _, out, _ = r.run("list", "-q")
                got["names"] = sorted(out.split())
            elif rc == 0 and row.get("show") == "yaml":
                got["yaml"] = json.loads(r.hide(json.dumps(parse_yaml(out), default=str)))
            yield row, got
    elif kind == "mac":
        for row in rows:
            yield row, {"mac": mac(row["path"], row["index"], row["machineID"])}
    else:
        raise SystemExit("unknown table %r" % kind)


def dig(value, path):
    for part in path:
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            return None
    return value


DO = {"fill": do_fill, "load": do_load, "invalid": do_invalid, "validate-warn": do_warn, "flags": do_flags,
      "edit": do_edit}


# ---------------------------------------------------------------- compare

def drop_ignored(value):
    """Leave out what README.md lists as free to differ."""
    if not isinstance(value, dict):
        return value
    value = json.loads(json.dumps(value))
    for cfg in (value, value.get("config")):
        if not isinstance(cfg, dict):
            continue
        c = cfg.get("containerd")
        if isinstance(c, dict) and isinstance(c.get("archives"), list):
            c["archives"] = ["@BUILTIN@" if isinstance(a, dict) and "/nerdctl-full-" in str(a.get("location"))
                             and "github.com/containerd/nerdctl/" in str(a.get("location")) else a
                             for a in c["archives"]]
            if c["archives"] and all(a == "@BUILTIN@" for a in c["archives"]):
                c["archives"] = "@BUILTIN@"
    for y in (value.get("yaml"),):
        for p in y.get("portForwards") or [] if isinstance(y, dict) else []:
            for k in ("guestPort", "hostPort") if isinstance(p, dict) else ():
                if isinstance(p.get(k), str) and p[k].isdigit():
                    p[k] = int(p[k])
    value.pop("limaVersion", None)
    return value


def prune(value):
    """null, empty maps and empty lists count as absent."""
    if isinstance(value, dict):
        out = {k: prune(v) for k, v in value.items()}
        return {k: v for k, v in out.items() if v is not None and v != {} and v != []}
    if isinstance(value, list):
        return [prune(v) for v in value]
    return value


def diff(want, got, path=""):
    if isinstance(want, bool) != isinstance(got, bool) or type(want) is not type(got):
        if not (isinstance(want, (int, float)) and isinstance(got, (int, float))
                and not isinstance(want, bool) and not isinstance(got, bool) and want == got):
            return ["%s: want %s, got %s" % (path or "(all)", short(want), short(got))]
        return []
    if isinstance(want, dict):
        out = []
        for k in sorted(set(want) | set(got), key=str):
            p = "%s.%s" % (path, k) if path else str(k)
            if k not in got:
                out.append("%s: want %s, absent" % (p, short(want[k])))
            elif k not in want:
                out.append("%s: unexpected %s" % (p, short(got[k])))
            else:
                out += diff(want[k], got[k], p)
        return out
    if isinstance(want, list):
        if len(want) != len(got):
            return ["%s: want %d entries %s, got %d %s" % (path, len(want), short(want), len(got), short(got))]
        return [d for i, (a, b) in enumerate(zip(want, got)) for d in diff(a, b, "%s[%d]" % (path, i))]
    return [] if want == got else ["%s: want %s, got %s" % (path or "(all)", short(want), short(got))]


def short(v):
    s = json.dumps(v, sort_keys=True, ensure_ascii=False, default=str)
    return s if len(s) <= 160 else s[:157] + "..."


def compare(kind, want, got, runner, as_limactl):
    """List of differences between an expectation and what a program did."""
    want = json.loads(json.dumps(want))
    if kind in ("fill", "load"):
        want = {k: v for k, v in want.items() if k not in ("why", "required")}
        return diff(prune(drop_ignored(runner.substitute(want))), prune(drop_ignored(got)))
    bad = []
    if want["exit"] != got["exit"]:
        bad.append("exit: want %s, got %s" % (want["exit"], got["exit"]))
    said = got.get("said", "")
    for f in want.get("fields", []) + want.get("warn", []):
        if not names_field(said, f):
            bad.append("message does not name the field %s" % f)
    if want.get("warn") == [] and not got.get("quiet"):
        bad.append("warnings where there is nothing to warn about: %s" % short(said))
    for ln in [want["line"]] if want.get("line") else []:
        if not re.search(r"(?<!\d)%d(?!\d)" % ln, said):
            bad.append("message does not name line %d" % ln)
    if "create" in want and want["create"] != got.get("create"):
        bad.append("exit of create: want %s, got %s" % (want["create"], got.get("create")))
    if "created" in want and want["created"] != got.get("created", True):
        bad.append("an instance was %s" % ("left behind" if got.get("created", True) else "not made"))
    for k in ("yaml", "config", "memory", "disk", "cpus", "broken", "vmType"):
        if k not in want:
            continue
        a, b = {k: want[k]}, {k: got.get(k)}
        if k == "yaml":
            a = runner.substitute(a)
            b = json.loads(json.dumps(b, default=str).replace(runner.case, "@CASE@").replace(runner.home, "@LIMA_HOME@"))
            bad += diff(prune(drop_ignored(a)), prune(drop_ignored(b)))
        else:
            b = json.loads(json.dumps(b, default=str).replace(runner.case, "@CASE@").replace(runner.home, "@LIMA_HOME@"))
            bad += diff(prune(drop_ignored(runner.substitute(a))), prune(drop_ignored(b)))
    if not as_limactl and "text" in want and want["text"] != got.get("text"):
        bad.append("lima.yaml is not byte for byte as expected: want %s, got %s"
                   % (short(want["text"]), short(got.get("text"))))
    if not as_limactl and "text" in got:
        lines = got["text"].split("\n")
        pos = 0
        for l in want.get("keep", []):
            try:
                pos = lines.index(l, pos) + 1
            except ValueError:
                bad.append("line lost or changed: %r" % l)
    return bad


def load_cases(root):
    """{kind: {name: {suffix: bytes}}}"""
    cases = {}
    for kind in KINDS:
        d = os.path.join(root, kind)
        if not os.path.isdir(d):
            continue
        for fn in sorted(os.listdir(d)):
            name, _, suffix = fn.partition(".")
            with open(os.path.join(d, fn), "rb") as f:
                cases.setdefault(kind, {}).setdefault(name, {})[suffix] = f.read()
    return cases


def options(files):
    return json.loads(files["args.json"]) if "args.json" in files else {}


def run_case(runner, kind, name, files):
    runner.fresh()
    got, mac_path = DO[kind](runner, name, files, options(files))
    return got, mac_path


def actual_tokens(runner, got, mac_path):
    got = json.loads(json.dumps(got, default=str).replace(runner.case, "@CASE@").replace(runner.home, "@LIMA_HOME@"))
    if mac_path and isinstance(got.get("config"), dict):
        runner.name_macs(got["config"].get("networks"), mac_path)
    if mac_path:
        runner.name_macs(got.get("network"), mac_path)
    return got


def main():
    ap = argparse.ArgumentParser(usage="%(prog)s [options] PROGRAM CASE_DIR")
    ap.add_argument("program")
    ap.add_argument("cases")
    ap.add_argument("--as-user")
    ap.add_argument("--only", default="")
    ap.add_argument("--as-limactl", action="store_true")
    ap.add_argument("--keep", action="store_true")
    ap.add_argument("--verbose", action="store_true")
    a = ap.parse_args()
    program = shutil.which(a.program) or a.program
    if not os.path.isfile(program):
        ap.error("no such program: %s" % a.program)
    program = os.path.abspath(program)
    if not os.path.isdir(a.cases):
        ap.error("no such directory: %s" % a.cases)
    try:
        version = subprocess.run([program, "--version"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                 stdin=subprocess.DEVNULL, timeout=TIMEOUT).stdout.decode(errors="replace")
    except OSError as e:
        ap.error("cannot run %s: %s" % (program, e))
    as_limactl = a.as_limactl or version.startswith("limactl ") or os.path.basename(program) == "limactl"
    runner = Runner(program, a.as_user)
    passed, failed, as_good = 0, [], []
    try:
        runner.learn_facts()
        wrong = runner.host_facts_wrong()
        if not a.only:
            if wrong:
                failed.append(("host-facts", wrong))
            else:
                passed += 1
        for kind, cases in load_cases(a.cases).items():
            for name, files in cases.items():
                label = "%s/%s" % (kind, name)
                if a.only not in label:
                    continue
                if "out.json" not in files:
                    failed.append((label, ["no expectation recorded (%s.out.json)" % name]))
                    continue
                want = json.loads(files["out.json"])
                if kind == "names":
                    table = json.loads(files["in.json"])
                    if table["table"] == "mac":
                        continue  # vectors for a unit test, no command shows them
                    for i, (row, got) in enumerate(table_rows(runner, table, table["rows"])):
                        wants = [want[i]]
                        if not as_limactl and "better" in want[i]:
                            wants = [want[i]["better"]] + ([want[i]] if want[i].get("either") else [])
                        for exp in wants:
                            exp = {k: v for k, v in exp.items() if k not in ("in", "better", "why", "either")}
                            bad = diff(prune(runner.substitute(exp)), prune(got))
                            if not bad:
                                break
                        if bad:
                            failed.append(("%s[%d] %s" % (label, i, short(row.get("in"))), bad))
                        else:
                            passed += 1
                    continue
                try:
                    got, mac_path = run_case(runner, kind, name, files)
                    got = actual_tokens(runner, got, mac_path)
                except yaml.YAMLError as e:
                    failed.append((label, ["output is no YAML: %s" % e]))
                    continue
                better = want.pop("better", None)
                bad = compare(kind, want if as_limactl or not better else better, got, runner, as_limactl)
                if bad and better and not as_limactl and not better.get("required", True) \
                        and not compare(kind, want, got, runner, False):
                    bad = []
                if bad:
                    failed.append((label, bad))
                    if a.verbose:
                        bad.append("program said: " + runner.stderr.strip()[-2000:])
                else:
                    passed += 1
                    if a.verbose:
                        print("ok   " + label)
    finally:
        runner.done(a.keep)
    for label, bad in failed:
        print("FAIL " + label)
        for line in bad if a.verbose else bad[:6]:
            print("     " + line)
        if not a.verbose and len(bad) > 6:
            print("     ... and %d more" % (len(bad) - 6))
    print("%d passed, %d failed" % (passed, len(failed)))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
