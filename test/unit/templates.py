# SPDX-License-Identifier: Apache-2.0
"""The bundled templates and the examples.

What they are (descriptions, images, digests, scripts, README), what cima makes of them (validate
without a word, fill), and the machine that is planned for them: its command line is given to the
real QEMU, stopped before the first instruction (-S), which must get as far as answering on QMP.
"""
import glob
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile

import yaml

SRC = os.environ["srcdir"]
BUILD = os.environ["builddir"]
CIMA = os.path.join(BUILD, "cima")
TEMPLATES = os.path.join(SRC, "templates")
EXAMPLES = os.path.join(SRC, "instances-example")
KERNEL = os.path.join(BUILD, "guest", "mini", "vmlinuz")
ARCHES = ("x86_64", "aarch64")
# Those with scripts of their own, messages and probes.
SERVICES = ("apptainer", "buildkit", "docker", "docker-rootful", "k3s", "k8s", "podman",
            "podman-rootful")
ASKED_FOR = ("default debian-12 debian-13 ubuntu-22.04 ubuntu-24.04 ubuntu-26.04 fedora alpine "
             "archlinux almalinux rocky opensuse docker docker-rootful podman k3s k8s buildkit").split()
passed = failed = 0


def check(name, good, *details):
    global passed, failed
    if good:
        passed += 1
        return True
    failed += 1
    print("FAIL " + name)
    for d in details:
        print("     " + str(d).rstrip().replace("\n", "\n     "))
    return False


def note(text):
    print("note " + text)


def load(path):
    with open(path, encoding="utf-8") as f:
        return yaml.safe_load(f.read())


def template_files():
    """name as in template:NAME → path; hidden ones too."""
    out = {}
    for path in sorted(glob.glob(TEMPLATES + "/**/*.yaml", recursive=True)):
        out[os.path.relpath(path, TEMPLATES)[:-len(".yaml")]] = path
    return out


def example_files():
    return sorted(p for p in glob.glob(EXAMPLES + "/**/*.yaml", recursive=True))


def machines():
    """Examples that are instances: not the files that others take in."""
    hidden = ("parts", "_config")
    return [p for p in example_files() if os.path.basename(os.path.dirname(p)) not in hidden]


# ---- what they are -------------------------------------------------------------------------------

def check_heads(files):
    for name, path in files.items():
        with open(path, encoding="utf-8") as f:
            lines = f.read().split("\n")
        check(f"{name}: the first line describes it",
              re.match(r"# \S.{3,97}[^.]$", lines[0]) and "yaml-language-server" not in lines[0],
              lines[0])
        m = re.match(r"# yaml-language-server: \$schema=(\S+)$", lines[1])
        schema = m and os.path.normpath(os.path.join(os.path.dirname(path), m.group(1)))
        check(f"{name}: the second line names the schema",
              schema == os.path.join(SRC, "schemas", "cima.schema.json"), lines[1], schema)
        check(f"{name}: no tab, no blank at a line's end, one line feed at the end",
              lines[-1] == "" and lines[-2] != "" and "\t" not in "\n".join(lines) and
              not any(x.endswith(" ") for x in lines))


def check_images(files):
    with open(os.path.join(SRC, "test/golden/templates/images.json"), encoding="utf-8") as f:
        known = {(e["location"], e["arch"]): e.get("digest") for e in json.load(f)}
    used = set()
    for name, path in files.items():
        images = load(path).get("images") or []
        first_moving = {}
        for i, image in enumerate(images):
            key = (image["location"], image["arch"])
            used.add(key)
            check(f"{name}: image {i} is a known one", key in known, image["location"])
            check(f"{name}: image {i} has the published digest",
                  image.get("digest") == known.get(key), image.get("digest"), known.get(key))
            kind = (image["arch"], image.get("variant"), image.get("archVariant"))
            if "digest" not in image:
                first_moving.setdefault(kind, i)
            check(f"{name}: image {i} with a digest stands before those without",
                  "digest" not in image or kind not in first_moving, image["location"])
            check(f"{name}: image {i} comes over https", image["location"].startswith("https://"))
        if images:
            check(f"{name}: images for x86_64 and aarch64",
                  {i["arch"] for i in images} >= set(ARCHES))
            first = {}
            for image in images:
                first.setdefault(image["arch"], image)
            check(f"{name}: the first choice of each architecture is of no special CPU",
                  not any("archVariant" in i for i in first.values()))
    check("every known image is used", used == set(known), set(known) - used)


def chain(files, name, seen):
    """The bases of a template, itself first."""
    if name in seen:
        return []
    seen.add(name)
    base = load(files[name]).get("base") or []
    out = [name]
    for b in [base] if isinstance(base, str) else base:
        if not check(f"{name}: its base {b} is bundled",
                     b.startswith("template:") and b[len("template:"):] in files):
            continue
        out += chain(files, b[len("template:"):], seen)
    return out


def check_templates(files):
    shown = [n for n in files if not n.startswith("_")]
    check("what was asked for is there", set(ASKED_FOR) <= set(shown), set(ASKED_FOR) - set(shown))
    for name in shown:
        t = load(files[name])
        names = chain(files, name, set())
        check(f"{name}: has images", any(load(files[n]).get("images") for n in names))
        check(f"{name}: says for which Lima it is", t.get("minimumLimaVersion") == "2.0.0")
    for name in SERVICES:
        t = load(files[name])
        check(f"{name}: a message", "cima " in t["message"] or "{{.Dir}}" in t["message"])
        check(f"{name}: probes with hints and descriptions",
              t["probes"] and all(p.get("hint") and p.get("description") for p in t["probes"]))
        check(f"{name}: no containerd of cima's", t["containerd"] == {"system": False, "user": False})
    started = [n for n in shown if load(files[n]).get("provision")]
    check("those with scripts are the services", sorted(started) == sorted(SERVICES), started)


def scripts_of(doc):
    for kind in ("provision", "probes"):
        for i, p in enumerate(doc.get(kind) or []):
            if isinstance(p.get("script"), str):
                yield f"{kind}[{i}]", p["script"], kind == "provision"


def check_scripts(paths):
    """Their first line, their first command, shellcheck."""
    tool = shutil.which("shellcheck")
    if not tool:
        note("shellcheck is not installed: scripts are not checked by it")
    with tempfile.TemporaryDirectory() as scratch:
        names = []
        for path in paths:
            doc = load(path) or {}
            short = os.path.relpath(path, SRC)
            for where, text, provision in scripts_of(doc):
                # The texts of a script are not its own until they are expanded.
                plain = re.sub(r"\{\{[^}]*\}\}", "expanded", text)
                check(f"{short}: {where} names its shell", text.startswith(("#!/bin/sh\n", "#!/bin/bash\n")))
                if short.startswith("templates/"):
                    wanted = "set -eux -o pipefail" if text.startswith("#!/bin/bash") else "set -eu"
                    check(f"{short}: {where} stops at errors", f"\n{wanted}\n" in text)
                name = f"{short.replace('/', '_')}.{where}.sh"
                with open(os.path.join(scratch, name), "w", encoding="utf-8") as f:
                    f.write(plain)
                names.append(name)
        check("there are scripts", len(names) >= 20, len(names))
        if tool:
            # SC2154: parameters come from the environment.
            r = subprocess.run([tool, "-e", "SC2154"] + names, cwd=scratch, capture_output=True, text=True)
            check("scripts are shellcheck-clean", r.returncode == 0, r.stdout, r.stderr)


def check_readme(path, wanted):
    """The first column of its tables holds exactly these names."""
    with open(path, encoding="utf-8") as f:
        rows = [r for r in f.read().split("\n") if r.startswith("| `")]
    named = [n for r in rows for n in re.findall(r"`([^`]+)`", r.split("|")[1])]
    check(f"{os.path.relpath(path, SRC)}: no name twice", len(named) == len(set(named)), named)
    check(f"{os.path.relpath(path, SRC)}: names exactly what is there", set(named) == set(wanted),
          f"not there: {set(named) - set(wanted)}", f"not named: {set(wanted) - set(named)}")


# ---- what cima makes of them ---------------------------------------------------------------------

class Home:
    """A home of its own, in which cima finds these templates."""

    def __init__(self, scratch):
        self.dir = os.path.join(scratch, "home")
        os.mkdir(self.dir)
        self.env = {k: v for k, v in os.environ.items()
                    if not k.startswith(("LIMA_", "CIMA_", "QEMU_")) and not k.lower().endswith("_proxy")}
        self.env.update(CIMA_HOME=self.dir, CIMA_LIBEXEC=BUILD, LIMA_TEMPLATES_PATH=TEMPLATES)

    def cima(self, *args, text=None):
        return subprocess.run([CIMA, *args], env=self.env, input=text, capture_output=True, text=True,
                              cwd=self.dir)


def check_validate(home, names):
    r = home.cima("validate", *names)
    for name in names:
        check(f"{name}: valid", f"{name}`: OK" in r.stderr, r.stderr[-1500:] if r.returncode else "")
    check("all are valid", r.returncode == 0, r.stderr[-3000:])
    words = [x for x in r.stderr.split("\n") if x and ": OK" not in x]
    strange = [x for x in words if not any(w in x for w in EXPERIMENTAL)]
    check("nothing is to be said of them", not strange, "\n".join(strange)[:3000])


def embedded(home, name, arch):
    """The YAML with its bases, for a machine of that architecture; None when it fails. With all
    fields, it says the same."""
    text = json.dumps({"base": name, **({"arch": arch} if arch else {})})
    file = os.path.join(home.dir, "asked.yaml")
    with open(file, "w", encoding="utf-8") as f:
        f.write(text + "\n")
    for_whom = f"{name} ({arch or 'its architecture'})"
    r = home.cima("template", "copy", "--embed-all", file, "-")
    if not check(f"{for_whom}: embeds its bases", r.returncode == 0, r.stderr[-2000:]):
        return None
    f = home.cima("template", "copy", "--embed-all", "--fill", file, "-")
    if not check(f"{for_whom}: is filled", f.returncode == 0, f.stderr[-2000:]):
        return None
    y, whole = yaml.safe_load(r.stdout), yaml.safe_load(f.stdout)
    for what in (y, whole):
        check(f"{for_whom}: nothing is left to be taken in", not what.get("base"), what.get("base"))
        check(f"{for_whom}: images", [i["location"] for i in what["images"]] ==
              [i["location"] for i in whole["images"]])
    check(f"{for_whom}: has an image of {whole['arch']}",
          any(i["arch"] == whole["arch"] for i in whole["images"]))
    check(f"{for_whom}: all fields are there", all(k in whole for k in ("cpus", "memory", "ssh", "user")))
    return r.stdout


def check_list(home, files):
    r = home.cima("create", "--list-templates")
    check("create --list-templates", r.returncode == 0, r.stderr)
    lines = [x.split(None, 1) for x in r.stdout.split("\n") if x]
    listed = {x[0]: x[1].strip() if len(x) > 1 else "" for x in lines}
    shown = {n: p for n, p in files.items() if not n.startswith("_")}
    check("all templates are listed, and no other", set(listed) == set(shown),
          set(listed) ^ set(shown))
    for name, path in shown.items():
        with open(path, encoding="utf-8") as f:
            check(f"{name}: listed with its description", listed.get(name) == f.readline()[2:].strip(),
                  listed.get(name))


# ---- the machine ---------------------------------------------------------------------------------

FIRMWARE = {
    "x86_64": ["/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"],
    "aarch64": ["/usr/share/AAVMF/AAVMF_CODE.fd", "/usr/share/AAVMF/AAVMF_VARS.fd"],
}
FIRMWARE_SIZE = {"x86_64": (3653632, 540672), "aarch64": (64 << 20, 64 << 20)}


def plan(scratch, text, arch):
    """{"argv", "fds", "helpers", "notes"}, or {"message", …} when the driver refuses."""
    case = {"input": {"yaml": text, "instance": "t"},
            "facts": {"firmware_files": FIRMWARE[arch], "virtiofsd": "/usr/libexec/virtiofsd"}}
    file = os.path.join(scratch, "case.json")
    with open(file, "w", encoding="utf-8") as f:
        json.dump(case, f)
    r = subprocess.run([os.path.join(BUILD, "argv-case"), file], capture_output=True, text=True,
                       env={**os.environ, "srcdir": SRC})
    if r.returncode:
        return {"message": r.stderr}
    return json.loads(r.stdout)


class Host:
    """Directories and files that stand for those of a start."""

    def __init__(self, scratch, arch, qemu):
        self.dir = os.path.join(scratch, "host-" + arch)
        self.arch, self.qemu = arch, qemu
        for d in ("inst", "home", "user", "cwd"):
            os.makedirs(os.path.join(self.dir, d))
        for name in ("disk", "qemu-efi-vars.fd"):
            size = str(FIRMWARE_SIZE[arch][1]) if name != "disk" else "64M"
            subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2",
                            os.path.join(self.dir, "inst", name), size], check=True)
        self.file("inst/cidata.iso", 1 << 20)
        self.file("inst/initrd", 1 << 16)
        if os.path.exists(KERNEL):  # QEMU looks into it
            shutil.copyfile(KERNEL, os.path.join(self.dir, "inst", "kernel"))
        self.code = self.file("code.fd", FIRMWARE_SIZE[arch][0])

    def file(self, name, size):
        path = os.path.join(self.dir, name)
        with open(path, "wb") as f:
            f.truncate(size)
        return path

    def real(self, word):
        places = {"@DIR@": "inst", "@HOME@": "home", "@USERHOME@": "user"}
        word = word.replace("@BINDIR@/" + os.path.basename(self.qemu), self.qemu)
        for symbol, name in places.items():
            word = word.replace(symbol, os.path.join(self.dir, name))
        # Whatever port the YAML wants, it may be taken here.
        word = re.sub(r"(hostfwd=tcp:127\.0\.0\.1:)\d+-", r"\g<1>0-", word)
        code = FIRMWARE[self.arch][0]
        if code in word and not os.path.exists(code):
            word = word.replace(code, self.code)
        return word


def descriptor(host, what, keep):
    """What stands behind a number of the plan: a listening socket, or a connected one."""
    if not what.startswith("listen:"):
        ours, theirs = socket.socketpair()
        keep.append(ours)
        return theirs
    path = host.real(what[len("listen:"):])
    if os.path.exists(path):
        os.unlink(path)
    s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    s.bind(path)
    s.listen(1)
    return s


def qmp(path):
    """Greets QEMU, asks how it is, ends it. Its answers."""
    answers = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
        s.settimeout(120)
        s.connect(path)
        f = s.makefile("rw", encoding="utf-8")
        answers.append(json.loads(f.readline()))
        for command in ("qmp_capabilities", "query-status", "quit"):
            f.write(json.dumps({"execute": command}) + "\n")
            f.flush()
            while True:
                answer = json.loads(f.readline())
                if "event" not in answer:
                    break
            answers.append(answer)
    return answers


def run_qemu(name, host, p):
    """Gives the command line to QEMU; True when it was accepted."""
    keep = []
    numbers = {int(n): descriptor(host, what, keep) for n, what in p["fds"].items()}
    argv = [host.real(w) for w in p["argv"]] + ["-S"]
    listening = [host.real(w[len("listen:"):]) for w in p["fds"].values() if w.endswith("/qmp.sock")]
    if not check(f"{name}: the plan has a QMP socket", len(listening) == 1, p["fds"]):
        return
    high = {n: os.dup2(s.fileno(), 100 + n, inheritable=True) for n, s in numbers.items()}

    def place():
        for n, fd in high.items():
            os.dup2(fd, n, inheritable=True)

    with tempfile.TemporaryFile("w+") as errors:
        child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=errors, stderr=errors,
                                 pass_fds=list(numbers) + list(high.values()), preexec_fn=place,
                                 cwd=os.path.join(host.dir, "cwd"))
        for s in numbers.values():
            s.close()
        for fd in high.values():
            os.close(fd)
        answers, problem = [], ""
        try:
            answers = qmp(listening[0])
        except (OSError, ValueError) as e:
            problem = repr(e)
            child.send_signal(signal.SIGKILL)
        code = child.wait()
        errors.seek(0)
        said = re.sub(r"VNC server running on \S+\n", "", errors.read())
    status = answers[2].get("return", {}).get("status") if len(answers) > 2 else None
    check(f"{name}: QEMU accepts its command line", status == "prelaunch" and code == 0,
          problem, f"exit code {code}, status {status}", said, " ".join(argv))
    check(f"{name}: QEMU has nothing to say about it", not said, said)


def needs_helper(p):
    """Why this command line can't be tried here, or None."""
    if p.get("helpers"):
        return "it needs " + ", ".join(os.path.basename(h[0]) for h in p["helpers"])
    return None


def check_plans(scratch, wanted):
    """wanted: (name, YAML, arch). Command lines that differ in nothing but names run once."""
    hosts, seen, tried, planned, refused = {}, {}, 0, 0, {}
    for name, text, arch in wanted:
        p = plan(scratch, text, arch)
        if "argv" not in p:
            refused.setdefault(p.get("message", "").split("\n")[0], []).append(name)
            continue
        planned += 1
        check(f"{name} ({arch}): a command line for QEMU of that architecture",
              p["argv"][0].endswith("qemu-system-" + arch), p["argv"][0])
        key = json.dumps([p["argv"], p["fds"]])
        key = re.sub(r"mac=[0-9a-f:]+", "mac=", key)
        if key in seen:
            continue
        seen[key] = name
        program = shutil.which("qemu-system-" + arch)
        reason = needs_helper(p) or (None if program else f"qemu-system-{arch} is not installed")
        if not reason and "-kernel" in p["argv"] and not os.path.exists(KERNEL):
            reason = "the mini guest, whose kernel it starts, is not built here"
        if reason:
            note(f"{name} ({arch}): planned, not given to QEMU: {reason}")
            continue
        if arch not in hosts:
            hosts[arch] = Host(scratch, arch, program)
        run_qemu(f"{name} ({arch})", hosts[arch], p)
        tried += 1
    note(f"{planned} command lines planned; {len(seen)} different ones, {tried} given to QEMU")
    return refused, tried


# What is said of any YAML that has these.
EXPERIMENTAL = ("`mountType: virtiofs` on Linux is experimental", "`video.display: vnc` is experimental")

# What has to be there before such a machine can be planned, and is not here: whom it may concern.
REFUSED = {
    "could not load disk 'data'": {"instances-example/disks.yaml"},
    "user-v2_qemu.sock'": {"instances-example/networks.yaml"},
}


def main():
    files = template_files()
    check("there are templates", len(files) > 40, len(files))
    check_heads(files)
    check_images(files)
    check_templates(files)
    check_readme(os.path.join(TEMPLATES, "README.md"), [n for n in files if not n.startswith("_")])
    check_scripts(list(files.values()) + example_files())
    check_readme(os.path.join(EXAMPLES, "README.md"),
                 [os.path.relpath(p, EXAMPLES) for p in machines()])

    with tempfile.TemporaryDirectory(prefix="cima-t.", dir="/tmp") as scratch:
        home = Home(scratch)
        shown = [n for n in files if not n.startswith("_")]
        locators = ["template:" + n for n in shown]
        check_validate(home, locators + machines())
        check_list(home, files)
        wanted = []
        for name in locators:
            wanted += [(name, embedded(home, name, arch), arch) for arch in ARCHES]
        for path in machines():
            text = embedded(home, path, None)
            arch = text and yaml.safe_load(text).get("arch", "x86_64")
            wanted.append((os.path.relpath(path, SRC), text, arch))
        refused, tried = check_plans(scratch, [w for w in wanted if w[1]])
        for message, names in refused.items():
            known = [k for k in REFUSED if k in message]
            check(f"refused for a known reason: {', '.join(names)}",
                  known and set(names) <= REFUSED[known[0]], message)
            note(f"refused by the driver: {', '.join(names)}: {message}")
        if shutil.which("qemu-system-x86_64"):
            check("the real QEMU was asked", tried >= 3, tried)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


sys.exit(main())
