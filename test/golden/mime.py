#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Odd and hostile messages: what `postern mime --json --text` says of each, byte for byte.

With --update the expected outputs are written anew; read the difference before you commit it."""
import json
import os
import subprocess
import sys

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'mime')
POSTERN = os.path.join(os.environ['POSTERN_BUILD'], 'postern')


def answers(names):
    """The lines of the program, one for each message, laid out so that a difference is read with ease."""
    done = subprocess.run([POSTERN, 'mime', '--json', '--text', *names], cwd=HERE, capture_output=True, timeout=60)
    lines = done.stdout.decode('utf-8').splitlines()
    if done.returncode != 0 or done.stderr or len(lines) != len(names):
        sys.exit(f'exit {done.returncode}, {len(lines)} lines for {len(names)} messages: {done.stderr.decode()}')
    return [json.dumps(json.loads(line), indent=1, ensure_ascii=False) + '\n' for line in lines]


def expected(name):
    try:
        with open(os.path.join(HERE, name[:-4] + '.json'), encoding='utf-8', newline='') as file:
            return file.read()
    except FileNotFoundError:
        return ''


def first_difference(got, want):
    for number, (a, b) in enumerate(zip(got.splitlines(), want.splitlines()), 1):
        if a != b:
            return f'line {number}: got {a.strip()}, expected {b.strip()}'
    return f'{len(got.splitlines())} lines, expected {len(want.splitlines())}'


def main():
    names = sorted(name for name in os.listdir(HERE) if name.endswith('.eml'))
    results = list(zip(names, answers(names)))
    if sys.argv[1:] == ['--update']:
        for name, got in results:
            with open(os.path.join(HERE, name[:-4] + '.json'), 'w', encoding='utf-8', newline='') as file:
                file.write(got)
        return 0
    failed = 0
    print(f'1..{len(results)}')
    for number, (name, got) in enumerate(results, 1):
        want = expected(name)
        failed += got != want
        print('ok' if got == want else 'not ok', number, '-', name[:-4])
        if got != want:
            print('#', first_difference(got, want))
    return 1 if failed else 0


sys.exit(main())
