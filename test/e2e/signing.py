#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Outgoing mail is signed and forwarded mail sealed, through a real Postfix (milter), through the SMTP proxy, by rspamc and by
spamc, as others see it who are no code of ours: dkimpy and Mail::DKIM of Debian, over what was delivered."""
import json
import os
import re
import signal
import smtplib
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from dns_server import DnsServer  # noqa: E402
from lib import EICAR, POSTERN, Postern, Postfix, Sink, Tap, free_port, message, need, send, skip_all, wait_for  # noqa: E402

OURS = '127.0.0.9'      # signing.networks
PYTHON = '/usr/bin/python3'  # whose modules are Debian's

# Reads a message, prints one word for each signature, and for the chain; asks the DNS that it is told.
DKIMPY = r'''
import sys, dkim, json
zone = json.loads(sys.argv[1])
data = sys.stdin.buffer.read()
def ask(name, timeout=5):
    return zone.get(name.decode().rstrip('.').lower(), '').encode() or None
count = sum(line.lower().startswith(b'dkim-signature:') for line in data.split(b'\r\n\r\n')[0].split(b'\r\n'))
for i in range(count):
    try:
        print('pass' if dkim.DKIM(data).verify(idx=i, dnsfunc=ask) else 'fail')
    except dkim.DKIMException as error:
        print('error', error)
cv, results, reason = dkim.arc_verify(data, dnsfunc=ask)
print('arc', cv.decode(), len(results), reason)
'''
MAIL_DKIM = r'''
use strict; use Mail::DKIM::Verifier; use Mail::DKIM::ARC::Verifier; use Mail::DKIM::DNS; use Net::DNS::Resolver;
Mail::DKIM::DNS::resolver(Net::DNS::Resolver->new(nameservers => ['127.0.0.1'], port => $ARGV[0], recurse => 0, usevc => 0));
binmode STDIN; my $data = do { local $/; <STDIN> };
my $dkim = Mail::DKIM::Verifier->new(); $dkim->PRINT($data); $dkim->CLOSE;
print $_->result, " ", $_->algorithm, "\n" for $dkim->signatures;
my $arc = Mail::DKIM::ARC::Verifier->new(); $arc->PRINT($data); $arc->CLOSE; print "arc ", $arc->result, "\n";
'''


def have(*words):
    return subprocess.run(words, capture_output=True).returncode == 0


class World:
    def __init__(self):
        self.sink = Sink()
        self.milter, self.proxy, self.http, self.spamd = free_port(), free_port(), free_port(), free_port()
        # Where mail of our own were checked as if it came from outside, none of only.example would get out.
        self.names = {'example.com': {'TXT': ['v=spf1 -all']}, '_dmarc.only.example': {'TXT': ['v=DMARC1; p=reject']},
                      'good.example': {'TXT': ['v=spf1 ip4:127.0.0.1 -all']},
                      '_dmarc.good.example': {'TXT': ['v=DMARC1; p=reject']}}
        self.dns = DnsServer(self.names).start()
        self.settings = f'''
milter: {{ listen: 127.0.0.1:{self.milter} }}
smtp: {{ listen: 127.0.0.1:{self.proxy}, next_hop: 127.0.0.1:{self.sink.port} }}
http: {{ listen: 127.0.0.1:{self.http} }}
spamd: {{ listen: 127.0.0.1:{self.spamd} }}
dns: {{ servers: ["{self.dns.address}"], timeout: 1s }}
auth: {{ authserv_id: mx.example.org }}
actions: {{ malware: tag, unscannable: deliver, subject_tag: "[MARK] " }}
signing: {{ networks: ["{OURS}"], arc_domain: example.org, arc_for: ["*@example.org"] }}
'''
        self.postern = Postern(self.settings, start=False)
        self.zone = {}
        for words in (['example.com', '--selector', 'r1'], ['example.com', '--selector', 'e1', '--type', 'ed25519'],
                      ['example.org', '--selector', 'a1'], ['only.example', '--selector', 'o1']):
            self.new_key(*words, '--activate')
        self.postern.start()
        self.mx = Postfix({'relay_transport': f'smtp:[127.0.0.1]:{self.sink.port}', 'smtpd_milters': f'inet:127.0.0.1:{self.milter}',
                           'relay_domains': 'example.org, example.net', 'milter_default_action': 'tempfail',
                           'smtpd_authorized_xclient_hosts': '127.0.0.0/8'})

    def new_key(self, domain, *words):
        run = self.postern.cli('keys', 'new', '--json', '--domain', domain, *words)
        if run.returncode != 0:
            raise RuntimeError(run.stderr)
        record = json.loads(run.stdout)
        self.publish(record)
        return record

    def publish(self, record):
        self.zone[record['name']] = record['value']
        self.names[record['name']] = {'TXT': [record['value']]}
        self.dns.load(self.names)

    def wait(self, subject):
        def found():
            with self.sink.lock:
                return [m['data'] for m in self.sink.messages if f'Subject: {subject}\r\n'.encode() in m['data']]
        return wait_for(found, 30, subject)[0]

    def put(self, text, source=OURS, port=None, login=None, client=None, sender='alice@example.com', to='bob@example.net'):
        """What the server says at the end of a message."""
        if isinstance(text, str):
            text = text.encode('utf-8', 'surrogateescape')
        with smtplib.SMTP('127.0.0.1', port or self.mx.port, 'client.example.com', timeout=60, source_address=(source, 0)) as smtp:
            smtp.ehlo()
            if login or client:
                code, reply = smtp.docmd('XCLIENT', f'LOGIN={login}' if login else f'ADDR={client}')
                if code != 220:
                    raise RuntimeError(reply)
                smtp.ehlo()
            for code, reply in (smtp.mail(sender), smtp.rcpt(to)):
                if code != 250:
                    return code
            # As it is: smtplib would mend the line ends.
            code, reply = smtp.docmd('DATA')
            if code != 354:
                return code
            smtp.send(re.sub(rb'(?m)^\.', b'..', text) + (b'' if text.endswith(b'\r\n') else b'\r\n') + b'.\r\n')
            return smtp.getreply()[0]

    def rspamc(self, text, *words, source=OURS, sender='alice@example.com', to='bob@example.net'):
        run = subprocess.run(['rspamc', '-h', f'127.0.0.1:{self.http}', '-i', source, '-F', sender, '-r', to, *words],
                             input=text.encode() if isinstance(text, str) else text, capture_output=True, timeout=60)
        if run.returncode != 0:
            raise RuntimeError(run.stdout + run.stderr)
        return run.stdout

    def spamc(self, text, *words, to='bob@example.net'):
        return subprocess.run(['spamc', '-d', '127.0.0.1', '-p', str(self.spamd), '-x', '-u', to, *words],
                              input=text.encode() if isinstance(text, str) else text, capture_output=True, check=True,
                              timeout=60).stdout

    def dkimpy(self, data):
        run = subprocess.run([PYTHON, '-c', DKIMPY, json.dumps(self.zone)], input=data, capture_output=True, timeout=60)
        return run.stdout.decode().splitlines() or [run.stderr.decode()[-300:]]

    def mail_dkim(self, data):
        run = subprocess.run(['perl', '-e', MAIL_DKIM, self.dns.address.split('@')[1]], input=data, capture_output=True, timeout=60)
        return run.stdout.decode().splitlines() or [run.stderr.decode()[-300:]]


def fields(data, name):
    head = re.sub(r'\r\n[ \t]+', ' ', data.split(b'\r\n\r\n', 1)[0].decode('utf-8', 'replace'))
    return re.findall(rf'^{re.escape(name)}:[ \t]*(.*?)\r?$', head, re.M | re.I)


def check_verified(tap, world, data, name):
    """Both signatures, by both who look at them."""
    signed = fields(data, 'DKIM-Signature')
    tap.equal([re.search(r'a=(\S+);.* d=(\S+); s=(\S+);', field).groups() for field in signed],
              [('ed25519-sha256', 'example.com', 'e1'), ('rsa-sha256', 'example.com', 'r1')], f'{name}: both keys signed')
    got = world.dkimpy(data)
    tap.ok(got[:2] == ['pass', 'pass'] and len(got) == 3, f'{name}: dkimpy finds both good', got)
    if world.perl:
        got = world.mail_dkim(data)
        # Not every version of it knows Ed25519.
        tap.ok('pass rsa-sha256' in got and not any(line.startswith('fail') for line in got), f'{name}: Mail::DKIM finds it good', got)


ODD = (
    ('plain', '', 'Good morning.\n'),
    ('a long folded list', 'Cc: ' + ',\n  '.join(f'"Name {i}" <n{i}@example.net>' for i in range(40)) + '\n', 'Text.\n'),
    ('no body', '', ''),
    ('blanks at ends of lines', 'X-Odd:    two   blanks\t \n', 'one  \n\ttwo\t\n   \n\n\n'),
    ('dots', '', '.\n..\n.three\n'),
    ('eight bits', 'Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\nMIME-Version: 1.0\n', 'Grüße, 日本語\n'),
    ('no line end', '', 'the last line'),
    ('ours forged', 'X-Postern: clean (0.0000)\nAuthentication-Results: mx.example.org; dkim=pass header.d=example.com\n'
                    'X-Postern-Release: abc\nDKIM-Signature: v=1; a=rsa-sha256; d=x.example; s=x; h=from; bh=; b=\n', 'Text.\n'),
)


def check_signed(tap, world):
    for kind, port in (('milter', world.mx.port), ('proxy', world.proxy)):
        for i, (name, extra, body) in enumerate(ODD):
            subject = f'{kind} {i} {"ö" if i == 5 else "o"}'
            tap.equal(world.put(message(subject=subject, body=body, extra=extra), port=port), 250, f'{kind}, {name}: it is taken')
            data = world.wait(subject)
            if name == 'ours forged':
                signed = [field for field in fields(data, 'DKIM-Signature') if 'd=example.com' in field]
                got = world.dkimpy(data)
                tap.ok(len(signed) == 2 and got[:2] == ['pass', 'pass'], f'{kind}, {name}: ours are good', got)
                tap.equal(len(fields(data, 'X-Postern')), 1, f'{kind}, {name}: what was forged is gone')
            else:
                check_verified(tap, world, data, f'{kind}, {name}')
    text = message(subject='stray', body='one\rtwo\r\n').replace('\r\r\n', '\r\n')
    tap.equal(world.put(text, port=world.proxy), 250, 'proxy, a stray CR: it is taken')
    check_verified(tap, world, world.wait('stray'), 'proxy, a stray CR')


def check_who(tap, world):
    cases = (
        ('a stranger', dict(source='127.0.0.1'), 'alice@example.com', 0),
        ('an authenticated user', dict(source='127.0.0.1', login='alice'), 'alice@example.com', 2),
        ('a domain below one with keys', {}, 'alice@mail.example.com', 2),
        ('a domain without keys', {}, 'alice@example.test', 0),
        ('a domain that only looks like it', {}, 'alice@badexample.com', 0),
        ('one key alone', {}, 'alice@only.example', 1),
        ('an authenticated user whose domain asks to reject', dict(source='127.0.0.1', login='alice'), 'alice@only.example', 1),
        ('a host of ours whose domain asks to reject', dict(source='127.0.0.1'), 'alice@only.example', 0),
    )
    for i, (name, how, author, want) in enumerate(cases):
        subject = f'who {i}'
        tap.equal(world.put(message(subject=subject, sender=author), **how), 250, f'{name}: it is taken')
        data = world.wait(subject)
        tap.equal(len(fields(data, 'DKIM-Signature')), want, f'{name}: {want} signatures')
        tap.equal(world.dkimpy(data)[:want], ['pass'] * want, f'{name}: they are good')
    for source, want in ((OURS, 'marked'), ('127.0.0.1', '[MARK] marked 2')):
        subject = want.replace('[MARK] ', '')
        for port in (world.mx.port, world.proxy):
            world.put(message(subject=subject + (' p' if port == world.proxy else ''), body=EICAR + '\n'), source=source, port=port)
        for end in ('', ' p'):
            data = world.wait(want + end)
            tap.equal(len(fields(data, 'DKIM-Signature')), 2 if source == OURS else 0, f'{want + end}: a signed subject stays')


def apply(data, answer):
    """The message, changed as rspamd's protocol says: first all fields of a name go, then each new one goes on top."""
    head, body = data.split(b'\r\n\r\n', 1)
    lines = re.split(rb'\r\n(?![ \t])', head)
    gone = [name.lower().encode() for name, place in answer['milter']['remove_headers'].items() if place == 0]
    lines = [line for line in lines if line.split(b':')[0].strip().lower() not in gone]
    for name, field in answer['milter']['add_headers'].items():
        lines.insert(field['order'], f'{name}: {field["value"]}'.encode())
    signatures = answer.get('dkim-signature', [])
    for value in reversed([signatures] if isinstance(signatures, str) else signatures):
        lines.insert(0, f'DKIM-Signature: {value}'.encode())
    return b'\r\n'.join(lines) + b'\r\n\r\n' + body


FORGED = ('X-Postern: clean (0.0000)\nauthentication-results: mx.example.org; dkim=pass header.d=forged.example\n'
          'X-Postern-Release: abc\n')


def check_told(tap, world):
    """Whoever speaks rspamd's protocol is told what to change."""
    text = message(subject='told', extra=FORGED)
    answer = json.loads(world.rspamc(text, '--json'))
    tap.equal((answer['action'], len(answer['dkim-signature']), list(answer['milter']['add_headers'])),
              ('no action', 2, ['X-Postern']), 'rspamc --json: both signatures and our field')
    tap.equal(answer['milter']['remove_headers'], {'X-Postern': 0, 'X-Postern-Release': 0, 'Authentication-Results': 0},
              'what was forged is to go')
    data = apply(text.encode(), answer)
    check_verified(tap, world, data, 'rspamc --json, applied')
    tap.equal(fields(data, 'Authentication-Results'), [], 'of mail of our own there are no results')
    tap.equal((len(fields(data, 'X-Postern')), len(fields(data, 'X-Postern-Release'))), (1, 0), 'and one our verdict')
    others = message(subject='others', extra='Authentication-Results: relay.example.net; spf=pass\n')
    answer = json.loads(world.rspamc(others, '--json', source='127.0.0.1'))
    tap.equal((answer.get('dkim-signature'), list(answer['milter']['remove_headers'])), (None, ['X-Postern', 'X-Postern-Release']),
              'a stranger gets no signature; what others say of themselves stays')
    answer = json.loads(world.rspamc(others, '--json', source='198.51.100.1'))
    tap.has(answer['milter']['add_headers']['Authentication-Results']['value'], 'mx.example.org;\r\n\tspf=fail smtp.mailfrom=example.com',
            'SPF is judged of the client that is named')
    answer = json.loads(world.rspamc(message(sender='a@only.example'), '--json', '-u', 'a', source='127.0.0.1'))
    tap.ok(isinstance(answer.get('dkim-signature'), str), 'one signature of a user who logged in is no array', answer)
    answer = json.loads(world.rspamc(text.replace('\r\n', '\n'), '--json'))
    tap.ok('\r' not in json.dumps(answer['milter']) + json.dumps(answer['dkim-signature']) and '\\r' not in json.dumps(answer),
           'a message with LF line ends gets folds like that', answer)
    answer = json.loads(world.rspamc(text, '--json', '--header', 'Milter=Yes'))
    tap.ok('\\r' not in json.dumps(answer), 'a milter proxy gets them always', answer)
    # rspamc itself adds the signatures alone; it knows nothing of other fields to be added or removed.
    for ends in ('\r\n', '\n'):
        data = world.rspamc(text.replace('\r\n', ends), '--mime').replace(b'\r\n', b'\n').replace(b'\n', b'\r\n')
        check_verified(tap, world, data, f'rspamc --mime, {ends!r}')
    marked = message(subject='marked', body=EICAR + '\n')
    for source, want in ((OURS, 'add header'), ('127.0.0.1', 'rewrite subject')):
        answer = json.loads(world.rspamc(marked, '--json', source=source))
        tap.equal((answer['action'], answer.get('subject')), (want, '[MARK] marked' if 'rewrite' in want else None),
                  f'{want}: a signed subject stays')


def good_key(world):
    """A domain of others, whose signed mail comes by."""
    key = world.postern.dir + '/good.pem'
    subprocess.run(['openssl', 'genpkey', '-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048', '-out', key], check=True,
                   capture_output=True)
    public = subprocess.run(['openssl', 'pkey', '-in', key, '-pubout'], check=True, capture_output=True).stdout.decode()
    world.publish({'name': 'g1._domainkey.good.example', 'value': 'v=DKIM1; k=rsa; p=' + ''.join(public.split('\n')[1:-2])})

    def signed(subject, extra=''):
        return subprocess.run([POSTERN, 'sign', 'dkim', '--domain', 'good.example', '--selector', 'g1', '--key', key],
                              input=message(subject=subject, sender='carol@good.example', extra=extra).encode(),
                              capture_output=True, check=True).stdout
    return signed


def check_told_seal(tap, world, signed):
    """Forwarded mail that is judged by rspamc and spamc."""
    text = signed('told seal', FORGED)
    answer = json.loads(world.rspamc(text, '--json', source='127.0.0.1', sender='carol@good.example', to='bob@example.org'))
    tap.equal(list(answer['milter']['add_headers']), ['ARC-Authentication-Results', 'ARC-Message-Signature', 'ARC-Seal',
                                                      'Authentication-Results', 'X-Postern'], 'rspamc: a seal is told')
    cases = [('rspamc', apply(text, answer), 'dkim=pass')]
    for words in ((), ('--headers',)):
        cases.append((' '.join(('spamc', *words)), world.spamc(text, *words, to='bob@example.org'), 'dkim=pass'))
    for name, data, want in cases:
        tap.equal(data[:18], b'X-Postern: clean (', f'{name}: our verdict is on top')
        results, seals = fields(data, 'Authentication-Results'), fields(data, 'ARC-Seal')
        tap.ok(len(results) == 1 and results[0].startswith('mx.example.org; ') and want in results[0] and b'forged.example' not in data,
               f'{name}: our results, and no forged ones', results)
        tap.ok(len(seals) == 1 and 'd=example.org;' in seals[0] and world.dkimpy(data)[-1].startswith('arc pass')
               and world.dkimpy(data)[0] == 'pass', f'{name}: dkimpy finds the seal good', world.dkimpy(data))
        tap.ok(data.endswith(b'\r\n\r\nGood morning.\r\n'), f'{name}: the body is as it was', data)
    data = world.spamc(text.replace(b'\r\n', b'\n'), to='bob@example.org')
    tap.ok(b'\r' not in data and world.dkimpy(data.replace(b'\n', b'\r\n'))[-1].startswith('arc pass'), 'spamc: with LF line ends', data)
    tap.equal(fields(world.spamc(text), 'ARC-Seal'), [], 'spamc: another recipient, no seal')
    out = world.spamc(message(subject='marked', body=EICAR + '\n')).decode()
    tap.has(out, '\r\nSubject: [MARK] marked\r\n', 'spamc: the subject is tagged')


def check_seal(tap, world, signed):
    how = dict(source='127.0.0.1', sender='carol@good.example', to='bob@example.org')
    for kind, port in (('milter', world.mx.port), ('proxy', world.proxy)):
        tap.equal(world.put(signed(f'forwarded {kind}'), port=port, **how), 250, f'{kind}: forwarded mail is taken')
        data = world.wait(f'forwarded {kind}')
        seals = fields(data, 'ARC-Seal')
        tap.ok(len(seals) == 1 and 'i=1;' in seals[0] and 'cv=none;' in seals[0] and 'd=example.org;' in seals[0],
               f'{kind}: one seal', seals)
        results = fields(data, 'ARC-Authentication-Results')
        tap.ok(len(results) == 1 and results[0].startswith('i=1; mx.example.org;') and 'dkim=pass' in results[0]
               and 'dmarc=pass' in results[0], f'{kind}: it tells our results', results)
        tap.ok(world.dkimpy(data)[-1].startswith('arc pass'), f'{kind}: dkimpy finds the seal good', world.dkimpy(data))
        if world.perl:
            tap.equal(world.mail_dkim(data)[-1], 'arc pass', f'{kind}: Mail::DKIM finds the seal good')
        count = len(world.sink.messages)
        tap.equal(world.put(data, port=port, **how), 250, f'{kind}: it comes by once more')
        twice = world.sink.wait(count + 1)[-1]['data']
        tap.ok(len(fields(twice, 'ARC-Seal')) == 2 and 'cv=pass' in fields(twice, 'ARC-Seal')[0], f'{kind}: the chain goes on',
               fields(twice, 'ARC-Seal'))
        tap.ok(world.dkimpy(twice)[-1].startswith('arc pass'), f'{kind}: dkimpy finds the chain good', world.dkimpy(twice))
    for text, more, name in (
            (message(subject='unsealed 1', sender='x@nowhere.test'), dict(how, source='127.0.0.2', sender='x@nowhere.test'),
             'nothing is proven'),
            (signed('unsealed 2'), dict(how, to='bob@example.net'), 'another recipient')):
        tap.equal(world.put(text, **more), 250, f'{name}: it is taken')
        subject = 'unsealed 1' if name == 'nothing is proven' else 'unsealed 2'
        tap.equal(fields(world.wait(subject), 'ARC-Seal'), [], f'{name}: no seal')


def check_hidden_author(tap, world):
    """What is unscannable is delivered here; DMARC holds for it all the same, wherever From stands."""
    how = dict(source='127.0.0.1', client='198.51.100.1', sender='x@nowhere.test')
    for kind, port in (('milter', world.mx.port), ('proxy', world.proxy)):
        for author, want in (('carol@good.example', ('unscannable', 'quarantine', True)),
                             ('dave@nowhere.test', ('unscannable', 'deliver', False))):
            subject = f'hidden {kind} {author}'
            text = f'Subject: {subject}\r\n' + 'X: y\r\n' * 12000 + f'From: {author}\r\n\r\nHello.\r\n'
            tap.equal(world.put(text, port=port, **how), 250, f'{kind}, {author} behind 12,000 fields: it is taken')
            row = wait_for(lambda: world.postern.trace('--subject', subject), 10, 'the trace')[0]
            tap.equal((row['class'], row['action'], 'DMARC_REJECT' in json.dumps(row['evidence'])), want,
                      f'{kind}, {author}: DMARC is heeded')


def check_keys_change(tap, world):
    run = world.postern.cli('keys', 'rotate', '--json', '--domain', 'only.example')
    record = json.loads(run.stdout)
    tap.equal((run.returncode, record['state']), (0, 'next'), 'the next key is made')
    check = ('rotate', '--domain', 'only.example', '--check', '--dns', world.dns.address)
    tap.equal(world.postern.cli('keys', *check).returncode, 1, 'it waits while DNS does not show it')
    world.publish(record)
    wait_for(lambda: world.postern.cli('keys', *check).returncode == 0, 20, 'the record seen')
    states = [json.loads(line) for line in world.postern.cli('keys', 'list', '--json', '--domain', 'only.example').stdout.splitlines()]
    tap.equal({key['selector']: key['state'] for key in states}, {'o1': 'retired', record['selector']: 'active'}, 'then it is active')

    def signer(subject):
        world.put(message(subject=subject, sender='a@only.example'))
        data = world.wait(subject)
        return re.search(r's=(\S+);', fields(data, 'DKIM-Signature')[0]).group(1), world.dkimpy(data)[0]
    os.kill(world.postern.children()['scanner-0'][0], signal.SIGKILL)
    tap.equal([signer(f'before {i}') for i in range(4)], [('o1', 'pass')] * 4, 'until a reload the old one signs, restarts or not')
    tap.equal(world.postern.cli('reload').returncode, 0, 'reload')
    wait_for(lambda: signer(f'after {time.monotonic_ns()}') == (record['selector'], 'pass'), 20, 'the new key')
    tap.ok(True, 'after it the new one')


def check_several_wait(tap, world):
    """Of several keys of one type the last one signs; who changes them is not told otherwise."""
    for selector in ('w1', 'w2'):
        world.postern.cli('keys', 'new', '--domain', 'several.example', '--selector', selector)
    run = world.postern.cli('keys', 'rotate', '--domain', 'several.example', '--activate')
    tap.ok(run.returncode == 0 and re.search(r'(?m)^w1\..*: retired', run.stderr) and re.search(r'(?m)^w2\..*: signs', run.stderr),
           'of two keys that wait it is told which signs', run.stderr)
    states = [json.loads(line)['state'] for line in world.postern.cli('keys', 'list', '--json', '--domain', 'several.example').stdout.splitlines()]
    tap.equal(states, ['retired', 'active'], 'and that is so')


def check_secrets(tap, world):
    """No process but the signer ever held a secret; of the file's text not even it keeps any."""
    folder = world.postern.dir + '/state/keys'
    pems = [os.path.join(at, name) for at, _, names in os.walk(folder) for name in names if name.endswith('.pem')]
    tap.ok(len(pems) >= 4 and all(os.stat(path).st_mode & 0o777 == 0o600 and os.stat(path).st_uid == 0 for path in pems),
           'secrets are for root alone, whom no daemon is', pems)
    with open(folder + '/example.com/r1.pem', 'rb') as file:
        text = file.read().split(b'\n')[3]
    numbers = subprocess.run(['openssl', 'rsa', '-in', folder + '/example.com/r1.pem', '-noout', '-text'], capture_output=True,
                             check=True).stdout.decode()
    prime = bytes.fromhex(re.search(r'prime1:\n((?:\s+[0-9a-f:]+\n)+)', numbers).group(1).replace(':', '').replace(' ', '').replace('\n', ''))
    prime = prime.lstrip(b'\0')[:64]
    for name, pids in sorted(world.postern.children().items()):
        held = memory_holds(pids[0], [text, prime, prime[::-1][-64:]])
        tap.equal(held[0], False, f'{name} holds nothing of the file')
        if name.startswith('signer'):
            tap.ok(any(held[1:]), f'{name} is where the key is found')
        else:
            tap.equal(held[1:], [False, False], f'{name} holds nothing of the key')


def memory_holds(pid, needles):
    found = [False] * len(needles)
    with open(f'/proc/{pid}/maps') as maps, open(f'/proc/{pid}/mem', 'rb', 0) as memory:
        for line in maps:
            match = re.match(r'([0-9a-f]+)-([0-9a-f]+) rw', line)
            if not match:
                continue
            start, end = (int(part, 16) for part in match.groups())
            if end - start > 1 << 28:
                continue  # a sanitizer's shadow
            try:
                memory.seek(start)
                data = memory.read(end - start)
            except OSError:
                continue
            found = [was or needle in data for was, needle in zip(found, needles)]
    return found


def check_signer_dies(tap, world):
    answers, end = [], threading.Event()

    def flow(n):
        i = 0
        while not end.is_set():
            subject = f'flow {n} {i}'
            answers.append((world.put(message(subject=subject), port=world.proxy), subject))
            i += 1
    threads = [threading.Thread(target=flow, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    killed = []
    for _ in range(5):
        pid = wait_for(lambda: [p for p in world.postern.children().get('signer-0', []) if p not in killed], 20, 'a signer')[0]
        killed.append(pid)
        os.kill(pid, signal.SIGKILL)
        time.sleep(0.3)
    time.sleep(1)
    end.set()
    for thread in threads:
        thread.join()
    codes = {code for code, _ in answers}
    tap.ok(codes <= {250, 451} and len(answers) > 20, f'five times the signer was killed: each of {len(answers)} messages is taken or '
           'put off', codes)
    taken = [subject for code, subject in answers if code == 250]
    unsigned = [subject for subject in taken if len(fields(world.wait(subject), 'DKIM-Signature')) != 2]
    tap.equal(unsigned, [], 'and none of those taken is unsigned')
    good = all(world.dkimpy(world.wait(subject))[:2] == ['pass', 'pass'] for subject in taken[-3:])
    tap.ok(good, 'the last ones are signed well')
    # One that hangs: mail is put off; and taken again when it goes on.
    pid = world.postern.children()['signer-0'][0]
    os.kill(pid, signal.SIGSTOP)
    begun = time.monotonic()
    tap.equal(world.put(message(subject='hanging'), port=world.proxy), 451, 'the signer hangs: mail is put off')
    tap.equal(world.put(message(subject='hanging'), port=world.mx.port), 451, 'by the milter likewise')
    tap.equal(json.loads(world.rspamc(message(), '--json'))['action'], 'soft reject', 'rspamc is told to')
    tap.ok(time.monotonic() - begun < 30, 'within a while', time.monotonic() - begun)
    tap.equal(world.put(message(subject='not ours'), port=world.proxy, source='127.0.0.1'), 250, 'mail that needs no signature flows on')
    os.kill(pid, signal.SIGCONT)
    tap.equal(world.put(message(subject='hanging no more'), port=world.proxy), 250, 'and is taken when it goes on')
    world.postern.write(world.settings.replace('signing: {', 'signing: { failure: deliver,'))
    world.postern.cli('reload')
    wait_for(lambda: len(world.postern.children().get('gate-0', [])) == 1 and pid not in world.postern.children().get('signer-0', []), 30,
             'the new generation')
    os.kill(world.postern.children()['signer-0'][0], signal.SIGSTOP)
    tap.equal(world.put(message(subject='unsigned'), port=world.proxy), 250, 'signing.failure: deliver: it goes on')
    tap.equal(fields(world.wait('unsigned'), 'DKIM-Signature'), [], 'without a signature')
    tap.has(world.postern.log(), 'event=message.unsigned', 'and that is said')
    os.kill(world.postern.children()['signer-0'][0], signal.SIGCONT)


def main():
    need('postfix', 'openssl', 'rspamc', 'spamc')
    if os.geteuid() != 0:
        skip_all('Postfix needs root')
    if not have(PYTHON, '-c', 'import dkim, nacl'):
        skip_all('there is no dkimpy (python3-dkim, python3-nacl)')
    tap = Tap()
    world = World()
    world.perl = have('perl', '-MMail::DKIM::ARC::Verifier', '-e', '1')
    if not world.perl:
        tap.skip('Mail::DKIM', 'libmail-dkim-perl is not installed')
    check_signed(tap, world)
    check_who(tap, world)
    check_told(tap, world)
    signed = good_key(world)
    check_seal(tap, world, signed)
    check_told_seal(tap, world, signed)
    check_hidden_author(tap, world)
    check_secrets(tap, world)
    check_keys_change(tap, world)
    check_several_wait(tap, world)
    check_signer_dies(tap, world)
    tap.equal(world.postern.reports(), [], 'no sanitizer has anything to say')
    tap.equal(world.postern.stop(), 0, 'the daemons end')
    tap.done()


if __name__ == '__main__':
    main()
