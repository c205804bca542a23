#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Rules for the sources that a compiler does not know. Each rule first has to find a fault that is planted for it."""
import importlib.machinery
import importlib.util
import os
import re
import subprocess
import sys

ROOT = os.environ.get('POSTERN_ROOT') or os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FILE_LINES, HEADER_LINES, FUNCTION_LINES, BLOB_BYTES = 1000, 400, 150, 200000

loader = importlib.machinery.SourceFileLoader('floors', os.path.join(ROOT, 'tools', 'floors'))
floors = importlib.util.module_from_spec(importlib.util.spec_from_loader('floors', loader))
sys.dont_write_bytecode = True
loader.exec_module(floors)


def tree():
    """Paths of what is or would be in the repository; without git all but build folders."""
    listed = subprocess.run(['git', '-C', ROOT, 'ls-files', '-co', '--exclude-standard', '-z'], capture_output=True)
    if listed.returncode == 0:
        return sorted(p for p in listed.stdout.decode().split('\0') if p and os.path.isfile(os.path.join(ROOT, p)))
    paths = []
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [name for name in folders if name != '.git' and not name.startswith('build')]
        paths += [os.path.relpath(os.path.join(folder, name), ROOT) for name in names]
    return sorted(paths)


def is_c(path):
    return path.endswith(('.c', '.h')) and path.split('/')[0] in ('src', 'test', 'fuzz', 'bench')


# -- Rules: each takes a path and its bytes, and yields what is wrong --------------------------------------------------

def spdx(path, data):
    if not (is_c(path) or path.endswith(('.py', '.def', '.sh', 'meson.build')) or data.startswith(b'#!')):
        return
    if b'SPDX-License-Identifier: Apache-2.0' not in b'\n'.join(data.split(b'\n', 3)[:3]):
        yield 'has no SPDX line at its top'


def guard(path, data):
    # banned.h is meant to work each time; tables of test cases are data.
    if path.endswith('.h') and is_c(path) and path != 'src/base/banned.h' and not path.endswith('_cases.h'):
        if not re.search(rb'^#pragma once$', data, re.M):
            yield 'has no #pragma once'


def size(path, data):
    if not is_c(path) and not path.endswith('.py'):
        return
    lines = data.count(b'\n')
    most = HEADER_LINES if path.endswith('.h') else FILE_LINES
    if lines > most:
        yield f'has {lines} lines; {most} are allowed'
    begin = None
    for number, line in enumerate(data.split(b'\n'), 1):
        if line == b'{':
            begin = number
        elif line == b'}' and begin:
            if number - begin > FUNCTION_LINES:
                yield f'the function before line {begin} has {number - begin} lines; {FUNCTION_LINES} are allowed'
            begin = None


HEAP = re.compile(r'\b(malloc|calloc|realloc|reallocarray|aligned_alloc|posix_memalign|memalign|valloc|free|strdup|strndup|'
                  r'asprintf|vasprintf|getline|getdelim|open_memstream)\s*\(')


def heap(path, data):
    if path.startswith('src/') and path.endswith('.c') and path != 'src/base/mem.c':
        for number, line in enumerate(floors.blank(data.decode()).split('\n'), 1):
            for call in HEAP.findall(line):
                yield f'line {number}: calls {call}(); memory comes from base/mem.h, arenas and buffers'


def banned_last(path, data):
    if not path.startswith('src/') or not path.endswith('.c'):
        return
    includes = re.findall(r'^#include ["<]([^">]+)', data.decode(), re.M)
    if 'base/banned.h' not in includes:
        yield 'does not include base/banned.h'
        return
    for late in includes[includes.index('base/banned.h') + 1:]:
        # Tables that are included as code (X-macros, generated ones) stand where they are used.
        if not late.endswith(('.def', '.inc')) and '/' in late:
            yield f'includes {late} after base/banned.h'


def blobs(path, data):
    if len(data) > BLOB_BYTES:
        yield f'has {len(data)} bytes; nothing over {BLOB_BYTES} belongs into the tree'


# Made of pieces, so that this file does not find itself.
MACHINE = re.compile(rb'(?<![\w.-])/(?:' + b'|'.join((b'work', b'home/[a-z]', b'root')) + rb')/')


def machine(path, data):
    if path.startswith('fuzz/corpus/'):
        return
    for number, line in enumerate(data.split(b'\n'), 1):
        if MACHINE.search(line):
            yield f'line {number}: names a folder of one machine'


def text(path, data):
    if path.startswith('fuzz/corpus/') or not (is_c(path) or path.endswith(('.py', '.md', 'meson.build', '.def'))):
        return
    try:
        decoded = data.decode()
    except UnicodeDecodeError:
        yield 'is not UTF-8'
        return
    if '\r' in decoded:
        yield 'has CR line ends'
    if data and not data.endswith(b'\n'):
        yield 'does not end with a line end'
    for number, line in enumerate(decoded.split('\n'), 1):
        if re.search(r'\b(TODO|FIX' 'ME|XX' 'X)\\b', line) and path != 'test/lint/sources.py':
            yield f'line {number}: leaves something to do'


BAD_FUNCTION = b'int f(void)\n{\n' + b'\tg();\n' * (FUNCTION_LINES + 1) + b'}\n'
RULES = [
    # name, rule, and (path, content) pairs in which it must find a fault
    ('every source has its SPDX line', spdx, [('src/a/b.c', b'int x;\n'), ('tools/x', b'#!/bin/sh\n'), ('a.py', b'')]),
    ('every header has a guard', guard, [('src/a/b.h', b'int x;\n')]),
    ('files and functions are not too long', size,
     [('src/a/b.c', b'\n' * (FILE_LINES + 1)), ('src/a/b.h', b'\n' * (HEADER_LINES + 1)), ('src/a/b.c', BAD_FUNCTION)]),
    ('only base/mem.c calls the heap', heap, [('src/a/b.c', b'\tp = malloc (5);\n'), ('src/a/b.c', b'\tfree(p);\n')]),
    ('base/banned.h is included last', banned_last,
     [('src/a/b.c', b'#include "a/b.h"\n'), ('src/a/b.c', b'#include "base/banned.h"\n#include "a/b.h"\n')]),
    ('there are no blobs', blobs, [('doc/x.png', b'x' * (BLOB_BYTES + 1))]),
    ('no file names a folder of one machine', machine, [('a.py', b'open("/' + b'work/main")\n')]),
    ('texts are UTF-8, and leave nothing to do', text,
     [('a.py', b'\xff\n'), ('a.py', b'x\r\n'), ('a.py', b'x'), ('src/a/b.c', b'/* TO' + b'DO */\n')]),
]


def planted_floors():
    """Faults that tools/floors has to find."""
    yield floors.check_down('src/mail/a.c', 'scan/b.h')
    yield floors.check_down('src/mail/a.c', 'conf/b.h')
    yield floors.check_down('src/attic/a.c', 'base/b.h')
    yield floors.check_daemon('src/daemon/gate_milter.c', 'daemon/vault.h')
    yield floors.check_daemon('src/daemon/child.c', 'daemon/gate.h')
    yield floors.check_daemon('src/daemon/main.c', 'daemon/gate.h')
    yield floors.check_system('src/mail/a.c', 'unistd.h')
    yield floors.check_system('src/sys/a.c', 'event2/event.h')
    yield floors.check_system('src/cli/a.c', 'curl/curl.h')
    yield next(floors.check_calls('src/mail/a.c', '\tx = time(NULL);\n'), None)


def main():
    paths = tree()
    number, failed = 0, False

    def ok(name, errors):
        nonlocal number, failed
        number += 1
        failed |= bool(errors)
        print(f'{"not ok" if errors else "ok"} {number} - {name}')
        for error in errors[:100]:
            print('#', error)

    ok(f'there are files ({len(paths)})', [] if len(paths) > 50 else ['too few to be the tree'])
    found = [[] for _ in RULES]
    for path in paths:
        with open(os.path.join(ROOT, path), 'rb') as file:
            data = file.read()
        for errors, (_, rule, _) in zip(found, RULES):
            errors += [f'{path}: {wrong}' for wrong in rule(path, data)]
    for errors, (name, rule, planted) in zip(found, RULES):
        ok(name, errors + [f'the planted fault {case!r:.60} was not found' for case in planted if not list(rule(*case))])
    ok('the floors find planted faults', [f'fault {i} was not found' for i, wrong in enumerate(planted_floors()) if not wrong])
    print(f'1..{number}')
    return 1 if failed else 0


sys.exit(main())
