# SPDX-License-Identifier: Apache-2.0
"""Messages, signatures and changes of every shape, made up from a seed; a DKIM signer of its own (RFC 6376 3.4 to 3.7)
that writes tags in forms which no library writes."""
import base64
import hashlib
import re

FORMS = ('ss', 'sr', 'rs', 'rr')
WORD = {'s': 'simple', 'r': 'relaxed'}
NAMES = ['To', 'Subject', 'Date', 'Cc', 'Reply-To', 'Message-ID', 'X-Odd', 'MIME-Version', 'Content-Type', 'List-Id']


def blanks(rng):
    return rng.choice(['', ' ', ' ', '  ', '\t', ' \t '])


def value(rng):
    kind = rng.randrange(12)
    if kind == 0:
        return ''
    if kind == 1:
        return blanks(rng)
    if kind == 2:
        return ' ' + 'long ' * rng.choice([30, 200, 1000])
    if kind == 3:
        return ' Gr\u00fc\u00dfe <j\u00f6rg@b\u00fccher.example> \u65e5\u672c'
    if kind == 4:
        return ' =?utf-8?Q?Gr=C3=BC=C3=9Fe?= =?iso-8859-1?B?4Q==?='
    if kind == 5:
        return ' raw \udce4\udcff 8-bit'
    words = [rng.choice(['a@example.com', 'Word', '"q  q"', 'x:y;z', '(c (d))', 'b=abc;', 'h=from', '<x@y>'])
             for _ in range(rng.randrange(1, 6))]
    text = blanks(rng)
    for word in words:
        text += word + rng.choice([' ', '  ', '\t', '\r\n ', '\r\n\t', ' \r\n  ', '\t\r\n\t '])
    return text + blanks(rng) if rng.random() < 0.4 else text.rstrip()


def header(rng):
    fields = [('From', ' Someone <someone@example.com>')]
    names = rng.sample(NAMES, rng.randrange(1, len(NAMES))) + rng.choices(NAMES, k=rng.choice([0, 0, 1, 3]))
    for name in names:
        spelled = rng.choice([name, name, name.lower(), name.upper()])
        fields.append((spelled, value(rng)))
    rng.shuffle(fields)
    return [f'{name}:{text}\r\n'.encode('utf-8', 'surrogateescape') for name, text in fields]


def body(rng):
    kind = rng.randrange(16)
    if kind == 0:
        return b''
    if kind == 1:
        return b'\r\n' * rng.choice([1, 2, 50])
    if kind == 2:
        return rng.choice([b' ', b' \r\n', b'\t\r\n \r\n', b'x\r\n \t \r\n\r\n', b' \r\n\r\n\t'])
    if kind == 3:
        return base64.encodebytes(rng.randbytes(300)).replace(b'\n', b'\r\n')
    if kind == 4:
        return (b'--b\r\nContent-Type: text/plain\r\n\r\nhello \r\n--b\r\nContent-Type: text/html\r\n\r\n<p>hello\r\n'
                b'--b--\r\n' + b'\r\n' * rng.randrange(4))
    if kind == 5:
        return b'x' * rng.choice([998, 5000, 70000]) + rng.choice([b'', b'\r\n'])
    if kind == 6:
        return rng.randbytes(200).replace(b'\r', b'q').replace(b'\n', b'\r\n')
    if kind == 7:
        return b'a\0b\r\n\0\r\n' + rng.choice([b'', b'\0'])
    if kind == 8:
        return rng.choice([b'one\rtwo\r\n', b'one\r\r\n', b'\r', b'one\r\n\r', b'one \r two \r\n'])
    if kind == 9:
        return rng.choice([b'one\ntwo\n', b'one\r\ntwo\n\n\n', b'\n', b'one \n two\t\n \n'])
    lines = [(blanks(rng) + rng.choice(['', 'text', 'two  words', '.', '..', 'From x', '-- ', 'a\tb \t c', '\u00e9', '.\t']) +
              blanks(rng)).encode() + b'\r\n' for _ in range(rng.randrange(1, 12))]
    return b''.join(lines) + rng.choice([b'', b'', b'no end', b'no end \t', b'\r\n\r\n\r\n'])


def choose_names(rng):
    """h=: From, some that are there or not, some more than once."""
    names = ['From'] + rng.choices(NAMES + ['X-Missing', 'Sender'], k=rng.randrange(9)) + ['From'] * rng.choice([0, 0, 1])
    rng.shuffle(names)
    return [rng.choice([name, name.lower()]) for name in names]


# -- A signer ----

def split(message):
    """The fields, each with its line end, and the body."""
    message = re.sub(rb'(?<!\r)\n', b'\r\n', message)
    head, found, text = message.partition(b'\r\n\r\n')
    if message.startswith(b'\r\n'):
        head, text = b'', message[2:]
    fields = re.findall(rb'[^\r\n\t ](?:[^\r]|\r(?!\n)|\r\n(?=[ \t]))*\r\n', head + b'\r\n')
    return fields, text


def canon_field(form, field):
    if form == 's':
        return field
    name, _, text = field.partition(b':')
    text = re.sub(rb'[ \t]+', b' ', text.replace(b'\r\n', b''))
    return name.lower().rstrip(b' \t') + b':' + text.strip(b' ') + b'\r\n'


def canon_body(form, text):
    text = re.sub(rb'(?<!\r)\n', b'\r\n', text)
    if form == 'r':
        text = b'\r\n'.join(re.sub(rb'[ \t]+', b' ', line).rstrip(b' ') for line in text.split(b'\r\n'))
    while text.endswith(b'\r\n'):
        text = text[:-2]
    return text + b'\r\n' if text or form == 's' else b''


def hash_header(form, fields, names, signature, kind=hashlib.sha256):
    left = list(fields)
    out = kind()
    for name in names:
        for at in range(len(left) - 1, -1, -1):
            if left[at].partition(b':')[0].strip().lower() == name.lower().encode():
                out.update(canon_field(form, left.pop(at)))
                break
    out.update(canon_field(form, signature + b'\r\n')[:-2])
    return out


def odd_fold(rng, text, often=0.3):
    """Blanks and folds at places where FWS may stand, between the letters of a base64 text."""
    out = ''
    for letter in text:
        out += letter
        if rng.random() < often * 0.1:
            out += rng.choice([' ', '\r\n ', '\t', ' \r\n\t', '\r\n  '])
    return out


def fws(rng):
    return rng.choice(['', '', '', ' ', '\t', '\r\n ', ' \r\n\t'])


# What may be wrong with a signature whose b= is good, and the tags that say so; None takes a tag out.
FAULTS = {
    'sha1': {'a': ['rsa-sha1']}, 'a-other': {'a': ['rsa-sha512', 'rsa-sha1', 'rsa']},
    'i-out': {'i': ['@example.net', 'x@badexample.com', '@com', 'example.com']},
    'v': {'v': ['2', '1.0', None]}, 'missing': {'h': [None], 'bh': [None], 'a': [None], 'd': [None], 's': [None]},
    'bh': {'bh': None}, 'no-from': {'h': None}, 'from-top': {}, 'twice': {},
    'future': {'t': ['1800000000']}, 'expired': {'x': ['1699999999', '1600000000'], 't': [None]},
    'x-at-t': {'t': ['1700000100'], 'x': ['1700000100']},
    'q': {'q': ['http', 'dns']}, 'c': {'c': ['nofws', 'relaxed/relaxed/simple', 'relaxed/nofws']},
    'number': {'l': ['1x', '-1'], 't': ['soon'], 'x': ['1800000000.0']},
}


def choose_fault(rng, key):
    """A fault and the tags of it: all of those about times, else one."""
    fault = rng.choice(sorted(FAULTS))
    if fault == 'sha1' and key.k != 'rsa':
        fault = 'v'
    rows = FAULTS[fault]
    if fault not in ('x-at-t', 'expired') and rows:
        name = rng.choice(sorted(rows))
        rows = {name: rows[name]}
    return fault, {name: rng.choice(values) for name, values in rows.items() if values}


def field_of(rng, name, tags, mark='b'):
    """A field with the tags in an odd layout, and where the value of `mark` belongs."""
    field, at = rng.choice([name, name.lower(), name.upper()]) + ':', None
    for number, (tag, written) in enumerate(tags):
        field += (' i=' if tag == 'i' and not number else rng.choice([' ', '\r\n ', '']) + tag + fws(rng) + '=')
        if tag == mark:
            at = len(field)
        else:
            field += fws(rng) + written + fws(rng)
        if number + 1 < len(tags):
            field += ';'
    field = field.rstrip() if rng.random() < 0.8 else field
    return field + rng.choice(['', '', ';']), at


def put(rng, field, mark, signature):
    """The field with the signature in its place, and its line end."""
    signed = odd_fold(rng, base64.b64encode(signature).decode())
    signed = fws(rng) + signed + rng.choice(['', '', '', '', '', '', ' ', '\r\n\t'])
    if mark == len(field):
        signed = signed.rstrip()
    return (field[:mark] + signed + field[mark:] + '\r\n').encode()


def flip_end(digest):
    return digest[:-1] + bytes([digest[-1] ^ 1])


def craft(rng, message, key, now, faulty=False):
    """A whole DKIM-Signature in a form that RFC 6376 allows (3.2, 3.5), and the kinds of it that others may refuse; or with
    one fault, for which nobody may pass it."""
    form, kinds = rng.choice(FORMS), set()
    names = choose_names(rng)
    if rng.random() < 0.1:
        names.append('DKIM-Signature')  # another one; never itself (3.5)
    fields, text = split(message)
    done = canon_body(form[1], text)
    tags = {'v': '1', 'a': key.algorithm, 'd': rng.choice(['example.com', 'example.com', 'Example.COM']), 's': key.selector}
    if form != 'ss' or rng.random() < 0.5:
        short = form[1] == 's' and rng.random() < 0.3
        tags['c'] = WORD[form[0]] if short else f'{WORD[form[0]]}/{WORD[form[1]]}'
    length = None
    if rng.random() < 0.2:
        length = rng.choice([0, len(done), len(done) // 2, len(done) + 10])
        tags['l'] = rng.choice(['', '', '00']) + str(length)
        if length > len(done):
            kinds.add('l-too-long')
    if rng.random() < 0.3:
        tags['i'] = rng.choice(['@example.com', 'someone@example.com', 'x@sub.example.com', '@a.b.example.com'])
        if tags['i'].partition('@')[2] != 'example.com':
            kinds.add('i-sub')
    if rng.random() < 0.4:
        tags['t'] = str(now - rng.choice([0, 10, 10 ** 6]))
    if rng.random() < 0.1:
        tags['x'] = str(now + 10 ** 6)
    if rng.random() < 0.2:
        tags['q'] = 'dns/txt'
    if rng.random() < 0.2:
        tags['z'] = 'From:someone@example.com|Subject:a=20b=3Dc'
    if rng.random() < 0.2:
        tags[rng.choice(['r', 'foo', 'x_y', 'zz9'])] = rng.choice(['y', '', 'a b', 'b=c'])
    fault, odd = choose_fault(rng, key) if faulty else ('', {})
    kind = hashlib.sha1 if fault == 'sha1' else hashlib.sha256
    digest = kind(done if length is None else done[:length]).digest()
    if fault == 'bh':
        digest = flip_end(digest) if rng.random() < 0.5 else digest[:20]
    if fault == 'no-from':
        names = [name for name in names if name.lower() != 'from'] or ['To']
    tags['bh'] = odd_fold(rng, base64.b64encode(digest).decode())
    tags['h'] = ''.join(fws(rng) + ':' + fws(rng) + one for one in names).lstrip(': \t\r\n')
    tags.update({'b': '', **odd})
    rows = [(name, written) for name, written in tags.items() if written is not None]
    if fault == 'twice':
        rows += [('foo', '1'), ('foo', '1')]
    rng.shuffle(rows)
    if fault == 'from-top':
        fields = fields[::-1]
    field, mark = field_of(rng, 'DKIM-Signature', rows)
    digest = hash_header(form[0], fields, names, field.encode(), kind)
    if fault and not (fault == 'from-top' and digest.digest() == hash_header(form[0], fields[::-1], names, field.encode()).digest()):
        kinds.add('fault ' + fault)
    return put(rng, field, mark, key.sign(digest)) + message, kinds


# -- A sealer of ARC ----

SEAL_FAULTS = ['gap', 'cv', 'seal-h', 'covers-seal', 'no-results', 'no-message', 'twice', 'sha1', 'no-from', 'bh', 'order',
               'no-cv', 'instance']


def shuffled(rng, rows):
    """With i= first now and then, which dkimpy needs."""
    rest = rng.sample(rows[1:], len(rows) - 1)
    return [rows[0]] + rest if rng.random() < 0.8 else rng.sample(rows, len(rows))


def seal(rng, message, instance, key, now, fault=''):
    """One more set on top. `instance` is one more than those that are there."""
    form = rng.choice(FORMS)
    fields, text = split(message)
    number = instance + (1 if fault == 'gap' else 0)
    written = {'instance': rng.choice(['0', '51', 'x', '-1'])}.get(fault, str(number))
    kind = hashlib.sha1 if fault == 'sha1' else hashlib.sha256
    algorithm = 'rsa-sha1' if fault == 'sha1' else key.algorithm
    names = choose_names(rng)
    if fault == 'no-from':
        names = [name for name in names if name.lower() != 'from'] or ['To']
    if fault == 'covers-seal':
        names.append('ARC-Seal')
    results = f'ARC-Authentication-Results:{fws(rng)}i{fws(rng)}={fws(rng)}{written}; mx.example.com; arc=none\r\n'.encode()
    digest = kind(canon_body(form[1], text)).digest()
    digest = flip_end(digest) if fault == 'bh' else digest
    rows = [('i', written), ('a', algorithm), ('d', 'example.com'), ('s', key.selector), ('t', str(now)),
            ('c', f'{WORD[form[0]]}/{WORD[form[1]]}'), ('bh', odd_fold(rng, base64.b64encode(digest).decode())),
            ('h', ':'.join(names)), ('b', '')]
    rows = shuffled(rng, rows)
    field, mark = field_of(rng, 'ARC-Message-Signature', rows)
    signature = put(rng, field, mark, key.sign(hash_header(form[0], fields, names, field.encode(), kind)))
    cv = 'none' if instance == 1 else 'pass'
    if fault == 'cv':
        cv = rng.choice(['fail', 'pass' if instance == 1 else 'none'])
    rows = [('i', written), ('a', algorithm), ('d', 'example.com'), ('s', key.selector), ('t', str(now)), ('cv', cv), ('b', '')]
    if fault == 'seal-h':
        rows.append(('h', 'from'))
    if fault == 'no-cv':
        rows = [row for row in rows if row[0] != 'cv']
    rows = shuffled(rng, rows)
    field, mark = field_of(rng, 'ARC-Seal', rows)
    there = {}
    for one in fields:
        name, _, value_ = one.decode('latin-1').partition(':')
        found = re.search(r'(?:^|;)\s*i\s*=\s*(\d+)', value_)
        if name.lower().startswith('arc-') and found:
            there[int(found[1]), ['a', 'm', 's'].index(name.lower()[4])] = one
    order = [there[at] for at in sorted(there)] + [results, signature]
    if fault == 'order':
        order.reverse()
    out = kind()
    for one in order:
        out.update(canon_field('r', one))
    out.update(canon_field('r', field.encode() + b'\r\n')[:-2])
    made = put(rng, field, mark, key.sign(out))
    rows = [made, signature, results]
    if fault == 'twice':
        rows.append(rng.choice(rows))
    if fault == 'no-results':
        rows.remove(results)
    if fault == 'no-message':
        rows.remove(signature)
    return b''.join(rows) + message


# -- Changes ----

def change(rng, message, signature=b'dkim-signature'):
    """A signed message and one change to it: what kind, and the outcome. `signature`: what the fields begin with that
    sign."""
    head, _, text = message.partition(b'\r\n\r\n')
    fields = re.findall(rb'[^\r\n\t ](?:[^\r]|\r(?!\n)|\r\n(?=[ \t]))*\r\n', head + b'\r\n')
    at = rng.randrange(len(fields))
    kind = rng.choice(['case-name', 'blank-in-value', 'blank-at-end', 'blank-before-colon', 'fold', 'unfold', 'swap', 'twice',
                       'remove', 'letter', 'case-value', 'add-top', 'add-bottom', 'add-from', 'signature-letter',
                       'append', 'append-blank', 'append-lines', 'body-blank', 'body-blanks', 'line-ends', 'body-case',
                       'truncate', 'body-letter', 'leading-line', 'cr', 'drop-end', 'tag-value', 'body-tab', 'all-lf'])
    name, _, rest = fields[at].partition(b':')
    if kind == 'case-name':
        fields[at] = name.swapcase() + b':' + rest
    elif kind == 'blank-in-value':
        fields[at] = name + b':' + rest.replace(b' ', rng.choice([b'  ', b'\t', b' \t']), 1)
    elif kind == 'blank-at-end':
        fields[at] = fields[at][:-2] + rng.choice([b' ', b'\t', b'  ']) + b'\r\n'
    elif kind == 'blank-before-colon':
        fields[at] = name + rng.choice([b' ', b'\t']) + b':' + rest
    elif kind == 'fold':
        fields[at] = name + b':' + rest.replace(b' ', rng.choice([b'\r\n ', b'\r\n\t', b' \r\n ']), 1)
    elif kind == 'unfold':
        fields[at] = re.sub(rb'\r\n(?=[ \t])', b'', fields[at])
    elif kind == 'swap':
        to = rng.randrange(len(fields))
        fields[at], fields[to] = fields[to], fields[at]
    elif kind == 'twice':
        fields.insert(rng.randrange(len(fields) + 1), fields[at])
    elif kind == 'remove':
        del fields[at]
    elif kind in ('letter', 'case-value', 'signature-letter', 'tag-value'):
        if kind in ('signature-letter', 'tag-value'):
            at = rng.choice([i for i, one in enumerate(fields) if one.lower().startswith(signature)])
        places = [m.start() for m in re.finditer(rb'[A-Za-z0-9]', fields[at]) if m.start() > fields[at].index(b':')]
        if places:
            place = rng.choice(places)
            old = fields[at][place:place + 1]
            new = old.swapcase() if kind == 'case-value' else rng.choice([c for c in (b'Q', b'r', b'7') if c != old])
            fields[at] = fields[at][:place] + new + fields[at][place + 1:]
    elif kind == 'add-top':
        fields.insert(0, b'Received: from x by y\r\n')
    elif kind == 'add-bottom':
        fields.append(rng.choice([b'Subject: another\r\n', b'X-New: 1\r\n', b'To: z@example.net\r\n']))
    elif kind == 'add-from':
        fields.insert(rng.choice([0, len(fields)]), b'From: other@example.net\r\n')
    elif kind == 'append':
        text += rng.choice([b'more\r\n', b'.', b'x'])
    elif kind == 'append-blank':
        text += rng.choice([b' ', b'\t', b' \r\n', b' \r\n\r\n'])
    elif kind == 'append-lines':
        text += b'\r\n' * rng.choice([1, 2, 100])
    elif kind == 'body-blank':
        text = text.replace(b'\r\n', rng.choice([b' \r\n', b'\t\r\n']), 1)
    elif kind == 'body-blanks':
        text = text.replace(b' ', b'  ', 1)
    elif kind == 'body-tab':
        text = text.replace(b' ', b'\t', 1)
    elif kind == 'line-ends':
        text = text.replace(b'\r\n', b'\n')
    elif kind == 'body-case':
        text = text.swapcase()
    elif kind == 'truncate':
        text = text[:rng.randrange(len(text) + 1)]
    elif kind == 'body-letter' and text:
        place = rng.randrange(len(text))
        text = text[:place] + b'#' + text[place + 1:]
    elif kind == 'leading-line':
        text = b'\r\n' + text
    elif kind == 'cr':
        text = text.replace(b'\r\n', b'\r', 1) if rng.random() < 0.5 else text + b'\r'
    elif kind == 'drop-end' and text.endswith(b'\r\n'):
        text = text[:-2]
    whole = b''.join(fields) + b'\r\n' + text
    return kind, whole.replace(b'\r\n', b'\n') if kind == 'all-lf' else whole
