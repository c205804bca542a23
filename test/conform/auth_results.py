#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Authentication-Results against python3-authres: both read the same values, and each reads what the other wrote.

The values are drawn from the grammar of RFC 8601 2.2 as far as the other one knows it: it has no quoted authserv-id, no
quoted pairs, nothing behind a quoted value, four property types, and blanks on one side of a comment only.

Then forgeries: values that are damaged at random. Where it or one of some careless readers finds our authserv-id, the
field must be one that is removed."""
import email.errors
import email.header
import json
import random
import re
import subprocess
import sys

sys.path.append('/usr/lib/python3/dist-packages')  # Debian's, for a python3 that is not
try:
    import authres
except ImportError:
    print('1..0 # SKIP python3-authres is not installed')
    sys.exit(0)

COUNT = 1000
FORGED = 20000
NAME = 'mx.example.org'
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


def forge(rng):
    """A value that is ours or has our name somewhere, with some bytes put in, taken out or doubled near its front."""
    value = rng.choice(('%s', '%s 1', '"%s"', '(x) %s', 'x (%s)', '(a (b)) %s', '(\\() %s', '; %s', '(%s;', 'other %s', 'other; %s',
                        '=?utf-8?q?%s?=', '<%s>', '%s.', 'x (a) %s', '(%s) x', '"x" %s')) % rng.choice((NAME, NAME.upper(), NAME))
    value += rng.choice(('; spf=pass', ' ; dkim=pass header.d=example.com', '', '; none', ') x; none'))
    for _ in range(rng.randint(0, 3)):
        at = rng.randint(0, min(len(value), 30))
        value = rng.choice((value[:at] + rng.choice('();"\\ \t=,.1<>/\x01\u00a0\u200b') + value[at:], value[:at] + value[at + 1:],
                            value[:at] + value[at:at + 2] + value[at:]))
    return value


def first_word(text):
    words = text.lower().split()
    return words[0].strip('"\'<>[](),.;') if words else ''


def readers(value):
    """What several readers take for authserv-id."""
    try:
        yield 'python3-authres', authres.parse_value(value).authserv_id
    except authres.AuthResError:
        pass
    yield 'up to the semicolon', first_word(value.split(';')[0])
    for name, comment in (('flat comments', r'\([^)]*\)'), ('innermost comments', r'\([^()]*\)'), ('pairs', r'\((?:\\.|[^)])*\)')):
        yield name, first_word(re.sub(comment, ' ', value).split(';')[0])
    yield 'empty pieces skipped', next((first_word(piece) for piece in value.split(';') if piece.strip()), '')
    yield 'ASCII only', first_word(re.sub(r'[^\t -~]', '', value).split(';')[0])
    yield 'unquoted first', first_word(re.sub(r'["\\]', '', value).split(';')[0])
    try:
        decoded = str(email.header.make_header(email.header.decode_header(value)))
        yield 'decoded words', first_word(decoded.split(';')[0])
    except (LookupError, ValueError, email.errors.MessageError):
        pass


def missed(values):
    """Yields the forged values that are not found, and who falls for them; then how many are found at all."""
    found = 0
    for value, mine in zip(values, ours(values), strict=True):
        fooled = [name for name, word in readers(value) if word == NAME]
        found += bool(fooled)
        if fooled and not mine['ours']:
            yield value, fooled
    yield None, found


def main():
    rng = random.Random(8601)
    values = [draw(rng) for _ in range(COUNT)]
    found = list(differences(values))
    kinds = ('read', 'written by them', 'written by us')
    print(f'1..{len(kinds) + 2}')
    for number, kind in enumerate(kinds, 1):
        of_kind = [entry for entry in found if entry[0] == kind]
        print('ok' if not of_kind else 'not ok', f'{number} - {kind}: {COUNT} values, {len(of_kind)} differ')
        for _, value, a, b in of_kind[:3]:
            print(f'# {value!r}\n#   ours   {a}\n#   theirs {b}')
    mistaken = [value for value, mine in zip(values, ours(values), strict=True)
                if mine['ours'] != (mine['id'].lower() == NAME) and '\\' not in value]
    print('not ok' if mistaken else 'ok', f'{len(kinds) + 1} - well-formed fields are told apart by their name')
    *forged, (_, fooled) = missed([forge(rng) for _ in range(FORGED)])
    good = not forged and fooled > FORGED / 4
    print('ok' if good else 'not ok', f'{len(kinds) + 2} - {len(forged)} of {fooled} forged fields are not found')
    for value in mistaken[:5] + forged[:5]:
        print('#', repr(value))
    return 0 if good and not found and not mistaken else 1


sys.exit(main())
