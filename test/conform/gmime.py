#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Differential test against GMime on a corpus of real mail: leaves, their decoded content, subject, senders.

Differences are counted by kind; each kind has a bound, for the two parsers disagree by design on a few malformed
messages. With --list the differences are printed one a line. POSTERN_CORPUS is the folder of messages (*.txt)."""
import base64
import collections
import glob
import json
import os
import re
import subprocess
import sys
import tempfile

POSTERN = os.path.join(os.environ['POSTERN_BUILD'], 'postern')
CORPUS = os.environ.get('POSTERN_CORPUS')
# Counted over the 6,046 messages of the SpamAssassin corpus; each difference was looked at.
BOUNDS = {
    'from': 14,        # encoded words and raw 8 bit inside addresses, which GMime leaves or drops
    'from_name': 15,   # raw 8 bit, which GMime takes for Latin-1
    'leaves': 2,       # a multipart that holds none of its boundaries is a leaf here
    'qp_blanks': 250,  # blanks before a line end, which RFC 2045, 6.7 (3) has deleted and GMime keeps
    'qp_junk': 8,      # an equals sign that is no escape, where other bytes of it are dropped
    'size': 2,         # base64 that ends within a group: GMime drops the last byte
    'subject': 16,     # raw 8 bit and raw ISO-2022-JP
}


def text(value):
    return None if value is None else base64.b64decode(value).decode('utf-8', 'replace')


def gmime(program, paths):
    done = subprocess.run([program], input='\n'.join(paths) + '\n', capture_output=True, text=True, timeout=300)
    for line in done.stdout.splitlines():
        yield json.loads(line)


def postern(paths):
    for start in range(0, len(paths), 500):
        done = subprocess.run([POSTERN, 'mime', '--json', *paths[start:start + 500]], capture_output=True, timeout=300)
        for line in done.stdout.decode().splitlines():
            yield json.loads(line)


def squeeze(value):
    """Blanks do not count: the two fold header lines differently."""
    return ''.join((value or '').split())


def compare(ours, theirs):
    """Yields (kind, ours, theirs)."""
    if theirs is None:
        yield 'unparsed', None, None
        return
    if squeeze(ours['subject']) != squeeze(text(theirs['subject'])):
        yield 'subject', ours['subject'], text(theirs['subject'])
    a = [entry['address'] for entry in ours['from']]
    b = [text(entry['address']) for entry in theirs['from']]
    if a != b:
        yield 'from', a, b
    a = [entry['name'] for entry in ours['from']]
    b = [text(entry['name']) for entry in theirs['from']]
    if [squeeze(name) for name in a] != [squeeze(name) for name in b]:
        yield 'from_name', a, b
    leaves = [part for part in ours['parts'] if part['leaf'] and part['reading'] == 1]
    if len(leaves) != len(theirs['parts']):
        yield 'leaves', [part['type'] for part in leaves], [text(part['type']) for part in theirs['parts']]
        return
    defects = {(defect['id'], defect['part']) for defect in ours['defects']}
    for a, b in zip(leaves, theirs['parts']):
        if a['type'] != text(b['type']).lower():
            yield 'type', a['type'], text(b['type'])
        if a['size'] != b['size'] and ('qp_junk', a['part']) in defects:
            yield 'qp_junk', a['size'], b['size']
        elif a['size'] != b['size']:
            yield 'size', (a['part'], a['type'], a['encoding'], a['size']), b['size']
        elif a['sha256'] != b['sha256']:
            yield 'content', (a['part'], a['type'], a['encoding'], a['size']), b['size']
        if squeeze(a['name']) != squeeze(text(b['name'])):
            yield 'name', a['name'], text(b['name'])


def without_blanks(folder, paths):
    """Copies of messages without blanks before line ends."""
    for number, path in enumerate(paths):
        with open(path, 'rb') as file:
            data = re.sub(rb'[ \t]+(?=\r?\n)', b'', file.read())
        copy = os.path.join(folder, str(number))
        with open(copy, 'wb') as file:
            file.write(data)
        yield copy


def main():
    if not CORPUS or not os.path.isdir(CORPUS):
        print('1..0 # SKIP POSTERN_CORPUS names no folder of messages')
        return 0
    paths = sorted(glob.glob(os.path.join(glob.escape(CORPUS), '**', '*.txt'), recursive=True))
    found = []
    for path, ours, theirs in zip(paths, postern(paths), gmime(sys.argv[1], paths), strict=True):
        found += [(path, kind, a, b) for kind, a, b in compare(ours, theirs)]
    blanks = sorted({path for path, kind, a, _ in found if kind == 'size' and a[2] == 'quoted-printable'})
    with tempfile.TemporaryDirectory() as folder:
        copies = list(without_blanks(folder, blanks))
        for path, ours, theirs in zip(blanks, postern(copies), gmime(sys.argv[1], copies), strict=True):
            if not any(kind in ('size', 'content') for kind, _, _ in compare(ours, theirs)):
                found = [(p, 'qp_blanks' if p == path and kind == 'size' else kind, a, b) for p, kind, a, b in found]
    counts = collections.Counter(kind for _, kind, _, _ in found)
    if '--list' in sys.argv:
        for path, kind, a, b in found:
            print('#', os.path.relpath(path, CORPUS), kind, a, b)
    kinds = sorted(set(BOUNDS) | set(counts))
    failed = 0
    print(f'1..{len(kinds) + 1}')
    print('ok' if paths else 'not ok', f'1 - {len(paths)} messages')
    for number, kind in enumerate(kinds, 2):
        good = counts[kind] <= BOUNDS.get(kind, 0)
        failed += not good
        print('ok' if good else 'not ok', f'{number} - {kind}: {counts[kind]} differ, at most {BOUNDS.get(kind, 0)}')
    return 1 if failed or not paths else 0


sys.exit(main())
