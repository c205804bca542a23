#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The manual pages are sound mdoc, name every command and every option, and refer to pages that there are."""
import os
import re
import shutil
import subprocess
import sys

ROOT = os.environ.get('POSTERN_ROOT') or os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
COMMAND = re.compile(r'^\s*X\(\w+, "([a-z-]+)",', re.M)
OPTION = re.compile(r'\.name = "([a-z-]+)"')
FOREIGN = {('systemd', '1'), ('sd_notify', '3')}


def read(*path):
    with open(os.path.join(ROOT, *path), encoding='utf-8') as file:
        return file.read()


def missing_commands(page, header):
    return [name for name in COMMAND.findall(header) if not re.search(rf'^\.It (Xo\n\.)?Cm {name}\b', page, re.M)]


def missing_options(page, sources):
    known = set(re.findall(r'\bFl -([a-z-]+)', page))
    return sorted({name for source in sources for name in OPTION.findall(source)} - known)


def dead_references(pages):
    """`.Xr name section` to pages of ours that are not there."""
    there = {tuple(name.rsplit('.', 1)) for name in pages} | FOREIGN
    return [f'{name} refers to {ref[0]}({ref[1]})' for name, text in pages.items()
            for ref in re.findall(r'^\.Xr (\S+) (\d)', text, re.M) if ref not in there and ref[0] != 'postern-checks']


def main():
    number, failed = 0, False

    def ok(name, errors, skip=None):
        nonlocal number, failed
        number += 1
        failed |= bool(errors)
        print(f'{"not ok" if errors else "ok"} {number} - {name}' + (f' # SKIP {skip}' if skip else ''))
        for error in errors:
            print('#', error)

    pages = {name: read('man', name) for name in sorted(os.listdir(os.path.join(ROOT, 'man'))) if re.search(r'\.\d$', name)}
    ok(f'there are manual pages ({len(pages)})', [] if len(pages) >= 4 else sorted(pages))
    for name in pages:
        path = os.path.join(ROOT, 'man', name)
        if shutil.which('mandoc'):
            said = subprocess.run(['mandoc', '-T', 'lint', '-W', 'warning', path], capture_output=True, text=True)
            ok(f'{name} is sound', (said.stdout + said.stderr).splitlines() if said.returncode else [])
        else:
            ok(f'{name} is sound', [], 'mandoc is not installed')
    page = pages.get('postern.1', '')
    folder = os.path.join(ROOT, 'src', 'cli')
    sources = [read('src', 'cli', name) for name in sorted(os.listdir(folder)) if name.endswith(('.c', '.h'))]
    header = read('src', 'cli', 'command.h')
    ok('there are commands and options to look for', [] if COMMAND.search(header) and OPTION.search(''.join(sources)) else ['none'])
    ok('postern.1 names every command', missing_commands(page, header))
    ok('postern.1 names every option', missing_options(page, sources))
    ok('pages refer to pages that there are', dead_references(pages))
    planted = [missing_commands('.It Cm scan\n', '\tX(a, "scan", "x")\n\tX(b, "scam", "y")\n') == ['scam'],
               missing_options('.Fl -json', ['{.name = "json"}, {.name = "xml"}']) == ['xml'],
               dead_references({'a.1': '.Xr a 1\n.Xr b 2\n'}) == ['a.1 refers to b(2)']]
    ok('planted faults are found', [f'fault {i}' for i, found in enumerate(planted) if not found])
    print(f'1..{number}')
    return 1 if failed else 0


sys.exit(main())
