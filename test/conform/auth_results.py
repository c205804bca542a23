#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Authentication-Results against python3-authres: both read the same values, and each reads what the other wrote.

The values are drawn from the grammar of RFC 8601 2.2 as far as the other one knows it: it has no quoted authserv-id, no
quoted pairs, nothing behind a quoted value, four property types, and blanks on one side of a comment only."""
import json
import random
import subprocess
import sys

sys.path.append('/usr/lib/python3/dist-packages')  # Debian's, for a python3 that is not
try:
    import authres
except ImportError:
    print('1..0 # SKIP python3-authres is not installed')
    sys.exit(0)

COUNT = 1000
METHODS = {'spf': ('pass', 'fail', 'softfail', 'neutral', 'temperror', 'permerror'), 'dkim': ('pass', 'fail', 'policy', 'neutral'),
           'dmarc': ('pass', 'fail'), 'arc': ('pass', 'fail'), 'iprev': ('pass', 'permerror'), 'auth': ('pass', 'fail'),
           'x-local': ('pass', 'unknown')}
PROPERTIES = ('smtp.mailfrom', 'smtp.helo', 'smtp.auth', 'smtp.rcptto', 'header.d', 'header.s', 'header.a', 'header.i',
              'header.b', 'header.from', 'policy.iprev', 'policy.dmarc', 'body.x')
VALUES = ('example.com', 'a@example.com', '@sub.example.com', 'rsa-sha256', 'b+c=d/e@example.net', '192.0.2.1', 's1._domainkey',
          '"x y"@example.org', "o'neil@example.com", 'xn--bcher-kva.example', '1', '!#$%&*')
QUOTED = ('"a b"', '"2001:db8::1"', '"x;y"', '"(no comment)"', '"a=b"', '"' + 'long ' * 40 + '"')
REASONS = ('good', 'bad-signature', '"good signature"', '"a; b"', '"(c)"')


def draw(rng):
    """One value, with blanks and comments wherever they may stand."""
    def gap(may_be_empty=True):
        choices = [' ', '  ', '\t', ' (a)', '(a (b) c)\t', ' (d\\)e)(f)', '(x; y=z) ']
        return rng.choice([''] * 8 * may_be_empty + [' '] * 8 + choices)

    def case(word):
        return word if rng.random() < .8 else word.upper()

    out = gap() + rng.choice(('mx.example.org', 'example.com', 'gate', 'a-b.c_d.example'))
    if rng.random() < .3:
        out += gap(False) + '1'
    results = [] if rng.random() < .1 else range(rng.randint(1, 5))
    if not results:
        out += gap() + ';' + gap() + 'none'
    for _ in results:
        method = rng.choice(list(METHODS))
        out += gap() + ';' + gap() + case(method)
        if rng.random() < .2:
            out += gap() + '/' + gap() + '1'
        out += gap() + '=' + gap() + case(rng.choice(METHODS[method]))
        if rng.random() < .2:
            out += gap(False) + 'reason' + gap() + '=' + gap() + rng.choice(REASONS)
        for _ in range(rng.randint(0, 4)):
            kind, name = rng.choice(PROPERTIES).split('.')
            out += gap(False) + case(kind) + gap() + '.' + gap() + case(name) + gap() + '=' + gap() + rng.choice(VALUES)
        if rng.random() < .2:
            out += gap(False) + 'policy.x=' + rng.choice(QUOTED)
    return out + gap()


def theirs(value):
    header = authres.parse_value(value)
    return {'id': header.authserv_id, 'version': int(header.version or 0),
            'results': [{'method': result.method, 'version': int(result.version or 0), 'result': result.result,
                         'reason': None if result.reason is None else str(result.reason),
                         'properties': [[p.type, p.name, str(p.value)] for p in result.properties]}
                        for result in header.results]}, header.header_value()


def ours(values):
    done = subprocess.run([sys.argv[1]], input='\n'.join(values) + '\n', capture_output=True, text=True, timeout=120, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def plain(read, versions=True):
    """What is compared. Neither a version that means nothing new nor the case of the name counts."""
    read = {'id': read['id'].lower(), 'version': read['version'], 'results': read['results']}
    return read if versions else {'id': read['id'], 'results': [{**result, 'version': 0} for result in read['results']]}


def differences(values):
    """Yields (kind, value, ours, theirs)."""
    mine = ours(values)
    again = ours([theirs(value)[1] for value in values])
    for value, a, b in zip(values, mine, again, strict=True):
        other = theirs(value)[0]
        if a['malformed'] or plain(a) != other:
            yield 'read', value, plain(a), other
        if b['malformed'] or plain(b, False) != plain(other, False):
            yield 'written by them', value, plain(b, False), plain(other, False)
        written = theirs(a['written'])[0]
        if plain(written, False) != plain(other, False):
            yield 'written by us', a['written'], plain(written, False), plain(other, False)


def main():
    rng = random.Random(8601)
    values = [draw(rng) for _ in range(COUNT)]
    found = list(differences(values))
    kinds = ('read', 'written by them', 'written by us')
    print(f'1..{len(kinds)}')
    for number, kind in enumerate(kinds, 1):
        of_kind = [entry for entry in found if entry[0] == kind]
        print('ok' if not of_kind else 'not ok', f'{number} - {kind}: {COUNT} values, {len(of_kind)} differ')
        for _, value, a, b in of_kind[:3]:
            print(f'# {value!r}\n#   ours   {a}\n#   theirs {b}')
    return 1 if found else 0


sys.exit(main())
