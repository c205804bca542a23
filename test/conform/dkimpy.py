#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""DKIM and ARC against another implementation, dkimpy: what one signs the other finds good, what is changed both refuse.

dkimpy.py DRIVER. Messages are made up from a fixed seed: odd blanks, folds, empty lines, bodies without an end."""
import base64
import os
import random
import subprocess
import sys
import tempfile
import time

try:
    import dkim
    import nacl  # noqa: F401 (Ed25519 of dkimpy)
except ImportError:
    print('1..0 # SKIP there is no dkimpy (python3-dkim, python3-nacl)')
    sys.exit(0)

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), 'e2e'))
from dns_server import DnsServer  # noqa: E402

DRIVER = sys.argv[1]
POSTERN = os.path.join(os.environ['POSTERN_BUILD'], 'postern')
NOW = int(time.time())
FORMS = [f'{header}/{body}' for header in ('simple', 'relaxed') for body in ('simple', 'relaxed')]
FIELDS = ['From', 'To', 'Subject', 'Date', 'X-Odd']


class World:
    """Keys and what DNS says of them."""

    def __init__(self, folder):
        self.folder = folder
        self.zone = {}
        self.keys = {}
        for kind, words in (('rsa', ['RSA', '-pkeyopt', 'rsa_keygen_bits:1024']), ('ed', ['ed25519'])):
            path = self.path(kind)
            subprocess.run(['openssl', 'genpkey', '-out', path, '-algorithm', *words], check=True, capture_output=True)
            der = subprocess.run(['openssl', 'pkey', '-in', path, '-pubout', '-outform', 'DER'], check=True,
                                 capture_output=True).stdout
            public = der if kind == 'rsa' else der[-32:]
            self.zone[f'{kind}._domainkey.example.com'] = (f"v=DKIM1; k={'rsa' if kind == 'rsa' else 'ed25519'}; "
                                                           f'p={base64.b64encode(public).decode()}')
        with open(self.path('rsa'), 'rb') as file:
            self.keys['rsa'] = file.read()
        seed = subprocess.run(['openssl', 'pkey', '-in', self.path('ed'), '-outform', 'DER'], check=True,
                              capture_output=True).stdout[-32:]
        self.keys['ed'] = base64.b64encode(seed)
        with open(self.path('zone'), 'w', encoding='ascii') as file:
            file.writelines(f'{name} {record}\n' for name, record in self.zone.items())

    def path(self, name):
        return os.path.join(self.folder, name)

    def txt(self, name, timeout=5):
        del timeout
        return self.zone.get(name.decode().rstrip('.'), '').encode()

    def ours(self, message):
        run = subprocess.run([DRIVER, str(NOW), self.path('zone')], input=message, capture_output=True, check=True)
        return run.stdout.decode().splitlines()

    def sign(self, message, kind, key, *words):
        run = subprocess.run([POSTERN, 'sign', kind, '--domain', 'example.com', '--selector', key, '--key', self.path(key),
                              '--now', str(NOW), *words], input=message, capture_output=True, check=False)
        if run.returncode != 0:
            raise RuntimeError(run.stderr.decode())
        return run.stdout


def blanks(rng):
    return rng.choice([' ', '  ', '\t', ' \t ', ''])


def made_up(rng):
    fields = []
    for name in FIELDS + rng.choices(FIELDS[1:], k=2):
        value = blanks(rng).join(rng.choice(['a@example.com', 'Word', '"q  q"', 'x:y;z', '\u20ac']) for _ in range(3))
        if rng.random() < 0.3:
            value += '\r\n' + rng.choice([' ', '\t']) + blanks(rng) + 'folded' + blanks(rng)
        fields.append(f'{name}:{blanks(rng)}{value}{blanks(rng)}\r\n')
    lines = [blanks(rng) + rng.choice(['', 'text', 'two  words', '.', 'From x']) + blanks(rng) for _ in range(rng.randrange(8))]
    body = ''.join(line + '\r\n' for line in lines) + rng.choice(['', '', 'no end', '\r\n\r\n'])
    return (''.join(fields) + '\r\n' + body).encode()


def changed(rng, message):
    """One letter of the body or a signed field is another."""
    places = [at for at in range(message.index(b'From:') + 5, len(message)) if message[at:at + 1].isalpha()]
    at = rng.choice(places)
    return message[:at] + (b'Q' if message[at:at + 1] != b'Q' else b'R') + message[at + 1:]


def dkim_verifies(message, world):
    try:
        return dkim.verify(message, dnsfunc=world.txt)
    except dkim.DKIMException:
        return False


def check_dkim(rng, world):
    """Yields what is wrong."""
    for _ in range(40):
        message = made_up(rng)
        form, key = rng.choice(FORMS), rng.choice(['rsa', 'ed'])
        signed = world.sign(message, 'dkim', key, '--canon', form, '--headers', 'from:to:subject:date:x-odd:subject:to')
        if not dkim_verifies(signed, world):
            yield f'dkimpy refuses our {form} signature over {signed!r}'
        if world.ours(signed)[0].split()[0] != 'pass':
            yield f'we refuse our {form} signature over {signed!r}'
        header, body = form.encode().split(b'/')
        field = dkim.sign(message, key.encode(), b'example.com', world.keys[key], canonicalize=(header, body),
                          include_headers=[b'from', b'to', b'subject', b'date', b'x-odd', b'subject'],
                          signature_algorithm=b'rsa-sha256' if key == 'rsa' else b'ed25519-sha256')
        got = world.ours(field + message)[0]
        if got.split()[0] != 'pass':
            yield f'we say {got} of the {form} signature of dkimpy over {field + message!r}'
        other = changed(rng, signed)
        if dkim_verifies(other, world) != (world.ours(other)[0].split()[0] == 'pass'):
            yield f'we and dkimpy differ over {other!r}'


def check_arc(rng, world):
    """dkimpy begins each chain, and believes the Authentication-Results that there was none before; we go on."""
    with DnsServer({name: {'TXT': [record]} for name, record in world.zone.items()}) as dns:
        for _ in range(10):
            message = b'Authentication-Results: mx.example.com; arc=none; spf=pass\r\n' + made_up(rng)
            sealed = b''.join(dkim.arc_sign(message, b'rsa', b'example.com', world.keys['rsa'], b'mx.example.com',
                                            include_headers=[b'from', b'to', b'subject'])) + message
            for instance in range(1, 4):
                if instance > 1:
                    sealed = world.sign(sealed, 'arc', 'rsa', '--authserv-id', 'mx.example.com', '--headers',
                                        'from:to:subject', '--dns', dns.address)
                cv, _, reason = dkim.arc_verify(sealed, dnsfunc=world.txt)
                if cv != b'pass':
                    yield f'dkimpy says {cv} ({reason}) of instance {instance} of {sealed!r}'
                got = world.ours(sealed)[-1]
                if not got.startswith('arc pass'):
                    yield f'we say {got} of instance {instance} of {sealed!r}'
            other = changed(rng, sealed)
            if (dkim.arc_verify(other, dnsfunc=world.txt)[0] == b'pass') != world.ours(other)[-1].startswith('arc pass'):
                yield f'we and dkimpy differ over {other!r}'


def main():
    rng = random.Random(6376)
    with tempfile.TemporaryDirectory() as folder:
        world = World(folder)
        print('1..2')
        failed = 0
        for number, (what, check) in enumerate((('DKIM', check_dkim), ('ARC', check_arc)), 1):
            wrong = list(check(rng, world))
            failed += bool(wrong)
            print(f"{'not ok' if wrong else 'ok'} {number} - {what} of ours and of dkimpy")
            for line in wrong[:5]:
                print('#', line)
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
