#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""postern auth and postern spf as somebody's test would drive them: exact keys, caps, odd names, servers that lie."""
import json
import os
import socket
import struct
import subprocess
import sys
import tempfile
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from cli_sign import MAIL, NOW, make_key, seal, sign  # noqa: E402
from dns_server import DnsServer  # noqa: E402
from lib import POSTERN, Tap, need  # noqa: E402

SIGNATURE = (b'DKIM-Signature: v=1; a=rsa-sha256; d=example.com; s=gone; h=from; bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=;'
             b' b=AAAA\r\n')


def run(*words, message=b''):
    done = subprocess.run([POSTERN, *words], input=message, capture_output=True, check=False, timeout=60)
    return done.returncode, done.stdout, done.stderr


def auth(message, dns, *words):
    code, out, err = run('auth', '--json', '--dns', dns.address, '--now', NOW, *words, '-', message=message)
    if code != 0 or err or out.count(b'\n') != 1:
        raise RuntimeError(f'{code} {err!r} {out[:200]!r}')
    return json.loads(out.decode('utf-8'))


def spf(dns, ip, sender, helo='mx.example.com'):
    return json.loads(run('spf', '--dns', dns.address, '--ip', ip, '--helo', helo, '--from', sender)[1].decode('utf-8'))


def check_keys(tap, dns, signed):
    for what, message in (('a signed message', signed), ('nothing', b''), ('no text', bytes(range(256)) * 8)):
        got = auth(message, dns, '--ip', '192.0.2.1')
        tap.equal(list(got), ['spf', 'dkim', 'arc', 'dmarc', 'authentication_results'], f'{what}: keys in order')
        tap.equal(list(got['spf'])[:5], ['result', 'scope', 'domain', 'explanation', 'mechanism'], f'{what}: keys of spf')
        tap.equal(list(got['arc']), ['result', 'chain', 'reason'], f'{what}: keys of arc')
        tap.ok('\n' not in got['authentication_results'] and '\r' not in got['authentication_results'], f'{what}: one line', got)
        for entry in got['dkim']:
            tap.equal(list(entry), ['domain', 'selector', 'identity', 'algorithm', 'result', 'reason', 'signed'], f'{what}: keys of dkim')
    tap.equal(auth(signed, dns)['spf'], None, 'no client, no SPF')
    tap.ok('policy' not in auth(signed, dns)['dmarc'], 'no record, no policy')


def check_identities(tap, dns, keys):
    for identity in ('a b@example.com', 'x=y;z@example.com', '"q@q"@mail.example.com', 'j\u00fc@example.com'):
        message = sign(MAIL, 'dkim', '--domain', 'example.com', '--selector', 'ed', '--key', keys['ed'], '--now', NOW,
                       '--identity', identity).stdout
        got = auth(message, dns)['dkim'][0]
        tap.ok(got['result'] == 'pass' and got['identity'] == identity, f'the identity {identity!r} comes back', got)


def check_caps(tap, dns, signed):
    field = signed[:-len(MAIL)]
    for number in (16, 17, 100, 101, 10000):
        got = auth(field * number + MAIL, dns)['dkim']
        words = [entry['result'] for entry in got]
        want = ['pass'] * 16 + ['policy'] * (min(number, 100) - 16 + (number > 100))
        tap.ok(words == want and all(entry['reason'] for entry in got), f'{number} signatures', words)
        if number > 100:
            tap.ok(got[-1]['reason'].startswith(f'{number - 100} more '), f'{number} signatures: how many were left out', got[-1])
    got = auth(SIGNATURE * 70000 + MAIL, dns)['dkim']
    tap.ok(got[-1]['reason'] == '69900 more signatures were left out', 'more than fits into any bounds', got[-1])


def check_mbox(tap, dns, keys):
    mbox = b'From a@example.com Tue Nov 14 22:13:20 2023\r\n' + MAIL
    message = sign(mbox, 'dkim', '--domain', 'example.com', '--selector', 'rsa', '--key', keys['rsa'], '--now', NOW).stdout
    tap.equal(auth(message, dns)['dkim'][0]['result'], 'pass', "a signature above an mbox's first line")
    message = message.replace(b'Subject:', b'From here on\r\nSubject:')
    tap.equal(auth(message, dns)['dkim'][0]['result'], 'policy', 'such a line in the midst')


def check_empty_lists(tap, dns, keys):
    for words, want in ((['--headers', ''], ['from']), (['--headers', 'to:from', '--oversign', ''], ['to', 'from'])):
        message = sign(MAIL, 'dkim', '--domain', 'example.com', '--selector', 'ed', '--key', keys['ed'], '--now', NOW, *words).stdout
        got = auth(message, dns)['dkim']
        tap.ok(got and got[0]['result'] == 'pass' and got[0]['signed'] == want, f'sign {" ".join(words)}', got)


def check_merging(tap, dns, keys):
    ours = [b'spf=pass', b'dkim=pass (a "b)', b'dmarc=fail reason="open', b'arc=pass (open', b'x=pass \\', b'dmarc=pass']
    fields = b''.join(b'Authentication-Results: mx.example.net; ' + text + b'\r\n' for text in ours)
    message = seal(fields + b'Authentication-Results: mx.example.org; spf=fail\r\n' + MAIL.partition(b'\r\n')[2], keys, dns).stdout
    field = message[message.index(b'ARC-Authentication-Results:'):].partition(b'\r\nAuthentication-Results:')[0]
    tap.equal(b' '.join(field.split()), b'ARC-Authentication-Results: i=1; mx.example.net; spf=pass; dkim=pass (a "b); dmarc=pass',
              'results are merged in their order, but for those that do not end')
    tap.equal(auth(message, dns)['arc']['result'], 'pass', 'and the chain is good')


def check_own_zones(tap, dns):
    for name in ('mail.test', 'mail.invalid', 'mail.localhost', 'mail.onion', 'mail.home.arpa', 'mail.local'):
        tap.equal(spf(dns, '192.0.2.1', f'a@{name}')['result'], 'pass', f'{name} is asked of the server')
    for ip in ('127.0.0.5', '::1', '10.1.2.3', '192.168.1.1', '169.254.1.1', '192.0.2.9', '2001:db8::9', 'fe80::9', '255.255.255.255'):
        tap.equal(spf(dns, ip, 'a@ptr.example')['result'], 'pass', f'the name of {ip} is asked of the server')


class Liar:
    """A server on UDP alone that answers what a function makes of the question."""

    def __init__(self, answer):
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(('127.0.0.1', 0))
        self.address = f'127.0.0.1@{self.sock.getsockname()[1]}'
        self.answer = answer
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            packet, peer = self.sock.recvfrom(65535)
            for reply in self.answer(packet):
                self.sock.sendto(reply, peer)


def answer(packet, number=None, question=None, flags=0x8580, count=1):
    end = 12
    while packet[end]:
        end += 1 + packet[end]
    text = b'v=spf1 +all'
    return ((number or packet[:2]) + struct.pack('!5H', flags, 1, count, 0, 0) + (question or packet[12:end + 5]) + b'\xc0\x0c'
            + struct.pack('!HHIH', 16, 1, 300, len(text) + 1) + bytes([len(text)]) + text)


def check_liars(tap):
    other = b'\x03foo\x04test\0\0\x10\0\x01'
    for what, reply, want in (
            ('an honest one', lambda p: [answer(p)], 'pass'),
            ('another number first', lambda p: [answer(p, number=bytes(b ^ 255 for b in p[:2])), answer(p)], 'pass'),
            ('another question', lambda p: [answer(p, question=other)], 'temperror'),
            ('the question itself', lambda p: [p], 'temperror'),
            ('an answer cut short', lambda p: [answer(p)[:-4]], 'temperror'),
            ('more records promised', lambda p: [answer(p, count=9)], 'temperror'),
            ('refused', lambda p: [answer(p, flags=0x8585, count=0)], 'temperror'),
            ('nothing', lambda p: [], 'temperror')):
        got = spf(Liar(reply), '192.0.2.1', 'a@example.com')
        tap.equal(got['result'], want, f'a server that sends {what}')


def main():
    need('openssl')
    tap = Tap()
    hosts = ['127.0.0.5', '10.1.2.3', '192.168.1.1', '169.254.1.1', '192.0.2.9', '255.255.255.255']
    sixes = ['::1', '2001:db8::9', 'fe80::9']
    zone = {'ptr.example': {'TXT': ['v=spf1 ptr:host.example -all']}, 'host.example': {'A': hosts, 'AAAA': sixes}}
    for name in ('test', 'invalid', 'localhost', 'onion', 'home.arpa', 'local'):
        zone[f'mail.{name}'] = {'TXT': ['v=spf1 ip4:192.0.2.1 -all']}
    for ip in hosts + sixes:
        zone[reverse(ip)] = {'PTR': ['host.example']}
    with tempfile.TemporaryDirectory() as folder:
        keys = {}
        for name, words in (('rsa', ['RSA', '-pkeyopt', 'rsa_keygen_bits:1024']), ('ed', ['ed25519'])):
            keys[name], record = make_key(folder, name, *words)
            for domain in ('example.com', 'example.net'):
                zone[f'{name}._domainkey.{domain}'] = {'TXT': [record]}
        signed = sign(MAIL, 'dkim', '--domain', 'example.com', '--selector', 'rsa', '--key', keys['rsa'], '--now', NOW).stdout
        with DnsServer(zone) as dns:
            check_keys(tap, dns, signed)
            check_identities(tap, dns, keys)
            check_caps(tap, dns, signed)
            check_mbox(tap, dns, keys)
            check_empty_lists(tap, dns, keys)
            check_merging(tap, dns, keys)
            check_own_zones(tap, dns)
            check_liars(tap)
    tap.done()


def reverse(ip):
    if ':' not in ip:
        return '.'.join(reversed(ip.split('.'))) + '.in-addr.arpa'
    return '.'.join(reversed(socket.inet_pton(socket.AF_INET6, ip).hex())) + '.ip6.arpa'


if __name__ == '__main__':
    main()
