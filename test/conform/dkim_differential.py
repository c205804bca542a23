#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""DKIM of ours against dkimpy and Mail::DKIM: each signs, all verify, before and after a change of the message.

dkim_differential.py DRIVER [SEED]. POSTERN_DIFFERENTIAL is the number of messages, 800 unless told;
POSTERN_DIFFERENTIAL_FIRST ends at the first difference. For ten messages there is a chain of ARC. We must judge as
dkim_reference.py does, without exception. Where another verifier differs from the two, that is an error unless a row of
EXPLAINED names the clause that decides it: so a row can hide a mistake of others only."""
import base64
import collections
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time

try:
    import dkim
    from dkim.crypto import RSASSA_PKCS1_v1_5_sign, parse_pem_private_key
    import nacl.signing
except ImportError:
    # Debian's packages are for Debian's interpreter, which need not be the first one in PATH.
    if sys.executable != '/usr/bin/python3' and os.path.exists('/usr/bin/python3') and 'POSTERN_AGAIN' not in os.environ:
        os.execve('/usr/bin/python3', ['/usr/bin/python3', *sys.argv], {**os.environ, 'POSTERN_AGAIN': '1'})
    print('1..0 # SKIP there is no dkimpy (python3-dkim, python3-nacl)')
    sys.exit(0)

import dkim_reference as reference
import dkim_shapes as shapes

HERE = os.path.dirname(os.path.abspath(__file__))
NOW = 1700000000
COUNT = int(os.environ.get('POSTERN_DIFFERENTIAL', '800'))
SEED = int(sys.argv[2]) if len(sys.argv) > 2 else 6376
PEM_ED25519 = bytes.fromhex('302e020100300506032b657004220420')


# -- Keys and what DNS says of them ----

def prime(rng, bits):
    small = [n for n in range(3, 4000, 2) if all(n % d for d in range(3, int(n ** 0.5) + 1, 2))]
    while True:
        n = rng.getrandbits(bits) | 3 << (bits - 2) | 1
        if all(n % d for d in small) and n % 65537 != 1 and pow(2, n - 1, n) == 1 and pow(3, n - 1, n) == 1:
            return n


def der(tag, *parts):
    data = b''.join(parts)
    size = bytes([len(data)]) if len(data) < 128 else None
    if size is None:
        digits = len(data).to_bytes((len(data).bit_length() + 7) // 8, 'big')
        size = bytes([0x80 | len(digits)]) + digits
    return bytes([tag]) + size + data


def number(n):
    return der(2, n.to_bytes(n.bit_length() // 8 + 1, 'big'))


def pem(words, data):
    return f'-----BEGIN {words}-----\n{base64.encodebytes(data).decode()}-----END {words}-----\n'.encode()


class Key:
    """One key: `pem` for us, `own` for dkimpy, `public` for DNS."""

    def __init__(self, name, bits, rng):
        self.name, self.selector, self.bits = name, name, bits
        if bits == 256:
            seed = rng.randbytes(32)
            self.algorithm, self.own = 'ed25519-sha256', base64.b64encode(seed)
            self.pem, self.raw = pem('PRIVATE KEY', PEM_ED25519 + seed), nacl.signing.SigningKey(seed)
            self.public, self.k = self.raw.verify_key.encode(), 'ed25519'
            return
        p, q = prime(rng, bits // 2), prime(rng, bits // 2)
        d = pow(65537, -1, (p - 1) * (q - 1))
        private = der(0x30, *map(number, (0, p * q, 65537, d, p, q, d % (p - 1), d % (q - 1), pow(q, -1, p))))
        self.algorithm, self.k = 'rsa-sha256', 'rsa'
        self.pem = self.own = pem('RSA PRIVATE KEY', private)
        self.raw = parse_pem_private_key(self.own)
        self.n, self.e = p * q, 65537
        self.public = der(0x30, bytes.fromhex('300d06092a864886f70d0101010500'),
                          der(3, b'\0', der(0x30, number(p * q), number(65537))))

    def sign(self, digest):
        if self.k == 'rsa':
            return RSASSA_PKCS1_v1_5_sign(digest, self.raw)
        return self.raw.sign(digest.digest()).signature

    def records(self):
        """Selector suffix to key records. All but the plain one are for signatures of the test's own signer."""
        p = base64.b64encode(self.public).decode()
        k = f'k={self.k}; '
        cut = p[:20] + ' ' + p[20:40] + '\t' + p[40:]
        longer = base64.b64encode(self.public + b'\0').decode()
        other = '' if self.k == 'ed25519' else 'k=ed25519; '
        return {'': [f'v=DKIM1; {k}p={p}'], '-bare': [f'{k}p={p}'], '-h': [f'v=DKIM1; h=sha1:sha256; {k}p={p}'],
                '-hold': [f'v=DKIM1; h=sha1; {k}p={p}'], '-s': [f'v=DKIM1; {k}s=email; p={p}'], '-sall': [f'v=DKIM1; s=*; {k}p={p};'],
                '-sother': [f'v=DKIM1; {k}s=tel; p={p}'], '-slist': [f'v=DKIM1; {k}s=tel : email; p={p}'],
                '-n': [f'v=DKIM1; n=a note=20of a person; {k}p={p}'],
                '-g': [f'v=DKIM1; g=*; {k}p={p}'], '-ty': [f'v=DKIM1; t=y; {k}p={p}'], '-ts': [f'v=DKIM1; t=s; {k}p={p}'],
                '-tys': [f'v=DKIM1; t=y : s; {k}p={p}'], '-spaces': [f' v = DKIM1 ;  {k}  p =  {cut} ; '], '-late': [f'p={p}; v=DKIM1; {k}'],
                '-v2': [f'v=DKIM2; {k}p={p}'], '-gone': [f'v=DKIM1; {k}p='], '-none': [],
                '-dsa': [f'v=DKIM1; k=dsa; p={p}'], '-twice': [f'v=DKIM1; {k}p={p}', 'v=DKIM1; k=rsa; p=AAAA'],
                '-second': ['v=DKIM1; k=rsa; p=AAAA', f'v=DKIM1; {k}p={p}'], '-tag': [f'v=DKIM1; new=1; {k}p={p}'],
                '-longer': [f'v=DKIM1; {k}p={longer}'], '-cross': [f'v=DKIM1; {other}p={p}'], '-nop': [f'v=DKIM1; k={self.k}']}


class World:
    def __init__(self, folder):
        rng = random.Random(f'keys {SEED}')
        self.folder, self.zone = folder, {}
        self.keys = [Key('a', 1024, rng), Key('b', 2048, rng), Key('c', 4096, rng), Key('e', 256, rng), Key('w', 768, rng)]
        self.judge = reference.Judge(self.zone, {key.public: key for key in self.keys}, NOW)
        for key in self.keys:
            with open(self.path(key.name), 'wb') as file:
                file.write(key.pem)
            for suffix, records in key.records().items():
                self.zone[f'{key.name}{suffix}._domainkey.example.com'] = records
        with open(self.path('zone'), 'w', encoding='ascii') as file:
            file.writelines(f'{name} {record}\n' for name, records in self.zone.items() for record in records)

    def path(self, name):
        return os.path.join(self.folder, name)

    def txt(self, name, timeout=5):
        del timeout
        records = self.zone.get(name.decode('ascii', 'replace').rstrip('.').lower(), [])
        return records[0].encode() if records else None


class Service:
    """A process that answers one request after another."""

    def __init__(self, *words):
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, verb, message, *words):
        self.process.stdin.write(' '.join(map(str, (verb, NOW, len(message), *words))).encode() + b'\n' + message)
        self.process.stdin.flush()
        size = self.process.stdout.readline()
        if not size:
            raise RuntimeError(f'{self.process.args[0]} died of {message!r}')
        return self.process.stdout.read(int(size))

    def close(self):
        self.process.stdin.close()
        return self.process.wait()


# -- Verdicts: the selectors whose signatures pass, sorted ----

def verdict_of_lines(answer):
    rows = [line.split(' ', 2) for line in answer.decode('utf-8', 'replace').splitlines()]
    return sorted(row[1] for row in rows if row[0] == 'pass'), [' '.join(row) for row in rows]


def verdict_of_dkimpy(message, world):
    passed, told = [], []
    try:
        checker = dkim.DKIM(message)
    except Exception as error:  # pylint: disable=broad-except # whatever it dies of, it did not pass
        return [], [repr(error)]
    for index in range(sum(name.lower() == b'dkim-signature' for name, _ in checker.headers)):
        try:
            good = checker.verify(idx=index, dnsfunc=world.txt)
            told.append(str(good))
            if good:
                passed.append(checker.selector.decode('ascii', 'replace'))
        except Exception as error:  # pylint: disable=broad-except
            told.append(repr(error))
    return sorted(passed), told


# -- What the RFC explains ----

class Case:
    """One signature over which two differ: each test below looks at it and at nothing else."""

    def __init__(self, message, selector, field):
        self.fields, self.body = shapes.split(message)
        self.field, self.key, self.suffix = field, selector[:1], selector[1:]
        self.tags = {}
        for one in field.partition(b':')[2].split(b';'):
            name, _, text = one.partition(b'=')
            self.tags[name.strip()] = re.sub(rb'\s+', b'', text)
        forms = (self.tags.get(b'c', b'simple') + b'/simple').split(b'/')
        self.header_form, self.body_form = forms[0][:1].decode(), forms[1][:1].decode()

    def b_taken_out(self):
        """The field as RFC 6376 3.7 hashes it."""
        head, colon, rest = self.field[:-2].partition(b':')
        rest = b';'.join(one.partition(b'=')[0] + b'=' if one.partition(b'=')[0].strip() == b'b' else one
                         for one in rest.split(b';'))
        return shapes.canon_field(self.header_form, head + colon + rest + b'\r\n')[:-2]

    def b_of_dkimpy(self):
        name, _, text = self.field.partition(b':')
        policy = dkim.CanonicalizationPolicy.from_c_value(self.tags.get(b'c', b'simple/simple'))
        name, text = policy.canonicalize_headers([(name, dkim.RE_BTAG.sub(b'\\1', text))])[0]
        return name + b':' + text.rstrip()

    def froms(self):
        return sum(field.partition(b':')[0].strip().lower() == b'from' for field in self.fields)

    def names(self):
        return [name.lower() for name in self.tags.get(b'h', b'').split(b':')]

    def length(self):
        """l=, or None."""
        return int(self.tags[b'l']) if self.tags.get(b'l', b'').isdigit() else None

    def over_length(self):
        return (self.length() or 0) > len(shapes.canon_body(self.body_form, self.body))

    def no_number(self):
        return any(not self.tags.get(name, b'0').isdigit() for name in (b't', b'x', b'l'))

    def backwards(self):
        """Whether x= is not after t=."""
        return not self.no_number() and int(self.tags.get(b'x', b'1')) <= int(self.tags.get(b't', b'0'))

    def doubled(self):
        names = [one.partition(b'=')[0].strip() for one in self.field.partition(b':')[2].split(b';')]
        return len(names) != len(set(names))

    def subdomain(self):
        return b'i' in self.tags and self.tags[b'i'].rpartition(b'@')[2].lower() != self.tags.get(b'd', b'').lower()

    def blank_before_colon(self):
        return any(re.match(rb'[!-9;-~]+[ \t]+:', field) for field in self.fields)


# Who differs, whether it passes what we and the reference refuse (None: both happen), the test of the case, the clause of RFC
# 6376 unless another is told.
EXPLAINED = [
    ('dkimpy', None, lambda case: case.b_taken_out() != case.b_of_dkimpy(),
     '3.7 step 2: all of the value of b= with the blanks around it goes, and of no other tag; 3.4.1: nothing at the end of a '
     'simple field'),
    ('dkimpy', False, lambda case: case.blank_before_colon(),
     '3.4.2, last step, and 3.4.5, example 1: blanks before the colon are allowed for (RFC 5322 4.5.8), not an error'),
    ('dkimpy', False, lambda case: case.froms() > case.names().count(b'from'),
     '5.4.2, 8.15: a From that h= does not name is not signed; to refuse it is local policy (6.1.1)'),
    ('dkimpy', True, lambda case: case.suffix == '-hold', '3.6.1, 6.1.2 step 6: h= of the key names the hashes allowed'),
    ('dkimpy', True, lambda case: case.suffix in ('-ts', '-tys') and case.subdomain(), '3.6.1: t=s forbids subdomains in i='),
    ('Mail::DKIM', True, lambda case: case.suffix == '-tys' and case.subdomain(),
     '3.6.1: t= is a list between colons with FWS around them'),
    ('dkimpy', None, lambda case: case.body_form == 'r' and case.body.endswith((b' ', b'\t')),
     '3.4.4 step a: blanks at the end of the last line are ignored too'),
    ('Mail::DKIM', None, lambda case: case.body_form == 's' and not case.body.endswith(b'\r\n'),
     '3.4.3: a CRLF is added where the body has none at its end'),
    ('Mail::DKIM', None, lambda case: case.length() == 0, '3.5: l=0 counts from the beginning, so nothing is hashed'),
    ('Mail::DKIM', False, lambda case: case.length() == 1 and
     shapes.canon_body(case.body_form, case.body) == b'\r\n', '3.7 step 1: l= cuts the canonical body, and so the CRLF of 3.4.3'),
    ('Mail::DKIM', False, lambda case: case.header_form == 'r' and re.match(rb'[!-9;-~]+[ \t]', case.field),
     '3.7 step 2: the signature field is canonicalised as the others are, with its blanks before the colon (3.4.2)'),
    ('both', None, lambda case: b'dkim-signature' in case.names(), '3.5 of h=: the signature that is verified is not one of its fields'),
    ('both', True, lambda case: case.over_length(), '3.5: l= must not be larger than the body'),
    ('both', True, lambda case: case.suffix == '-late', '3.6.1: v= must be the first tag of the key'),
    ('both', False, lambda case: case.suffix == '-slist', '3.6.1: s= is a list between colons'),
    ('both', False, lambda case: case.suffix == '-second',
     '6.1.2 step 4: of several records (which 3.6.2.2 forbids) one may be chosen, or all be tried'),
    ('Mail::DKIM', True, lambda case: case.key == 'w', 'RFC 8301 3.2: keys of less than 1024 bits'),
    ('both', True, lambda case: case.suffix == '-longer' and case.key != 'e', '6.1.2: key records not in form are ignored'),
    ('both', True, lambda case: case.tags.get(b'a') == b'rsa-sha1', 'RFC 8301 3.1: rsa-sha1 must not be used'),
    ('both', True, lambda case: case.backwards(), '3.5: x= must be greater than t='),
    ('dkimpy', True, lambda case: NOW - 36000 <= int(case.tags.get(b'x', b'0')) < NOW,
     '3.5: behind x= a signature may be invalid, with a leeway of ten hours or without'),
    ('both', True, lambda case: b'from' not in case.names(), '6.1.1: a signature that does not name From is ignored'),
    ('Mail::DKIM', True, lambda case: case.tags.get(b'v') != b'1', '3.5, 6.1.1: v= is required and must be 1'),
    ('Mail::DKIM', True, lambda case: b'bh' not in case.tags, '6.1.1: a required tag that is not there'),
    ('Mail::DKIM', True, lambda case: case.doubled(), '3.2: a tag must not be there twice'),
    ('Mail::DKIM', True, lambda case: case.no_number(), '3.5: t= and l= are decimal numbers'),
]


def explain(who, more, cases):
    for name, passes, test, clause in EXPLAINED:
        if name in (who, 'both') and passes in (more, None) and any(test(case) for case in cases):
            return clause
    return None


# -- The run ----

# Records by which nobody may pass a signature.
BAD_KEYS = ('-hold', '-sother', '-v2', '-gone', '-none', '-dsa', '-late', '-cross', '-nop', '-longer')


class Run:
    def __init__(self, world, ours, perl):
        self.world, self.ours, self.perl = world, ours, perl
        self.index, self.wrong, self.explained, self.seen = 0, [], collections.Counter(), collections.Counter()

    def sign(self, rng, message):
        """The signed message, who signed, the key and its record, and what may make it fail from the beginning."""
        signer = rng.choice(['ours', 'dkimpy', 'Mail::DKIM', 'test', 'test'])
        key = rng.choices(self.world.keys, weights=[10, 5, 1 if signer in ('ours', 'Mail::DKIM') else 0.1, 6,
                                                   1 if signer == 'test' else 0])[0]
        if signer == 'Mail::DKIM' and (not self.perl or key.k != 'rsa'):
            signer = 'ours'
        suffix = rng.choice(sorted(key.records())) if rng.random() < 0.4 else ''
        names, form = shapes.choose_names(rng), rng.choice(shapes.FORMS)
        kinds = set()
        crlf = re.sub(rb'(?<!\r)\n', b'\r\n', message)
        if signer == 'test':
            whole = key.selector
            key.selector += suffix
            signed, kinds = shapes.craft(rng, message, key, NOW)
            key.selector = whole
        elif signer == 'ours':
            identity = rng.choice(['-', '-', '@example.com', 'x@sub.example.com'])
            kinds = {'i-sub'} if 'sub' in identity else kinds
            signed = self.ours.ask('sign', message, self.world.path(key.name), 'example.com', key.selector + suffix, form,
                                   ':'.join(names), identity, rng.choice([0, 3600])) + message
        elif signer == 'dkimpy':
            signed = dkim.DKIM(message).sign(
                (key.selector + suffix).encode(), b'example.com', key.own, signature_algorithm=key.algorithm.encode(),
                canonicalize=tuple(shapes.WORD[c].encode() for c in form), include_headers=[n.encode() for n in names],
                length=rng.random() < 0.1) + message
        else:
            signed = self.perl.ask('sign', crlf, self.world.path(key.name), 'example.com', key.selector + suffix, form,
                                   ':'.join(names)) + message
        return signed, signer, key, suffix, kinds

    def faulty(self, rng, message):
        key = rng.choice([self.world.keys[0], self.world.keys[1], self.world.keys[3]])
        suffix, whole = rng.choice(BAD_KEYS) if rng.random() < 0.4 else '', key.selector
        key.selector += suffix
        signed, kinds = shapes.craft(rng, message, key, NOW, faulty=not suffix)
        key.selector = whole
        passed = self.compare(signed, 'test', key, suffix, ' '.join(sorted(kinds)))
        if passed and (suffix or any(kind.startswith('fault') for kind in kinds)):
            self.wrong.append(f'message {self.index}, {kinds}: we pass {signed[:3000]!r}')

    def compare(self, message, signer, key, suffix, kind):
        ours, told = verdict_of_lines(self.ours.ask('dkim', message))
        others = {'dkimpy': verdict_of_dkimpy(message, self.world)}
        if self.perl:
            # It takes lines as SMTP has them.
            others['Mail::DKIM'] = verdict_of_lines(self.perl.ask('dkim', re.sub(rb'(?<!\r)\n', b'\r\n', message)))
        self.seen[f"{'pass' if ours else 'refused'}"] += 1
        right, why = self.judge_self(message)
        if right != ours:
            self.wrong.append(f'message {self.index}, {kind} signed by {signer} with {key.name}{suffix}: we say {told}, the RFC '
                              f'{right} {why} of {message[:3000]!r}')
        for who, (theirs, reasons) in others.items():
            # Mail::DKIM of Debian 12 has no Ed25519 (RFC 8463).
            mine = [one for one in ours if who == 'dkimpy' or not one.startswith('e')]
            theirs = [one for one in theirs if who == 'dkimpy' or not one.startswith('e')]
            mine, theirs = collections.Counter(mine), collections.Counter(theirs)
            for more, left in ((True, theirs - mine), (False, mine - theirs)):
                for selector in left.elements():
                    self.judge(who, more, selector, message, kind, f'signed by {signer} with {key.name}{suffix}: we say '
                               f'{told}, {who} says {reasons}')
        return ours

    def judge_self(self, message):
        """The selectors that pass by the reference, and why others do not."""
        fields, body = shapes.split(message)
        passed, reasons = [], []
        for field in fields:
            if field.partition(b':')[0].strip().lower() == b'dkim-signature':
                why = self.world.judge.dkim(fields, body, field)
                reasons.append(why)
                if not why:
                    passed.append(reference.tags_of(field.partition(b':')[2])[b's'].decode().lower())
        return sorted(passed), reasons

    def judge(self, who, more, selector, message, kind, told):
        cases = [Case(message, selector, field) for field in shapes.split(message)[0]
                 if field.lower().startswith(b'dkim-signature')]
        cases = [case for case in cases if case.tags.get(b's', b'').decode() == selector]
        clause = explain(who, more, cases)
        if clause:
            self.explained[f"{who} {'passes' if more else 'refuses'}. {clause}"] += 1
        else:
            self.wrong.append(f'message {self.index}, {kind} {told} of {message[:3000]!r}')

    def one(self, rng):
        message = b''.join(shapes.header(rng)) + b'\r\n' + shapes.body(rng)
        signed, signer, key, suffix, kinds = self.sign(rng, message)
        passed = self.compare(signed, signer, key, suffix, 'unchanged')
        bad = (suffix in BAD_KEYS or key.name == 'w' or any(kind.startswith('fault') for kind in kinds) or
               'l-too-long' in kinds or ('i-sub' in kinds and suffix in ('-ts', '-tys')))
        # A signer that makes the body in another form than RFC 6376 signs what nobody else finds.
        odd = (signer == 'dkimpy' and signed.endswith((b' ', b'\t'))) or \
            (signer == 'Mail::DKIM' and not shapes.split(signed)[1].endswith(b'\r\n'))
        if bool(passed) == bad and not odd:
            told = self.ours.ask('dkim', signed)
            self.wrong.append(f'message {self.index}, signed by {signer} with {key.name}{suffix} {kinds}: we say {told} of {signed[:3000]!r}')
        if rng.random() < 0.1:  # a second signature above the first
            signed, signer, key, suffix, _ = self.sign(rng, signed)
            self.compare(signed, signer, key, suffix, 'second')
        self.faulty(rng, message)
        for _ in range(2):
            kind, changed = shapes.change(rng, signed)
            self.compare(changed, signer, key, suffix, kind)


# -- ARC (RFC 8617), by ours and dkimpy ----

def in_order(fields):
    """Whether the newest set stands first, as dkimpy takes for granted."""
    found = collections.defaultdict(list)
    for field in fields:
        match = re.match(rb'(ARC-[A-Za-z-]+)[ \t]*:(?:.*;)?\s*i\s*=\s*(\d+)', field, re.S | re.I)
        if match:
            found[match[1].lower()].append(int(match[2]))
    return all(row == sorted(row, reverse=True) for row in found.values())


def kind_of(field):
    """b'a', b'm' or b's' of ARC-Authentication-Results and so on, None of others."""
    name = field.partition(b':')[0].strip().lower()
    return name[4:5] if name in (b'arc-authentication-results', b'arc-message-signature', b'arc-seal') else None


def instance_of(field):
    match = re.search(rb'(?:^|;)\s*i\s*=\s*([^;]*?)\s*;', field.partition(b':')[2] + b';')
    return match[1] if match else b''


def b_differs(field):
    """As of DKIM. dkimpy makes a field of ARC relaxed before it looks, but a message signature."""
    case = Case(field, '', field)
    if kind_of(field) == b's':
        case.header_form, case.tags[b'c'] = 'r', b'relaxed'
        case.field = shapes.canon_field('r', field)
        return case.b_taken_out() != case.b_of_dkimpy()
    return kind_of(field) == b'm' and case.b_taken_out() != case.b_of_dkimpy()


# Whether dkimpy passes what we and the reference refuse (None: both happen), a test of fields, body and its reason, the clause.
ARC_EXPLAINED = [
    (None, lambda fields, body, why: body.endswith((b' ', b'\t')) and any(b'/relaxed' in re.sub(rb'\s', b'', field)
                                                                          for field in fields if kind_of(field) == b'm'),
     'RFC 6376 3.4.4 step a: blanks at the end of the last line are ignored too'),
    (False, lambda fields, body, why: any(re.match(rb'[!-9;-~]+[ \t]+:', field) for field in fields),
     'RFC 6376 3.4.2, last step: blanks before the colon are allowed for, not an error'),
    (False, lambda fields, body, why: sum(field.partition(b':')[0].strip().lower() == b'from' for field in fields) > 1,
     'RFC 6376 5.4.2, 8.15: a From that h= does not name is not signed; to refuse it is local policy'),
    (False, lambda fields, body, why: not in_order(fields),
     'RFC 8617 5.1.1: sets are hashed by instance, wherever their fields stand'),
    (False, lambda fields, body, why: 'IndexError' in why and any(
        b' i=' + instance_of(field) + b';' not in field.lower() for field in fields if kind_of(field) == b'm'),
     'RFC 6376 3.2: tags may come in any order, and blanks where FWS may be (it looks for " i=1;" as such)'),
    (None, lambda fields, body, why: any(b_differs(field) for field in fields),
     'RFC 6376 3.7 step 2, 3.4.1: all of the value of b= with the blanks around it, and nothing else at the end'),
    (True, lambda fields, body, why: any(b'from' not in Case(field, '', field).names() for field in fields if kind_of(field) == b'm'),
     'RFC 8617 4.1.2, RFC 6376 6.1.1: a message signature that does not name From is as good as none'),
    (True, lambda fields, body, why: any(not re.fullmatch(rb'[1-9]|[1-4][0-9]|50', instance_of(field)) for field in fields
                                         if kind_of(field)),
     'RFC 8617 4.2.1, 5.2 step 3: instances are 1 to 50; it leaves other fields out'),
]


class Chains:
    """A chain of one to four sets, each sealed by one of the two; both judge it, whole and changed."""

    def __init__(self, world, ours):
        self.world, self.ours = world, ours
        self.wrong, self.explained, self.seen = [], collections.Counter(), collections.Counter()

    def seal(self, rng, message, instance):
        results = b'Authentication-Results: mx.example.com; arc=%s; spf=pass\r\n' % (b'none' if instance == 1 else b'pass')
        key = rng.choice(self.world.keys[:2])
        names = ['from', *rng.sample(['to', 'subject', 'date', 'x-odd', 'message-id', 'x-missing', 'subject'], 4)]
        message = re.sub(rb'^Authentication-Results: [^\r]*\r\n', b'', message)
        signer = rng.randrange(3)
        if signer == 0:
            return shapes.seal(rng, message, instance, key, NOW)
        if signer == 1:
            return self.ours.ask('seal', results + message, self.world.path(key.name), 'example.com', key.selector,
                                 rng.choice(shapes.FORMS), ':'.join(names), 'mx.example.com') + message
        return b''.join(dkim.arc_sign(results + message, key.selector.encode(), b'example.com', key.own, b'mx.example.com',
                                      include_headers=[name.encode() for name in names], timestamp=NOW)) + message

    def compare(self, message, what):
        ours = self.ours.ask('arc', message).decode('utf-8', 'replace')
        fields, body = shapes.split(message)
        why = self.world.judge.arc(fields, body)
        if ours.startswith('pass') != (why is None):
            self.wrong.append(f'{what}: we say {ours}, the RFC {why} of {message[:6000]!r}')
        try:
            theirs = dkim.arc_verify(message, dnsfunc=self.world.txt)
        except Exception as error:  # pylint: disable=broad-except # whatever it dies of, it did not pass
            theirs = (None, [], repr(error))
        passed = ours.startswith('pass')
        self.seen['pass' if passed else 'refused'] += 1
        if passed == (theirs[0] == b'pass'):
            return
        for more, test, clause in ARC_EXPLAINED:
            if more in (not passed, None) and test(fields, body, str(theirs[2])):
                self.explained[f"dkimpy {'refuses' if passed else 'passes'}. {clause}"] += 1
                return
        self.wrong.append(f'{what}: we say {ours}, dkimpy says {theirs[0]} {theirs[2]} of {message[:6000]!r}')

    def one(self, index):
        rng = random.Random(f'{SEED} chain {index}')
        message = b''.join(shapes.header(rng)) + b'\r\n' + shapes.body(rng)
        for fault in ('cv', rng.choice(shapes.SEAL_FAULTS)):
            self.compare(shapes.seal(rng, message, 1, rng.choice(self.world.keys[:2]), NOW, fault), f'chain {index}, one set with {fault}')
        for instance in range(1, rng.randrange(2, 6)):
            message = self.seal(rng, message, instance)
            self.compare(message, f'chain {index}, instance {instance}')
        broken = re.sub(rb'(?is)^(arc-seal:.*?\d{9})0', rb'\g<1>1', message, count=1)  # in t=, under a seal that is good
        self.compare(shapes.seal(rng, broken, instance + 1, rng.choice(self.world.keys[:2]), NOW), f'chain {index}, on a broken seal')
        for fault in rng.sample(shapes.SEAL_FAULTS, 4):
            self.compare(shapes.seal(rng, message, instance + 1, rng.choice(self.world.keys[:2]), NOW, fault),
                         f'chain {index}, one set more with {fault}')
        for _ in range(3):
            kind, changed = shapes.change(rng, message, b'arc-')
            self.compare(changed, f'chain {index}, {kind}')


def report(number, what, run):
    print(f"{'not ok' if run.wrong else 'ok'} {number} - {what}, {sum(run.seen.values())} verdicts of each")
    print(f'# {dict(run.seen)}; {sum(run.explained.values())} differences that the RFC explains, {len(run.wrong)} that it '
          'does not')
    for clause, count in run.explained.most_common():
        print(f'#   {count:6} {clause}')
    for line in run.wrong[:int(os.environ.get('POSTERN_DIFFERENTIAL_SHOW', '5'))]:
        print('#', line)


def main():
    time.time = lambda: NOW  # of dkimpy, for t= and x=
    start = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        world = World(folder)
        ours, perl = Service(sys.argv[1], world.path('zone')), None
        if shutil.which('perl') and subprocess.run(['perl', '-MMail::DKIM::Verifier', '-e1'], capture_output=True,
                                                   check=False).returncode == 0:
            perl = Service('perl', os.path.join(HERE, 'mail_dkim.pl'), world.path('zone'))
        run, chains = Run(world, ours, perl), Chains(world, ours)
        for run.index in range(COUNT):
            run.one(random.Random(f'{SEED} {run.index}'))
            if run.index % 10 == 9:
                chains.one(run.index // 10)
            if 'POSTERN_DIFFERENTIAL_FIRST' in os.environ and (run.wrong or chains.wrong):
                break
        ended = ours.close()
        if perl:
            perl.close()
    print('1..3')
    print(f"# {'with' if perl else 'WITHOUT (libmail-dkim-perl is missing)'} Mail::DKIM, seed {SEED}, "
          f'{time.process_time() - start:.0f} s CPU of the test itself')
    report(1, f'DKIM: {run.index + 1} messages', run)
    report(2, f'ARC: {(run.index + 1) // 10} chains', chains)
    print(f"{'not ok' if ended else 'ok'} 3 - our verifier ended well")
    return 1 if run.wrong or chains.wrong or ended else 0


if __name__ == '__main__':
    sys.exit(main())
