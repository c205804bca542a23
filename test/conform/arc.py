#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""ARC sealing against the public tests of the draft of 2018: every tag of every new field, signatures included.

arc.py DRIVER. POSTERN_SHARED is the folder that holds data/arc (../shared from the source root unless told otherwise)."""
import os
import re
import subprocess
import sys
import tempfile

ROOT = os.environ['POSTERN_ROOT']
SHARED = os.environ.get('POSTERN_SHARED') or os.path.join(os.path.dirname(ROOT), 'shared')
DRIVER = sys.argv[1]
FIELDS = {'AS': 'ARC-Seal', 'AMS': 'ARC-Message-Signature', 'AAR': 'ARC-Authentication-Results'}


def tags(value):
    """A tag list as a dictionary, without any blanks."""
    return dict(piece.split('=', 1) for piece in re.sub(r'\s+', '', value).strip(';').split(';') if piece)


def words(value):
    return ' '.join(value.split())


def new_fields(text):
    fields = {}
    for field in re.split(r'\n(?![ \t])', text.strip('\n')):
        name, _, value = field.partition(':')
        if name:
            fields[name] = value
    return fields


def seal(test, scenario, folder):
    key, record = os.path.join(folder, 'key'), os.path.join(folder, 'record')
    with open(key, 'w', encoding='ascii') as file:
        file.write(scenario['privatekey'])
    with open(record, 'w', encoding='ascii') as file:
        file.write(next(iter(scenario['txt-records'].values())))
    run = subprocess.run([DRIVER, scenario['domain'], scenario['sel'], test['srv-id'], test['sig-headers'], str(test['t']), key,
                          record], input=test['message'].encode(), capture_output=True, check=False)
    if run.returncode != 0:
        raise RuntimeError(run.stderr.decode())
    return run.stdout.decode().split('--\n')


def differences(test, scenario, folder):
    before, text, after = seal(test, scenario, folder)
    got = new_fields(text)
    if not test['AS']:
        if got:
            yield 'fields were added to a chain that failed before'
        return
    for short, field in FIELDS.items():
        read = words if short == 'AAR' else tags
        mine, wanted = read(got[field]), read(test[short])
        if mine != wanted:
            yield f'{field}: got {mine}, wanted {wanted}'
    cv = tags(test['AS'])['cv']
    if not before.startswith(cv + ' '):
        yield f'the chain is {before.strip()}, wanted {cv}'
    if not after.startswith('fail ' if cv == 'fail' else 'pass '):
        yield f'a receiver says {after.strip()}'


def main():
    path = os.path.join(SHARED, 'data/arc/arc-draft-sign-tests.yml')
    try:
        import yaml
    except ImportError:
        print('1..0 # SKIP there is no yaml module for python3')
        return 0
    if not os.path.exists(path):
        print(f'1..0 # SKIP there is no {path}')
        return 0
    with open(path, encoding='utf-8') as file:
        scenarios = [scenario for scenario in yaml.safe_load_all(file) if scenario]
    number, failed = 0, 0
    with tempfile.TemporaryDirectory() as folder:
        for scenario in scenarios:
            for name, test in scenario['tests'].items():
                number += 1
                wrong = list(differences(test, scenario, folder))
                failed += bool(wrong)
                print(f"{'not ok' if wrong else 'ok'} {number} - {name}: {test['description']}")
                for line in wrong:
                    print('#', line)
    print(f'1..{number}')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
