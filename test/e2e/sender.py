#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Who really sent it: two domains, two Postfix instances and a DNS server in a network of the test's own.

mail.good.example is a Postfix at 192.0.2.10 whose mail is signed; mx.example.org is a Postfix with Postern as milter. At
198.51.100.20 sits whoever pretends to be somebody, and a forwarder. All of it in a network namespace of its own, so that
the addresses are real ones."""
import base64
import os
import re
import signal
import smtplib
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from dns_server import DnsServer  # noqa: E402
from lib import POSTERN, Postern, Postfix, Sink, Tap, free_port, message, need, send, skip_all, temp_dir, wait_for  # noqa: E402

GOOD, OTHER = '192.0.2.10', '198.51.100.20'
INSIDE = 'POSTERN_TEST_NETWORK'


def enter_network():
    """Runs this script again in a network that holds nothing but loopback and the addresses above."""
    if os.environ.get(INSIDE):
        for words in (['link', 'set', 'lo', 'up'], ['addr', 'add', GOOD + '/32', 'dev', 'lo'], ['addr', 'add', OTHER + '/32', 'dev', 'lo']):
            subprocess.run(['ip', *words], check=True)
        return
    if os.geteuid() != 0 or subprocess.run(['unshare', '--net', 'true'], capture_output=True).returncode != 0:
        skip_all('a network namespace needs root')
    os.execvpe('unshare', ['unshare', '--net', sys.executable, *sys.argv], dict(os.environ, **{INSIDE: '1'}))


def make_key(folder, name):
    """An RSA key in a file, and its DNS record."""
    path = os.path.join(folder, name)
    subprocess.run(['openssl', 'genpkey', '-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048', '-out', path], check=True,
                   capture_output=True)
    public = subprocess.run(['openssl', 'pkey', '-in', path, '-pubout', '-outform', 'DER'], check=True, capture_output=True).stdout
    return path, 'v=DKIM1; k=rsa; p=' + base64.b64encode(public).decode()


def fields(data, name):
    head = re.sub(r'\r\n[ \t]+', ' ', data.split(b'\r\n\r\n', 1)[0].decode('utf-8', 'replace'))
    return re.findall(rf'^{re.escape(name)}:[ \t]*(.*?)\r?$', head, re.M | re.I)


class World:
    def __init__(self):
        self.folder = temp_dir()
        self.key, record = make_key(self.folder, 'good.pem')
        self.list_key, list_record = make_key(self.folder, 'list.pem')
        self.dns = DnsServer({
            'good.example': {'TXT': [f'v=spf1 ip4:{GOOD} -all']},
            's1._domainkey.good.example': {'TXT': [record]},
            '_dmarc.good.example': {'TXT': ['v=DMARC1; p=reject; rua=mailto:dmarc@good.example']},
            'soft.example': {'TXT': [f'v=spf1 ip4:{GOOD} ~all']},
            'fail.example': {'TXT': [f'v=spf1 ip4:{GOOD} -all']},
            'wrong.example': {'TXT': ['v=spf1 ip4:300.1.1.1 -all']},
            'far.example': {'TXT': ['v=spf1 include:b.far.example -all']},
            'b.far.example': {'TXT': ['v=spf1 include:c.far.example ?all']},
            'c.far.example': {'TXT': ['v=spf1 a:d.far.example ?all']},
            'd.far.example': {'A': [GOOD]},
            'slow.example': {'TXT': ['v=spf1 -all'], 'timeout': True},
            '_dmarc.slow.example': {'timeout': True},
            'lists.forwarder.example': {'TXT': [f'v=spf1 ip4:{OTHER} -all']},
            's1._domainkey.lists.forwarder.example': {'TXT': [list_record]},
            's1._domainkey.lists.stranger.example': {'TXT': [list_record]},
        }).start()
        self.sink = Sink()
        self.milter = free_port()
        self.postern = Postern(f'''
milter: {{ listen: 127.0.0.1:{self.milter} }}
http: {{ listen: off }}
dns: {{ servers: ["{self.dns.address}"], timeout: 1s }}
auth: {{ authserv_id: mx.example.org, trusted_sealers: [lists.forwarder.example] }}
actions: {{ dmarc_reject: reject }}
''')
        self.mx = Postfix({'relay_transport': f'smtp:[127.0.0.1]:{self.sink.port}', 'smtpd_milters': f'inet:127.0.0.1:{self.milter}',
                           'milter_default_action': 'tempfail', 'mynetworks': '127.0.0.0/8'})
        self.good = Postfix({'myhostname': 'mail.good.example', 'relay_transport': f'smtp:[127.0.0.1]:{self.mx.port}',
                             'smtp_bind_address': GOOD, 'smtp_helo_name': 'mail.good.example'})

    def sign(self, text, *words):
        done = subprocess.run([POSTERN, 'sign', *words], input=text.encode() if isinstance(text, str) else text, capture_output=True,
                              timeout=30)
        if done.returncode != 0:
            raise RuntimeError(done.stderr.decode())
        return done.stdout

    def signed(self, **kwargs):
        return self.sign(message(**kwargs), 'dkim', '--domain', 'good.example', '--selector', 's1', '--key', self.key)

    def from_other(self, text, sender):
        """What the receiving Postfix says to the client at the other address."""
        with smtplib.SMTP('127.0.0.1', self.mx.port, 'mail.other.example', timeout=60, source_address=(OTHER, 0)) as smtp:
            smtp.ehlo()
            smtp.mail(sender)
            smtp.rcpt('bob@example.org')
            code, reply = smtp.data(text)
            return code, reply.decode()

    def delivered(self, subject):
        def found():
            with self.sink.lock:
                return [m['data'] for m in self.sink.messages if f'Subject: {subject}'.encode() in m['data']]
        return wait_for(found, 30, subject)[0]

    def results(self, subject):
        """Our Authentication-Results of the message delivered, and the evidence in its X-Postern."""
        data = self.delivered(subject)
        ours = [value for value in fields(data, 'Authentication-Results') if value.startswith('mx.example.org;')]
        return (ours[0] if len(ours) == 1 else f'{len(ours)} fields'), ' '.join(fields(data, 'X-Postern'))


def check_pass(tap, world):
    code, reply = send(world.good.port, world.signed(subject='honest', sender='alice@good.example'), sender='alice@good.example')
    tap.equal(code, 250, 'the other Postfix takes the signed message')
    results, evidence = world.results('honest')
    for part in ('spf=pass smtp.mailfrom=good.example', 'dkim=pass', 'header.d=good.example', 'header.s=s1', 'header.a=rsa-sha256',
                 'dmarc=pass (p=reject dis=none) header.from=good.example', 'arc=none'):
        tap.has(results, part, f'a signed message from its own server: {part}')
    tap.ok('DMARC' not in evidence and evidence.startswith('clean'), 'and nothing speaks against it', evidence)


def check_spf(tap, world):
    for domain, result, symbol in (('soft.example', 'softfail', 'SPF_SOFTFAIL'), ('fail.example', 'fail', 'SPF_FAIL'),
                                   ('wrong.example', 'permerror', 'SPF_INVALID'), ('slow.example', 'temperror', 'AUTH_TEMPORARY')):
        begin = time.monotonic()
        code, reply = world.from_other(message(subject=f'to {result}', sender='x@' + domain), 'x@' + domain)
        took = time.monotonic() - begin
        tap.equal(code, 250, f'{result}: mail flows on')
        results, evidence = world.results(f'to {result}')
        tap.has(results, f'spf={result}', f'{result}: told in Authentication-Results')
        tap.has(evidence, symbol, f'{result}: the evidence is {symbol}')
        tap.ok(took < 10, f'{result}: answered in time', took)


def check_ahead(tap, world):
    """From MAIL on the records of the sender are asked for, each of which names the next: before the message comes."""
    names = ['TXT far.example', 'TXT b.far.example', 'TXT c.far.example', 'A d.far.example']
    with smtplib.SMTP('127.0.0.1', world.mx.port, 'mail.other.example', timeout=60, source_address=(OTHER, 0)) as smtp:
        smtp.ehlo()
        smtp.mail('x@far.example')
        try:
            wait_for(lambda: all(world.dns.questions[name] for name in names), 5, 'the questions')
        except TimeoutError:
            pass
        tap.equal([name for name in names if not world.dns.questions[name]], [], 'all of SPF is asked for after MAIL')


def check_dmarc(tap, world):
    code, reply = world.from_other(message(subject='stolen', sender='alice@good.example'), 'x@fail.example')
    tap.equal(code, 550, 'DMARC: refused while the client is there')
    tap.has(reply, 'good.example', 'the reply names the domain')
    tap.has(reply, 'asks to reject', 'and says who wants it so')
    wait_for(lambda: world.postern.trace('--status', 'rejected', '--json'), 10, 'the trace')
    row = world.postern.trace('--status', 'rejected', '--json')[0]
    tap.equal((row.get('class'), row.get('status')), ('policy', 'rejected'), 'the trace has it')


def check_forwarded(tap, world):
    """A list that changes the subject and seals what it saw."""
    seen = 'Authentication-Results: {}; dkim=pass header.d=good.example; dmarc=pass header.from=good.example\r\n'
    for sealer, wanted in (('lists.forwarder.example', 250), ('lists.stranger.example', 550)):
        subject = f'by {sealer}'
        original = world.signed(subject=subject, sender='alice@good.example')
        changed = seen.format(sealer).encode() + original.replace(b'Subject: by', b'Subject: [list] by')
        sealed = world.sign(changed, 'arc', '--domain', sealer, '--selector', 's1', '--key', world.list_key, '--authserv-id', sealer,
                            '--dns', world.dns.address)
        code, reply = world.from_other(sealed, f'bounce@{sealer}')
        tap.equal(code, wanted, f'a message that {sealer} changed')
        if code == 250:
            results, evidence = world.results(f'[list] {subject}')
            tap.has(results, 'arc=pass header.oldest-pass=0 smtp.remote-ip=', 'the chain holds, and nobody changed the message since')
            tap.has(results, 'dmarc=fail', 'DMARC fails, and it is said so')
            tap.has(evidence, 'DMARC_EXPLAINED', 'and who explains it')


def check_borrowed_seal(tap, world):
    """A stranger seals a lie, and a trusted forwarder seals what it really saw on top."""
    lie = 'Authentication-Results: lists.stranger.example; dmarc=pass header.from=good.example\r\n'
    truth = ('Authentication-Results: lists.forwarder.example; dkim=pass header.d=evil.example; '
             'dmarc=fail header.from=good.example\r\n')
    text = (lie + message(subject='borrowed', sender='alice@good.example')).encode()
    for sealer, before in (('lists.stranger.example', b''), ('lists.forwarder.example', truth.encode())):
        text = world.sign(before + text, 'arc', '--domain', sealer, '--selector', 's1', '--key', world.list_key, '--authserv-id',
                          sealer, '--dns', world.dns.address)
    code, _ = world.from_other(text, 'bounce@lists.forwarder.example')
    tap.equal(code, 550, 'the seal of a trusted forwarder lends no truth to what stands before it')


def check_forged(tap, world):
    forged = ('Authentication-Results: mx.example.org; dmarc=pass header.from=bank.example\n'
              'Authentication-Results: mx.example.net; dkim=pass header.d=bank.example\n'
              'authentication-results: (x) MX.example.org 1; spf=pass\n')
    world.from_other(message(subject='forged', sender='x@soft.example', extra=forged), 'x@soft.example')
    data = world.delivered('forged')
    values = fields(data, 'Authentication-Results')
    tap.equal(len(values), 2, 'forged results in our name are removed, others stay')
    tap.ok(not any('bank.example' in value for value in values if 'mx.example.org' in value), 'only ours speak for us', values)
    tap.has(' '.join(fields(data, 'X-Postern')), 'AUTHRES_FORGED', 'and it is evidence')


def check_many_forged(tap, world):
    """Each removal makes a mail server search from the top: they are few, or the message is not taken."""
    line = 'Authentication-Results: mx.example.org; dmarc=pass header.from=bank.example\n'
    world.from_other(message(subject='many forged', sender='x@soft.example', extra=line * 100), 'x@soft.example')
    tap.equal(len(fields(world.delivered('many forged'), 'Authentication-Results')), 1, 'a hundred forged results are removed')
    code, reply = world.from_other(message(subject='too many forged', sender='x@soft.example', extra=line * 600), 'x@soft.example')
    tap.equal((code, 'too many fields' in reply), (554, True), 'six hundred are refused with their message')


def check_long_results(tap, world):
    """What a signature writes into its tags makes no line longer than RFC 5322 allows."""
    tags = '; '.join(f'{tag}=' + '"' * 600 for tag in 'adsi')
    extra = f'DKIM-Signature: v=1; {tags}; h=from; bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; b=AAAA\n'
    world.from_other(message(subject='long tags', sender='x@soft.example', extra=extra), 'x@soft.example')
    data = world.delivered('long tags')
    ours = [value for value in fields(data, 'Authentication-Results') if value.startswith('mx.example.org;')]
    tap.ok(len(ours) == 1 and '\\"' * 400 in ours[0] and 'spf=softfail' in ours[0], 'long tags are told whole', ours)
    world.from_other(message(subject='many tags', sender='x@soft.example', extra=extra * 90), 'x@soft.example')
    ours = [value for value in fields(world.delivered('many tags'), 'Authentication-Results') if value.startswith('mx.example.org;')]
    tap.ok(len(ours) == 1 and all(part in ours[0] for part in ('spf=softfail', 'arc=none', 'dmarc=')) and len(ours[0]) < 22000,
           'many signatures do not push out the other results', ours)
    longest = max(len(line) for line in data.split(b'\r\n\r\n', 1)[0].split(b'\r\n') if b'DKIM-Signature' not in line and b'h=from' not in line)
    tap.ok(longest <= 998, 'in lines of at most 998 bytes', longest)


def check_resolver_dies(tap, world):
    before = world.postern.children()['resolver-0'][0]
    os.kill(before, signal.SIGKILL)
    code, reply = world.from_other(message(subject='meanwhile', sender='x@soft.example'), 'x@soft.example')
    tap.equal(code, 250, 'the resolver is killed: mail flows on')
    world.delivered('meanwhile')
    wait_for(lambda: world.postern.children().get('resolver-0', [before])[0] != before, 10, 'another resolver')

    def answers():
        subject = f'after {time.time_ns()}'
        world.from_other(message(subject=subject, sender='x@soft.example'), 'x@soft.example')
        return 'spf=softfail' in world.results(subject)[0]
    tap.ok(wait_for(answers, 10, 'answers again'), 'and the next one answers')
    tap.has(world.postern.log(), 'event=process.died', 'which the log says')


def check_dns_gone(tap, world):
    """Nobody answers any more: what is known serves on, the rest is temporary, said once and counted."""
    before = world.postern.log().count('event=dns.failing')
    world.dns.stop()
    for i in range(3):
        domain = f'new{i}.example'
        code, reply = world.from_other(message(subject=f'unknown {i}', sender='x@' + domain), 'x@' + domain)
        tap.equal(code, 250, f'no DNS: mail {i} flows on')
        tap.has(world.results(f'unknown {i}')[0], 'spf=temperror', f'no DNS: mail {i} says so')
    # A dead DNS delays a few messages, not all: after ten questions without an answer nobody waits any more.
    for i in range(3, 9):
        begin = time.monotonic()
        world.from_other(message(subject=f'unknown {i}', sender=f'x@new{i}.example'), f'x@new{i}.example')
        last = time.monotonic() - begin
    tap.ok(last < 0.9, 'no DNS: then nobody waits', last)
    wait_for(lambda: world.postern.log().count('event=dns.failing') > before, 10, 'the log')
    tap.equal(world.postern.log().count('event=dns.failing'), before + 1, 'the log says it once')


def main():
    need('unshare', 'ip', 'openssl', 'postfix')
    enter_network()
    tap = Tap()
    world = World()
    for check in (check_pass, check_spf, check_ahead, check_dmarc, check_forwarded, check_borrowed_seal, check_forged, check_many_forged, check_long_results,
                  check_resolver_dies, check_dns_gone):
        try:
            check(tap, world)
        except Exception:  # noqa: BLE001
            import traceback
            tap.ok(False, f'{check.__name__} went through', traceback.format_exc() + world.postern.log()[-3000:])
    tap.equal(world.postern.stop(), 0, 'the daemons end well')
    tap.equal(world.postern.reports(), [], 'no sanitizer speaks')
    tap.done()


if __name__ == '__main__':
    main()
