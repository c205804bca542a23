#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The messages of the MIME RFCs against another parser's reading of them: structure, decoded text, header fields.

POSTERN_SHARED is the folder that holds data/mime/rfc (../shared from the source root unless told otherwise)."""
import glob
import hashlib
import json
import os
import subprocess
import sys

ROOT = os.environ['POSTERN_ROOT']
POSTERN = os.path.join(os.environ['POSTERN_BUILD'], 'postern')
SHARED = os.environ.get('POSTERN_SHARED') or os.path.join(os.path.dirname(ROOT), 'shared')


def field(part, name):
    values = [header['value'] for header in part['headers'] if header['name'] == name]
    return values[0] if values and isinstance(values[0], dict) else None


def content_type(part, default):
    value = field(part, 'content_type')
    if not value:
        return default
    kind = value['ContentType']
    return f"{kind['c_type']}/{kind['c_subtype'] or ''}".lower()


def walk(message, default='text/plain'):
    """Yields (type, text, bytes) of every part in order of appearance; None where the part says nothing of it."""
    parts = message['parts']
    stack = [(0, default)]
    while stack:
        number, default = stack.pop()
        part = parts[number]
        kind, body = next(iter(part['body'].items()))
        type_ = content_type(part, default)
        if kind == 'Multipart':
            yield type_, None, None
            inner = 'message/rfc822' if type_ == 'multipart/digest' else 'text/plain'
            stack += [(child, inner) for child in reversed(body)]
        elif kind == 'Message':
            yield type_, None, None
            yield from walk(body)
        elif kind in ('Text', 'Html'):
            yield type_, body, None
        else:
            yield type_, None, bytes(body)


def date(value):
    when = value['DateTime']
    sign = '-' if when['tz_before_gmt'] else '+'
    text = '{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}'.format(**when)
    seconds = f"{text} {sign}{when['tz_hour']:02}{when['tz_minute']:02}"
    return subprocess.run(['date', '-u', '-d', seconds, '+%Y-%m-%dT%H:%M:%SZ'], capture_output=True, text=True,
                          check=True).stdout.strip()


def addresses(value):
    return [(entry['name'], entry['address']) for entry in value['Address']['List']] if 'List' in value['Address'] else None


def problems(ours, theirs):
    root = theirs['parts'][0]
    subject = field(root, 'subject')
    if subject and ours['subject'] != subject['Text']:
        yield f"subject {ours['subject']!r}, expected {subject['Text']!r}"
    when = field(root, 'date')
    if when and ours['date'] != date(when):
        yield f"date {ours['date']}, expected {date(when)}"
    for key in ('from', 'to'):
        value = field(root, key)
        want = addresses(value) if value else None
        got = [(entry['name'], entry['address']) for entry in ours[key]]
        # A lone word is the address of a local user here, and a name there.
        want = [(None, name) if name and not address and ' ' not in name else (name, address)
                for name, address in want or []]
        if value and got != want:
            yield f'{key} {got}, expected {want}'
    parts = [part for part in ours['parts'] if part['reading'] == 1]
    expected = list(walk(theirs))
    if len(parts) != len(expected):
        yield f"{[part['type'] for part in parts]}, expected {[type_ for type_, _, _ in expected]}"
        return
    for part, (type_, text, content) in zip(parts, expected):
        if part['type'] != type_:
            yield f"part {part['part']} is {part['type']}, expected {type_}"
        if text is not None and 'text' in part and part['text'] != text.replace('\r\n', '\n'):
            yield f"part {part['part']} reads {part['text']!r}, expected {text!r}"
        if content is not None and part['sha256'] != hashlib.sha256(content).hexdigest():
            yield f"part {part['part']} has {part['size']} other bytes, expected {len(content)}"


def main():
    paths = sorted(glob.glob(os.path.join(glob.escape(SHARED), 'data', 'mime', 'rfc', '*.eml')))
    if not paths:
        print('1..0 # SKIP there are no messages of the MIME RFCs in', SHARED)
        return 0
    done = subprocess.run([POSTERN, 'mime', '--json', '--text', *paths], capture_output=True, check=True, timeout=60)
    failed = 0
    print(f'1..{len(paths)}')
    for number, (path, line) in enumerate(zip(paths, done.stdout.decode().splitlines(), strict=True), 1):
        with open(path[:-4] + '.json', encoding='utf-8') as file:
            found = list(problems(json.loads(line), json.load(file)))
        failed += bool(found)
        print('not ok' if found else 'ok', number, '-', os.path.basename(path))
        for problem in found:
            print('#', problem)
    return 1 if failed else 0


sys.exit(main())
