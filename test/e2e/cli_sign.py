#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""postern sign: what it writes, what postern auth says of it, and what it refuses."""
import base64
import json
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from dns_server import DnsServer  # noqa: E402
from lib import POSTERN, Tap, need  # noqa: E402

NOW = '1700000000'
MAIL = (b'Authentication-Results: mx.example.net; spf=pass smtp.mailfrom=example.com\r\n'
        b'From: a@example.com\r\nTo: b@example.org\r\nSubject: one\r\n\ttwo\r\nDate: Tue, 14 Nov 2023 22:13:20 +0000\r\n'
        b'\r\nText  \r\n\r\nmore\r\n\r\n\r\n')


def make_key(folder, name, *words):
    path = os.path.join(folder, name)
    subprocess.run(['openssl', 'genpkey', '-out', path, '-algorithm', *words], check=True, capture_output=True)
    der = subprocess.run(['openssl', 'pkey', '-in', path, '-pubout', '-outform', 'DER'], check=True, capture_output=True).stdout
    kind, public = ('ed25519', der[-32:]) if name == 'ed' else ('rsa', der)
    return path, f'v=DKIM1; k={kind}; p={base64.b64encode(public).decode()}'


def sign(message, kind, *words):
    return subprocess.run([POSTERN, 'sign', kind, *words], input=message, capture_output=True, check=False)


def auth(message, dns, now=NOW):
    run = subprocess.run([POSTERN, 'auth', '--json', '--dns', dns.address, '--now', now, '-'], input=message, capture_output=True,
                         check=True)
    return json.loads(run.stdout)


def check_dkim(tap, dns, keys):
    for name in keys:
        for form in ('relaxed/relaxed', 'relaxed/simple', 'simple/relaxed', 'simple/simple'):
            for ends, message in (('CRLF', MAIL), ('LF', MAIL.replace(b'\r\n', b'\n'))):
                run = sign(message, 'dkim', '--domain', 'example.com', '--selector', name, '--key', keys[name], '--canon', form,
                           '--now', NOW, '--identity', 'a@mail.example.com', '--expire', '60')
                what = f'{name} {form} {ends}'
                field = run.stdout[:-len(message)]
                if not tap.ok(run.returncode == 0 and run.stdout.endswith(message), f'{what}: the message is unchanged', run):
                    continue
                lines = field.split(b'\n')
                tap.ok(all(len(line) < 79 and line.endswith(b'\r') == (ends == 'CRLF') for line in lines[:-1]),
                       f'{what}: lines are short and end as in the message', field)
                got = auth(run.stdout, dns)['dkim']
                tap.ok([entry['result'] for entry in got] == ['pass'] and got[0]['domain'] == 'example.com'
                       and got[0]['selector'] == name and got[0]['identity'] == 'a@mail.example.com', f'{what}: it is good', got)
                tap.equal(auth(run.stdout, dns, str(int(NOW) + 61))['dkim'][0]['result'], 'policy', f'{what}: until it expires')
                tap.equal(auth(run.stdout.replace(b'more', b'less'), dns)['dkim'][0]['result'], 'fail', f'{what}: a change is seen')
    run = sign(MAIL, 'dkim', '--domain', 'example.com', '--selector', 'ed', '--key', keys['ed'], '--headers', 'subject:to:date',
               '--oversign', 'from:subject', '--now', NOW)
    tap.equal(auth(run.stdout, dns)['dkim'][0]['signed'], ['from', 'subject', 'to', 'date', 'from', 'subject'],
              'h= is --headers in their order, From always, and then --oversign')
    tap.equal(auth(b'Subject: more\r\n' + run.stdout, dns)['dkim'][0]['result'], 'fail', 'a field that was oversigned cannot be added')


def seal(message, keys, dns, *words):
    return sign(message, 'arc', '--domain', 'example.net', '--selector', 'rsa', '--key', keys['rsa'], '--authserv-id',
                'mx.example.net', '--now', NOW, '--dns', dns.address, *words)


def check_arc(tap, dns, keys):
    sealed = MAIL
    for number in range(1, 4):
        run = seal(sealed, keys, dns)
        tap.ok(run.returncode == 0 and run.stdout.endswith(sealed) and run.stdout.count(b'\nARC-') == 3 * number - 1,
               f'set {number} is put in front', run)
        sealed = run.stdout
        got = auth(sealed, dns)['arc']
        tap.ok(got['result'] == 'pass' and got['chain'] == number, f'the chain of {number} is good', got)
    changed = sealed.replace(b'Subject: one', b'Subject: two')
    failed = seal(changed, keys, dns).stdout
    tap.ok(failed.endswith(changed) and b' cv=fail;' in failed[:-len(changed)], 'a chain that is broken is sealed as failed', failed)
    tap.equal(auth(failed, dns)['arc']['result'], 'fail', 'and is not good')
    tap.ok(seal(failed, keys, dns).stdout == failed, 'nobody adds to it')
    dns.load({'rsa._domainkey.example.net': {'servfail': True}})
    run = seal(sealed, keys, dns)
    tap.ok(run.returncode == 2 and not run.stdout and run.stderr.count(b'\n') == 1, 'no seal where a key cannot be had now', run)


def check_refusals(tap, keys):
    good = ['--domain', 'example.com', '--selector', 's', '--key', keys['ed']]
    for what, message, words in (
            ('no option', MAIL, ['dkim']),
            ('no such verb', MAIL, ['smime']),
            ('an operand', MAIL, ['dkim', *good, 'file.eml']),
            ('a key that is none', MAIL, ['dkim', *good, '--key', os.path.abspath(__file__)]),
            ('a key that is not there', MAIL, ['dkim', *good, '--key', '/nowhere']),
            ('a form that is none', MAIL, ['dkim', *good, '--canon', 'loose']),
            ('an identity elsewhere', MAIL, ['dkim', *good, '--identity', 'a@example.net']),
            ('a field name that is none', MAIL, ['dkim', *good, '--headers', 'a b']),
            ('an empty field name', MAIL, ['dkim', *good, '--headers', 'from::to']),
            ('a time that is none', MAIL, ['dkim', *good, '--now', 'soon']),
            ('no time at all', MAIL, ['dkim', *good, '--expire', '0']),
            ('a message without From', b'To: a\r\n\r\n', ['dkim', *good]),
            ('no authserv-id', MAIL, ['arc', *good]),
            ('a signature over seals', MAIL, ['arc', *good, '--authserv-id', 'mx', '--headers', 'from:arc-seal'])):
        run = sign(message, *words)
        tap.ok(run.returncode == 2 and not run.stdout and run.stderr.count(b'\n') == 1, f'{what}: one line and status 2', run)
    for words in ([], ['dkim'], ['arc']):
        run = subprocess.run([POSTERN, 'sign', *words, '--help'], capture_output=True, check=False)
        tap.ok(run.returncode == 0 and b'Example' in run.stdout, f'help of sign {" ".join(words)}', run)


def main():
    need('openssl')
    tap = Tap()
    with tempfile.TemporaryDirectory() as folder:
        keys, zone = {}, {}
        for name, words in (('rsa', ['RSA', '-pkeyopt', 'rsa_keygen_bits:2048']), ('ed', ['ed25519'])):
            keys[name], record = make_key(folder, name, *words)
            for domain in ('example.com', 'example.net'):
                zone[f'{name}._domainkey.{domain}'] = {'TXT': [record]}
        with DnsServer(zone) as dns:
            check_dkim(tap, dns, keys)
            check_refusals(tap, keys)
            check_arc(tap, dns, keys)
    tap.done()


if __name__ == '__main__':
    main()
