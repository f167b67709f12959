#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""schema.py PROGRAM SRCDIR: the committed JSON Schema against an independent validator.

It is a schema; it is what the program prints; templates, examples and every document that the
program takes without a word about unknown fields pass; the documents of bad.yaml fail, each at its
place."""
import glob
import json
import os
import re
import subprocess
import sys
import tempfile

import jsonschema
import yaml

PROGRAM, SRCDIR = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
SCHEMA_FILE = os.path.join(SRCDIR, "schemas/cima.schema.json")
# Fewer documents than these: a directory was missed, and nothing was tested.
ENOUGH_TAKEN = 250


class Yaml12(yaml.SafeLoader):
    """The core schema of YAML 1.2 in place of YAML 1.1: `yes` and 2020-01-01 are texts."""


Yaml12.yaml_implicit_resolvers = {}
for tag, pattern, first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789"),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", "-+.0123456789"),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("merge", r"<<", "<"),
):
    Yaml12.add_implicit_resolver("tag:yaml.org,2002:" + tag, re.compile("^(%s)$" % pattern),
                                 list(first))


def construct_int(loader, node):
    text = loader.construct_scalar(node)
    return int(text[2:], 8) if text.startswith("0o") else int(text, 16 if "0x" in text else 10)


def construct_float(loader, node):
    return float(loader.construct_scalar(node))


def construct_binary(loader, node):
    """What is encoded is a text of the instance's like any other."""
    return loader.construct_yaml_binary(node).decode()


Yaml12.add_constructor("tag:yaml.org,2002:binary", construct_binary)
Yaml12.add_constructor("tag:yaml.org,2002:int", construct_int)
Yaml12.add_constructor("tag:yaml.org,2002:float", construct_float)


def read(text):
    """The first document."""
    loader = Yaml12(text)
    try:
        return loader.get_data() if loader.check_data() else None
    finally:
        loader.dispose()


class Counts:
    passed = failed = 0


def check(ok, what):
    if ok:
        Counts.passed += 1
    else:
        Counts.failed += 1
        print("FAIL:", what)


def place(error):
    return ".".join(str(p) for p in error.absolute_path)


def all_errors(errors):
    """Errors, and those within anyOf and the like."""
    for e in errors:
        yield e
        yield from all_errors(e.context)


def words(errors):
    return "; ".join("%s: %s: %s" % (place(e), e.validator, e.message[:200]) for e in errors)


def check_good(validator):
    files = glob.glob(SRCDIR + "/templates/**/*.yaml", recursive=True)
    examples = glob.glob(SRCDIR + "/instances-example/**/*.yaml", recursive=True)
    check(len(files) > 0 and len(examples) > 0, "there are templates and examples")
    for path in sorted(files + examples):
        name = os.path.relpath(path, SRCDIR)
        with open(path, encoding="utf-8") as f:
            text = f.read()
        errors = list(validator.iter_errors(read(text)))
        check(not errors, "%s: %s" % (name, words(errors)))
        # An editor that is told where the schema is must find it.
        told = re.findall(r"^# yaml-language-server: \$schema=(.*)$", text, re.M)
        if path in files:
            check(len(told) == 1, "%s names its schema" % name)
        for schema in told:
            found = os.path.normpath(os.path.join(os.path.dirname(path), schema))
            check(found == SCHEMA_FILE, "%s: the schema is not at %s" % (name, schema))


def check_bad(validator):
    with open(SRCDIR + "/test/unit/schema/bad.yaml", encoding="utf-8") as f:
        rows = read(f.read())
    for row in rows:
        errors = list(all_errors(validator.iter_errors(row["doc"])))
        hit = [e for e in errors if place(e) == row["at"] and e.validator == row["by"]]
        check(hit, "%s: nothing at '%s' by %s, but: %s" %
              (json.dumps(row["doc"]), row["at"], row["by"], words(errors)))


def documents():
    """Texts of every kind: those of the configuration's own tests and of the conformance cases."""
    for path in sorted(glob.glob(SRCDIR + "/test/golden/config/**/*.yaml", recursive=True) +
                       glob.glob(SRCDIR + "/test/golden/conformance/*/*.yaml")):
        with open(path, "rb") as f:
            yield os.path.relpath(path, SRCDIR), f.read()
    image = b"images: [{location: /x}]\n"
    for path in sorted(glob.glob(SRCDIR + "/test/golden/conformance/names/*.in.json")):
        with open(path, encoding="utf-8") as f:
            table = json.load(f)
        for i, row in enumerate(table["rows"]):
            text = row.get("in")
            if table["table"] == "size":
                text = "%s: %s\n" % (table["field"], text)
            elif table["table"] != "yaml":
                continue
            yield "%s, row %d" % (os.path.relpath(path, SRCDIR), i), image + text.encode()


def check_taken(validator):
    """The schema refuses nothing that the program takes."""
    taken = both = refused = 0
    with tempfile.TemporaryDirectory() as tmp:
        env = dict(os.environ, CIMA_HOME=tmp + "/home", LIMA_HOME=tmp + "/home")
        for name, data in documents():
            path = tmp + "/case.yaml"
            with open(path, "wb") as f:
                f.write(data)
            run = subprocess.run([PROGRAM, "validate", path], env=env, cwd=tmp, check=False,
                                 stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                 stderr=subprocess.STDOUT)
            check(run.returncode in (0, 1), "%s: status %d" % (name, run.returncode))
            try:
                errors = list(validator.iter_errors(read(data.decode("utf-8-sig"))))
            except (yaml.YAMLError, UnicodeDecodeError, ValueError):
                continue
            if run.returncode == 0 and b"unknown field" not in run.stdout:
                taken += 1
                check(not errors, "%s: %s" % (name, words(errors)))
            elif run.returncode:
                refused += 1
                both += bool(errors)
    check(taken >= ENOUGH_TAKEN, "only %d documents were taken" % taken)
    print("schema: %d documents that cima takes; of %d that it refuses, the schema refuses %d" %
          (taken, refused, both))


def check_command():
    """Templates that are named are checked, and then unknown fields are errors."""
    with tempfile.TemporaryDirectory() as tmp:
        env = dict(os.environ, CIMA_HOME=tmp + "/home", LIMA_HOME=tmp + "/home")
        for name, text in (("good", "images: [{location: /x}]\n"),
                           ("unknown", "images: [{location: /x}]\ncpu: 4\n"),
                           ("value", "images: [{location: /x}]\narch: amd64\n")):
            with open("%s/%s.yaml" % (tmp, name), "w", encoding="utf-8") as f:
                f.write(text)
        for names, status, said in ((["good"], 0, "OK"),
                                    (["unknown"], 1, "unknown.yaml:2:1: error: unknown field"),
                                    (["value"], 1, "value.yaml:2:7: error: field `arch`"),
                                    (["unknown", "good"], 1, "`good.yaml`: OK")):
            run = subprocess.run([PROGRAM, "generate-jsonschema", "--schemafile", "out.json"] +
                                 [n + ".yaml" for n in names], env=env, cwd=tmp, check=False,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            told = run.stderr.decode()
            check(run.returncode == status and said in told and not run.stdout,
                  "generate-jsonschema %s: %d: %s" % (names, run.returncode, told))
            with open(tmp + "/out.json", "rb") as f, open(SCHEMA_FILE, "rb") as g:
                check(f.read() == g.read(), "--schemafile writes the schema")


def main():
    with open(SCHEMA_FILE, encoding="utf-8") as f:
        text = f.read()
    schema = json.loads(text)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    printed = subprocess.run([PROGRAM, "generate-jsonschema"], check=True, stdout=subprocess.PIPE)
    check(printed.stdout.decode() == text,
          "schemas/cima.schema.json is current: `make update-generated` writes it anew")
    check_command()
    check_good(validator)
    check_bad(validator)
    check_taken(validator)
    print("schema: %d passed, %d failed" % (Counts.passed, Counts.failed))
    return Counts.failed > 0


if __name__ == "__main__":
    sys.exit(main())
