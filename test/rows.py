#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The table row of the specification → tests that hold it.

usage: rows.py            compares test/rows.md with what the sources say now; exit code 1 when it
                          is stale, when a row has no test, or a test names a row that does not exist
       rows.py --write    writes test/rows.md

The rows are those of test/rows.txt. A test names its rows: a Criterion test in its name or its suite
(S2_12_net_valid, SD_70_71_snapshots, S1_05_to_09_…), a check of a script at the beginning of what it
says ("S0-47, S0-75: …"), a recorded case in its field `rows`, and a script that is one test in a
comment "# Rows: …".
"""
import glob
import json
import os
import re
import sys

SRC = os.path.abspath(os.environ.get("srcdir", os.path.join(os.path.dirname(__file__), "..")))
FAMILY = r"(?:S0|S1|S2|SD|Q)"
NUMBER = r"(?:\d\d|[LH]\d)"


def rows():
    """id → (title, reason why there is no test, or None), in the order of the file."""
    result = {}
    with open(os.path.join(SRC, "test/rows.txt"), encoding="utf-8") as f:
        for number, line in enumerate(f, 1):
            line = line.rstrip("\n")
            if not line or line.startswith("#"):
                continue
            m = re.fullmatch(rf"({FAMILY}-{NUMBER})  ?(.+?)(?: \| (.+))?", line)
            if not m or m.group(1) in result:
                raise SystemExit(f"rows.txt:{number}: not 'ID title' or 'ID title | reason', or twice")
            result[m.group(1)] = (m.group(2), m.group(3))
    return result


def expand(family, numbers):
    """["05", "to", "09"] → family-05 … family-09"""
    ids = []
    i = 0
    while i < len(numbers):
        if numbers[i] == "to" and ids and i + 1 < len(numbers) and numbers[i + 1].isdigit():
            first = ids[-1].split("-")[1]
            ids += [f"{family}-{n:02d}" for n in range(int(first) + 1, int(numbers[i + 1]) + 1)]
            i += 2
            continue
        if numbers[i] != "to":
            ids.append(f"{family}-{numbers[i]}")
        i += 1
    return ids


def ids_of_name(name):
    """S2_15_16_many_queues → S2-15, S2-16"""
    ids = []
    pattern = rf"(?<![A-Za-z0-9])({FAMILY})_({NUMBER}(?:_(?:{NUMBER}|to)(?![A-Za-z0-9]))*)(?![0-9A-Za-z])"
    for family, numbers in re.findall(pattern, name):
        ids += expand(family, numbers.split("_"))
    return ids


def ids_of_text(text):
    """"S0-47, S1-05 to S1-09: …" → the rows before the colon"""
    head = re.match(rf"\s*((?:{FAMILY}-{NUMBER}(?:,? and | to |, ?| )?)+)", text)
    if not head:
        return []
    ids = []
    for to, family, number in re.findall(rf"(to )?({FAMILY})-({NUMBER})", head.group(1)):
        if to and ids:
            last = ids[-1].split("-")[1]
            ids += [f"{family}-{n:02d}" for n in range(int(last) + 1, int(number) + 1)]
        else:
            ids.append(f"{family}-{number}")
    return ids


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def tests():
    """(row, name of the test)"""
    for path in sorted(glob.glob(os.path.join(SRC, "test/**/*.c"), recursive=True)):
        place = os.path.relpath(path, os.path.join(SRC, "test"))
        for suite, name in re.findall(r"\b(?:Test|ParameterizedTest)\s*\(\s*(\w+)\s*,\s*(\w+)", read(path)):
            for row in ids_of_name(f"{suite} {name}"):
                yield row, f"{place}: {suite}/{name}"
    scripts = glob.glob(os.path.join(SRC, "test/**/*.sh"), recursive=True)
    scripts += glob.glob(os.path.join(SRC, "test/**/*.py"), recursive=True)
    for path in sorted(scripts):
        place = os.path.relpath(path, os.path.join(SRC, "test"))
        if place == "rows.py":
            continue
        for line in read(path).splitlines():
            if line.startswith("# Rows: "):
                for row in ids_of_text(line[len("# Rows: "):]):
                    yield row, place
            for text in re.findall(r"""["']((?:S[012D]|Q)-[^"']*)["']""", line):
                for row in ids_of_text(text):
                    yield row, place
    for path in sorted(glob.glob(os.path.join(SRC, "test/golden/argv-cases/*/*.json"))):
        case = json.loads(read(path))
        for row in case.get("rows", []):
            yield row, f"case {os.path.basename(os.path.dirname(path))}/{case['id']}"


def short(names, limit=4):
    names = list(dict.fromkeys(names))
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return "; ".join(f"`{n}`" for n in names[:limit]) + more


def table(known, found):
    text = ["<!-- Written by test/rows.py --write; the titles are in test/rows.txt. -->",
            "# Rows of the specification and their tests", "",
            "S0 the runner (`cima run`), S1 the driver and its life cycle, SD command line and disks, S2",
            "libcima-qemu, Q the QMP client.", "", "| row | | tests |", "|---|---|---|"]
    for row, (title, reason) in known.items():
        its = short(found.get(row, []))
        if reason:
            its = f"{its}; {reason}" if its else reason
        text.append(f"| {row} | {title} | {its or '**none**'} |")
    return "\n".join(text) + "\n"


def main():
    known = rows()
    found = {}
    bad = 0
    for row, name in tests():
        if row in known:
            found.setdefault(row, []).append(name)
        else:
            print(f"{name}: there is no row {row}")
            bad = 1
    text = table(known, found)
    path = os.path.join(SRC, "test/rows.md")
    if sys.argv[1:] == ["--write"]:
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
    elif not os.path.exists(path) or read(path) != text:
        print("test/rows.md is stale: make update-generated writes it anew")
        bad = 1
    without = [r for r, (_, reason) in known.items() if not found.get(r) and not reason]
    for row in without:
        print(f"{row} has no test: {known[row][0]}")
    print(f"{len(known)} rows, {len(known) - len(without)} with tests or a reason, {len(without)} without")
    return 1 if bad or without else 0


if __name__ == "__main__":
    sys.exit(main())
