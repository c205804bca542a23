#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Mail through real Postfix: Postern as milter (TCP and unix socket) and as before-queue SMTP proxy.

Two Posterns stand behind one Postfix. `main` has the actions of a new installation and its proxy goes on to a second
smtpd, as the manual describes; `strict` has other actions, and its proxy goes on to the sink, which can refuse.
"""
import base64
import os
import re
import shutil
import smtplib
import socket
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from lib import (EICAR, GTUBE, POSTERND, Postern, Postfix, Sink, Tap, free_port, message, need, send, skip_all,  # noqa: E402
                 wait_for)

MALWARE = ('MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="cut"\n',
           '--cut\nContent-Type: text/plain\n\nSee the attachment.\n--cut\nContent-Type: application/octet-stream\n'
           'Content-Transfer-Encoding: base64\nContent-Disposition: attachment; filename="game.com"\n\n'
           + base64.b64encode(EICAR.encode()).decode() + '\n--cut--\n')
FORGED = 'X-Postern: clean (0.0000);\n\tid=0000000000000000\nx-postern: clean (0.0001); id=1\n'


def malware(**kwargs):
    return message(extra=MALWARE[0], body=MALWARE[1], **kwargs)


def fields(data, name):
    """All values of that header field, unfolded."""
    head = data.split(b'\r\n\r\n', 1)[0].decode('utf-8', 'replace')
    head = re.sub(r'\r\n[ \t]+', ' ', head)
    return re.findall(rf'^{re.escape(name)}:[ \t]*(.*?)\r?$', head, re.M | re.I)


def mark_id(data):
    """The id of the one X-Postern field, or '' when there is not exactly one."""
    marks = fields(data, 'X-Postern')
    found = re.search(r'id=(\w{16})$', marks[0]) if len(marks) == 1 else None
    return found.group(1) if found else ''


class Raw:
    """A client that sends bytes as they are."""

    def __init__(self, port):
        self.sock = socket.create_connection(('127.0.0.1', port), timeout=20)
        self.file = self.sock.makefile('rb')

    def reply(self):
        lines = []
        while True:
            line = self.file.readline().decode('utf-8', 'replace').rstrip('\r\n')
            lines.append(line)
            if line[3:4] != '-':
                return '\n'.join(lines)

    def say(self, text, replies=1):
        self.sock.sendall(text if isinstance(text, bytes) else text.encode())
        return [self.reply() for _ in range(replies)]

    def close(self):
        self.file.close()
        self.sock.close()


class House:
    """The instances of this test."""

    def __init__(self):
        self.sink = Sink()
        self.main_milter, self.main_smtp, self.strict_smtp, self.back = (free_port() for _ in range(4))
        self.main_proxied, self.strict_proxied, self.over_unix = (free_port() for _ in range(3))
        self.entry = free_port()
        self.main = Postern(f'''
milter: {{ listen: 127.0.0.1:{self.main_milter} }}
http: {{ listen: off }}
smtp: {{ listen: 127.0.0.1:{self.main_smtp}, next_hop: 127.0.0.1:{self.back} }}
quarantine: {{ release_to: 127.0.0.1:{self.entry} }}
''')
        self.strict = Postern(start=False)
        # A socket belongs to the owner and group of its folder: so is it made for Postfix.
        os.mkdir(self.strict.dir + '/postfix', 0o755)
        shutil.chown(self.strict.dir + '/postfix', group='postfix')
        self.socket = self.strict.dir + '/postfix/milter'
        self.strict.write(f'''
milter: {{ listen: "unix:{self.socket}" }}
http: {{ listen: off }}
smtp: {{ listen: 127.0.0.1:{self.strict_smtp}, next_hop: 127.0.0.1:{self.sink.port} }}
limits: {{ message_size: 1M }}
actions: {{ spam: reject, malware: reject, subject_tag: "[SPAM] " }}
recipients:
  - {{ match: ["tag@example.org"], spam: tag, malware: tag }}
  - {{ match: ["*@take.example.org"], spam: deliver, malware: deliver }}
  - {{ match: ["hold@example.org"], spam: quarantine }}
  - {{ match: ["drop@example.org"], spam: discard }}
  - {{ match: ["later@example.org"], spam: tempfail }}
''')
        self.strict.start()
        proxied = ('127.0.0.1:{} inet n - n - - smtpd -o smtpd_milters= -o smtpd_proxy_filter=127.0.0.1:{} '
                   '-o smtpd_proxy_options=\n')
        self.postfix = Postfix(
            {'relay_transport': f'smtp:[127.0.0.1]:{self.sink.port}', 'relay_domains': 'example.org, take.example.org',
             'smtpd_milters': f'inet:127.0.0.1:{self.main_milter}', 'milter_default_action': 'tempfail',
             'smtpd_forbid_bare_newline': 'yes', 'smtpd_forbid_bare_newline_exclusions': ''},
            master=proxied.format(self.main_proxied, self.main_smtp)
            + proxied.format(self.strict_proxied, self.strict_smtp)
            + f'127.0.0.1:{self.over_unix} inet n - n - - smtpd -o smtpd_milters=unix:{self.socket}\n'
            + f'127.0.0.1:{self.entry} inet n - n - - smtpd\n'
            + f'127.0.0.1:{self.back} inet n - n - - smtpd -o smtpd_milters= '
              '-o smtpd_authorized_xforward_hosts=127.0.0.0/8\n')
        for port in (self.main_proxied, self.strict_proxied, self.over_unix, self.entry, self.back):
            smtplib.SMTP('127.0.0.1', port, timeout=20).quit()

    def delivered(self, token, n=1):
        """The n messages at the sink that hold the token; raises when they do not come."""
        def found():
            with self.sink.lock:
                hits = [m for m in self.sink.messages if token.encode() in m['data']]
            return hits if len(hits) >= n else None
        return wait_for(found, 20, f'{token} at the sink')

    def absent(self, token):
        return not [m for m in self.sink.messages if token.encode() in m['data']]

    def traced(self, postern, *words):
        return wait_for(lambda: postern.trace(*words), 10, f'trace {words}')


def check_clean(tap, house):
    for name, port, postern in (('milter over TCP', house.postfix.port, house.main),
                                ('milter over a unix socket', house.over_unix, house.strict),
                                ('proxy', house.main_proxied, house.main),
                                ('proxy without Postfix behind', house.strict_proxied, house.strict)):
        token = f'clean-{port}'
        code, text = send(port, message(subject=token, extra=FORGED), helo='there.example.com')
        tap.equal(code, 250, f'{name}: clean mail is accepted')
        got = house.delivered(token)
        tap.equal(len(got), 1, f'{name}: it is delivered once')
        ident = mark_id(got[0]['data'])
        tap.ok(ident, f'{name}: one X-Postern field, the forged ones are gone', fields(got[0]['data'], 'X-Postern'))
        rows = house.traced(postern, ident) if ident else [{}]
        seen = {key: rows[0].get(key) for key in ('id', 'status', 'class', 'from', 'subject', 'helo', 'client_ip')}
        tap.equal(seen, {'id': ident, 'status': 'delivered', 'class': 'clean', 'from': 'alice@example.com',
                         'subject': token, 'helo': 'there.example.com', 'client_ip': '127.0.0.1'},
                  f'{name}: postern trace knows the id')
        tap.equal(got[0]['data'].split(b'\r\n\r\n', 1)[1], b'Good morning.\r\n', f'{name}: the text is as it was')


def check_held(tap, house):
    for name, port in (('milter', house.postfix.port), ('proxy', house.main_proxied)):
        for kind, text in (('spam', message(subject=f'gtube-{port}', body=GTUBE + '\n')),
                           ('malware', malware(subject=f'eicar-{port}'))):
            subject = f'{"gtube" if kind == "spam" else "eicar"}-{port}'
            code, reply = send(port, text)
            tap.equal(code, 250, f'{name}: {kind} is taken into quarantine')
            row = house.traced(house.main, '--subject', subject)[0]
            tap.equal((row['status'], row['class']), ('quarantined', kind), f'{name}: trace calls it quarantined {kind}')
            listed = house.main.cli('quarantine', 'list', '--subject', subject)
            tap.has(listed.stdout, row['id'], f'{name}: the quarantine lists the {kind}')
            tap.ok(house.absent(subject), f'{name}: the {kind} did not reach the sink')


def check_rejected(tap, house):
    for name, port in (('milter', house.over_unix), ('proxy', house.strict_proxied)):
        code, text = send(port, message(subject=f'reject-{port}', body=GTUBE + '\n'))
        found = re.search(r'\((\w{16})\)', text)
        tap.ok(code == 550 and 'GTUBE' in text and found, f'{name}: spam is refused with the reason and an id',
               (code, text))
        row = house.traced(house.strict, found.group(1) if found else '-')[0]
        tap.equal((row['status'], row['subject']), ('rejected', f'reject-{port}'), f'{name}: trace finds that id')
        code, text = send(port, message(subject=f'later-{port}', body=GTUBE + '\n'), recipients=('later@example.org',))
        tap.ok(code == 451 and 'put off' in text, f'{name}: tempfail asks to come again, and does not say that we are ill', (code, text))


def check_tagged(tap, house):
    for name, port in (('milter', house.over_unix), ('proxy', house.strict_proxied)):
        token = f'tag-{port}'
        code, _ = send(port, message(subject=token, body=GTUBE + '\n'), recipients=('tag@example.org',))
        got = house.delivered(token)
        tap.equal((code, fields(got[0]['data'], 'Subject')), (250, ['[SPAM] ' + token]), f'{name}: the subject is tagged')
        ident = mark_id(got[0]['data'])
        tap.ok(ident and fields(got[0]['data'], 'X-Postern')[0].startswith('spam ('), f'{name}: the field says spam')
        tap.equal(house.traced(house.strict, ident)[0]['status'], 'tagged', f'{name}: trace says tagged')
        # RFC 2047 subjects stay decodable behind the tag; a message without a subject gets one.
        send(port, message(subject='=?utf-8?b?6KuL5rGC5pu4?=', body=f'{GTUBE}\nwords-{port}\n'), recipients=('tag@example.org',))
        tap.equal(fields(house.delivered(f'words-{port}')[0]['data'], 'Subject'), ['[SPAM] =?utf-8?b?6KuL5rGC5pu4?='],
                  f'{name}: an encoded subject stays so')
        bare = message(body=f'{GTUBE}\nbare-{port}\n').replace('Subject: Hello\r\n', '')
        send(port, bare, recipients=('tag@example.org',))
        tap.equal([s.strip() for s in fields(house.delivered(f'bare-{port}')[0]['data'], 'Subject')], ['[SPAM]'],
                  f'{name}: a missing subject becomes the tag')


def check_fates(tap, house):
    """Recipients whose fates differ."""
    everyone = ('bob@example.org', 'tag@example.org', 'ann@take.example.org', 'hold@example.org', 'drop@example.org')
    for name, port in (('milter', house.over_unix), ('proxy', house.strict_proxied)):
        token = f'fates-{port}'
        code, text = send(port, message(subject=token, body=GTUBE + '\n'), recipients=everyone)
        tap.equal(code, 250, f'{name}: a message with many fates is accepted')
        got = {}
        expected = 1 if name == 'milter' else 2
        for m in house.delivered(token, expected):
            for to in m['to']:
                got.setdefault(to, []).append(fields(m['data'], 'Subject')[0])
        if name == 'milter':
            # Postfix delivers a message of two domains by one relay in one transaction or in two.
            wait_for(lambda: sum(len(m['to']) for m in house.delivered(token)) >= 2, 20, 'both recipients')
            got = {to: fields(m['data'], 'Subject') for m in house.delivered(token) for to in m['to']}
            tap.equal(got, {'tag@example.org': [token], 'ann@take.example.org': [token]},
                      'milter: the other recipients are taken out, the subject stays for who wants it so')
        else:
            tap.equal(got, {'tag@example.org': ['[SPAM] ' + token], 'ann@take.example.org': [token]},
                      'proxy: one transaction for each fate, each with its own subject')
        row = house.traced(house.strict, '--subject', token)[0]
        fates = {r['address']: r['fate'] for r in row['recipients']}
        tap.equal({a: fates.get(a) for a in everyone if a != 'ann@take.example.org'},
                  {'bob@example.org': 'quarantine', 'tag@example.org': 'tag', 'hold@example.org': 'quarantine',
                   'drop@example.org': 'discard'}, f'{name}: the trace has the fate of each')
        item = house.strict.cli('quarantine', 'list', '--json', '--subject', token).stdout
        tap.ok('bob@example.org' in item and 'hold@example.org' in item and 'drop@' not in item and 'tag@' not in item,
               f'{name}: the quarantine holds it for those it is held for', item)


def check_next_hop(tap, house):
    """The next hop's word is the client's word."""
    sink, port = house.sink, house.strict_smtp

    def refuse(stage, reply, token):
        sink.answer = lambda at, what: reply if at == stage and (
            token.encode() in what if isinstance(what, bytes) else token in what) else None
    try:
        refuse('RCPT', '550 5.1.1 no such user here', 'nobody@')
        with smtplib.SMTP('127.0.0.1', port, timeout=20) as smtp:
            smtp.ehlo()
            smtp.mail('alice@example.com')
            tap.equal(smtp.rcpt('nobody@example.org'), (550, b'5.1.1 no such user here'), 'a refused recipient is relayed')
            tap.equal(smtp.rcpt('bob@example.org')[0], 250, 'and the next one still accepted')
            tap.equal(smtp.data(message(subject='one-of-two'))[0], 250, 'the message goes to the one')
        tap.equal(house.delivered('one-of-two')[0]['to'], ['bob@example.org'], 'and to nobody else')
        tap.equal(send(port, message(), recipients=('nobody@example.org',))[0], 550, 'only a refused recipient')
        tap.ok(wait_for(lambda: [r for r in house.strict.trace('--status', 'refused') if 'no such user' in r['reason']], 10,
                        'its trace'), 'the trace says why it was refused')
        refuse('MAIL', '451 4.7.0 not now', 'grey@')
        tap.equal(send(port, message(), sender='grey@example.com'), (451, '4.7.0 not now'), 'a refused sender is relayed')
        for reply in ('452 4.3.1 no room', '554 5.6.0 not this one'):
            refuse('DATA', reply, 'at-data')
            code, text = send(port, message(subject='at-data'))
            tap.equal(f'{code} {text}', reply, f'{reply[:3]} of the next hop after the message is the answer')
        tap.ok(house.absent('at-data'), 'nothing of it was delivered')
        rows = house.traced(house.strict, '--subject', 'at-data')
        tap.equal(sorted(r['status'] for r in rows), ['deferred', 'rejected'], 'the trace does not call that delivered')
        # No 250 before the next hop said so: while it thinks, the client hears nothing.
        import threading
        gate, seen = threading.Event(), []
        sink.answer = lambda at, what: (gate.wait(20), None)[1] if at == 'DATA' and b'slowly' in what else None
        worker = threading.Thread(target=lambda: seen.append(send(port, message(subject='slowly'))), daemon=True)
        worker.start()
        worker.join(0.7)
        tap.ok(worker.is_alive() and not seen, 'no answer while the next hop has not answered', seen)
        gate.set()
        worker.join(20)
        tap.ok(seen and seen[0][0] == 250, 'then its 250 is passed on', seen)
        # A refusal at the second group: it is kept, not lost, and not delivered twice.
        sink.answer = lambda at, what: '451 4.3.0 second one fails' if at == 'DATA' and b'[SPAM] half' in what else None
        code, _ = send(port, message(subject='half', body=GTUBE + '\n'), recipients=('ann@take.example.org', 'tag@example.org'))
        house.traced(house.strict, '--subject', 'half')
        item = house.strict.cli('quarantine', 'list', '--json', '--subject', 'half').stdout
        tap.ok(code == 250 and 'tag@example.org' in item and 'ann@' not in item and len(house.delivered('half')) == 1,
               'a group that the next hop refuses after another took the message is kept in quarantine', (code, item))
    finally:
        sink.answer = lambda stage, what: None
    with smtplib.SMTP('127.0.0.1', port, timeout=20) as smtp:
        smtp.ehlo()
        smtp.mail('alice@example.com')
        smtp.rcpt('bob@example.org')
        tap.equal(smtp.data(message(subject='after-it'))[0], 250, 'afterwards mail flows')


def check_extensions(tap, house):
    port = house.strict_smtp
    with smtplib.SMTP('127.0.0.1', port, timeout=20) as smtp:
        smtp.ehlo()
        have = set(smtp.esmtp_features)
        tap.ok({'pipelining', 'size', '8bitmime', 'smtputf8', 'dsn', 'enhancedstatuscodes', 'xforward'} <= have,
               'EHLO names what the next hop can, too', have)
        smtp.mail('jürgen@example.com', ['BODY=8BITMIME', 'SMTPUTF8', 'RET=HDRS', 'ENVID=abc+3D'])
        smtp.rcpt('иван@example.org', ['NOTIFY=SUCCESS,FAILURE', 'ORCPT=rfc822;ivan@example.org'])
        code, _ = smtp.data(message(subject='Grüße-utf8', body='Grüß Gott, 8 bits.\n').encode())
    got = house.delivered('Grüße-utf8')[0]
    commands = '\n'.join(house.sink.commands)
    tap.ok(code == 250 and 'SMTPUTF8' in got['params'] and 'BODY=8BITMIME' in got['params'] and
           'RET=HDRS' in got['params'] and 'ENVID=abc+3D' in got['params'], 'parameters of MAIL are passed on', got['params'])
    tap.ok(got['from'] == 'jürgen@example.com' and got['to'] == ['иван@example.org'], 'addresses in UTF-8 as well', got)
    tap.ok('NOTIFY=SUCCESS,FAILURE' in commands and 'ORCPT=rfc822;ivan@example.org' in commands,
           'parameters of RCPT are passed on')
    tap.has(got['data'], 'Grüß Gott, 8 bits.\r\n'.encode(), 'eight bits stay eight bits')
    row = house.traced(house.strict, '--recipient', 'иван@example.org')[0]
    tap.equal(row['from'], 'jürgen@example.com', 'the trace finds the address in UTF-8')
    raw = Raw(port)
    raw.reply()
    text = message(subject='pipelined', body='..two dots\n.one dot\n...\n').replace('\r\n.', '\r\n..')
    replies = raw.say('EHLO raw.example.com\r\nMAIL FROM:<alice@example.com>\r\nRCPT TO:<bob@example.org>\r\n'
                      'RCPT TO:<ann@take.example.org>\r\nDATA\r\n', 5)
    tap.equal([r.splitlines()[-1][:3] for r in replies], ['250', '250', '250', '250', '354'], 'a pipelined envelope is answered in order')
    replies = raw.say(text + '.\r\nMAIL FROM:<second@example.com>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\n', 4)
    tap.equal([r[:3] for r in replies], ['250', '250', '250', '354'], 'the next message may follow at once')
    tap.equal(raw.say('Subject: second-piped\r\n\r\nx\r\n.\r\nQUIT\r\n', 2)[0][:3], '250', 'it is accepted too')
    raw.close()
    got = house.delivered('pipelined')[0]
    tap.ok(got['data'].endswith(b'\r\n\r\n..two dots\r\n.one dot\r\n...\r\n'), 'leading dots arrive as they were', got['data'])
    house.delivered('second-piped')
    code, text = send(port, message(subject='too-large', body='x' * 70 + '\n') + ('y' * 70 + '\r\n') * 16000)
    tap.equal(code, 552, 'a message over the limit is refused with 552')
    with smtplib.SMTP('127.0.0.1', port, timeout=20) as smtp:
        smtp.ehlo()
        tap.equal(smtp.mail('alice@example.com', ['SIZE=2000000'])[0], 552, 'and at once when it says its size')


def check_next_hop_without(tap, house):
    """A next hop that knows fewer extensions, and clients that say for whom they speak at the wrong time."""
    keywords, house.sink.keywords = house.sink.keywords, ('sink', 'XFORWARD NAME ADDR PROTO HELO')
    raw = Raw(house.strict_smtp)
    raw.reply()
    raw.say('EHLO raw.example.com\r\n')
    seen = len(house.sink.commands)
    tap.equal(raw.say('MAIL FROM:<alice@example.com> SIZE=2000 BODY=BINARYMIME\r\n')[0][:3], '501', 'BINARYMIME, which goes by BDAT alone, is refused')
    tap.equal(raw.say('MAIL FROM:<alice@example.com> SIZE=2000 BODY=7BIT\r\n')[0][:3], '250', 'SIZE, which we offer, is taken')
    tap.equal(house.sink.commands[seen:], ['MAIL FROM:<alice@example.com> BODY=7BIT'], 'and not passed to a next hop that does not know it')
    tap.equal([r[:3] for r in raw.say('XFORWARD NAME=x\r\nXCLIENT ADDR=192.0.2.1\r\n', 2)], ['503', '503'], 'nobody changes who sends inside a transaction')
    tap.equal(raw.say('RCPT TO:<bob@example.org>\r\n')[0][:3], '250', 'which goes on')
    raw.say('EHLO raw.example.com\r\n')
    seen = len(house.sink.commands)
    tap.equal(raw.say('XFORWARD NAME=x.example ADDR=192.0.2.1\r\n')[0][:3], '250', 'between two it can be said')
    tap.equal(house.sink.commands[seen:], ['RSET', 'XFORWARD NAME=x.example ADDR=192.0.2.1'], 'to the next hop when it is out of the old one')
    tap.equal([r[:3] for r in raw.say('XCLIENT ADDR=999.1.1.1\r\nXCLIENT ADDR\r\nXCLIENT HELO=+1\r\n', 3)], ['501'] * 3, 'attributes without sense are refused')
    raw.close()
    house.sink.keywords = keywords


def check_smuggling(tap, house):
    """Ends of data that some servers take for one: none of them may make two messages of one."""
    # Postfix itself takes a bare LF for a line end unless told otherwise; it is told so.
    inner = b'MAIL FROM:<smuggler@example.com>\r\nRCPT TO:<victim@example.org>\r\nDATA\r\nSubject: smuggled\r\n\r\ngotcha\r\n.\r\n'
    for name, port, end in [(n, p, e) for n, p in (('proxy', house.strict_smtp), ('proxy behind Postfix', house.main_proxied))
                            for e in (b'\n.\n', b'\n.\r\n', b'\r\n.\n', b'\r.\r', b'\r\n.\r', b'\r.\r\n', b'\r\n\0.\r\n')]:
        raw = Raw(port)
        raw.reply()
        raw.say('EHLO raw.example.com\r\n')
        raw.say('MAIL FROM:<alice@example.com>\r\n')
        raw.say('RCPT TO:<bob@example.org>\r\n')
        raw.say('DATA\r\n')
        raw.sock.sendall(b'Subject: outer-' + end.hex().encode() + b'\r\n\r\nhello' + end + inner)
        raw.reply()
        raw.close()
        with house.sink.lock:
            smuggled = [m for m in house.sink.messages if 'smuggler' in m['from'] or 'victim@example.org' in m['to']]
        tap.ok(not smuggled, f'{name}: {end!r} does not end a message', smuggled)
    with house.sink.lock:
        bare = [m for m in house.sink.messages if b'Subject: outer-' in m['data'] and b'X-Postern' in m['data']
                and re.search(rb'(?<!\r)\n|\r(?!\n)', m['data']) and b'Received' not in m['data']]
    tap.ok(not bare, 'the proxy passes no bare CR or LF on', [m['data'] for m in bare])


def check_large(tap, house):
    """Messages that no buffer of the kernel holds, to a next hop that is slow, and to one that answers too early."""
    sink, port, megabytes = Sink(), free_port(), 20
    proxy = Postern(f'smtp: {{ listen: 127.0.0.1:{port}, next_hop: 127.0.0.1:{sink.port} }}\n'
                    'http: {listen: off}\nlimits: { message_size: 64M }\n')
    line = ('.' + 'dots and words ' * 4 + '\n') * 15 + '..\n\n'
    body = line * (megabytes * 1000000 // (len(line) + 17))
    text = message(subject='large', body=body)
    wire = text.replace('\r\n.', '\r\n..')

    def pss():
        total = 0
        for role, pids in proxy.children().items():
            for pid in pids if role.startswith('gate') else []:
                with open(f'/proc/{pid}/smaps_rollup') as file:
                    total += int(re.search(r'^Pss: *(\d+)', file.read(), re.M).group(1))
        return total

    def hand_over():
        raw = Raw(port)
        raw.reply()
        raw.say('EHLO raw.example.com\r\nMAIL FROM:<alice@example.com>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\n', 4)
        raw.sock.sendall(wire.encode() + b'.\r\n')
        return raw

    before = pss()
    sink.slow.clear()
    clients = [hand_over() for _ in range(4)]
    wait_for(lambda: sum(c == 'DATA' for c in sink.commands) == len(clients), 60, 'DATA at the next hop')
    held = pss() - before
    # A sanitizer keeps what was freed, and shadows the rest.
    sanitized = b'__asan_init' in open(POSTERND, 'rb').read()
    tap.ok(sanitized or held < 8000, f'{len(clients)} messages of {megabytes} MB wait for the next hop outside of the gate', held)
    sink.slow.set()
    tap.equal([c.reply()[:3] for c in clients], ['250'] * len(clients), 'they are accepted when it has them')
    head, rest = text.encode().split(b'\r\n\r\n', 1)
    tap.ok(all(m['data'].endswith(head + b'\r\n\r\n' + rest) for m in sink.wait(len(clients))), 'and arrive to the last byte')
    for reply, code in (('552 5.3.4 Too much', '552'), ('250 2.0.0 Whatever', '451')):
        sink.early = reply
        raw = hand_over()
        tap.equal(raw.reply()[:3], code, f'a next hop that says {reply[:3]} before it has read all has not taken it')
        raw.close()
        seen = wait_for(lambda: sink.unread and sink.unread.pop(), 20, 'the end of the connection')
        tap.ok(not seen.endswith(b'.\r\n') and b'RSET' not in seen[-1000:], 'nothing more is said to it', seen[-100:])
    for client in clients:
        client.close()
    tap.equal((proxy.stop(), proxy.reports()), (0, []), 'this one ends well, too')
    sink.close()


def check_quarantine(tap, house):
    for name, port in (('milter', house.postfix.port), ('proxy', house.main_proxied)):
        token = f'release-{port}'
        send(port, message(subject=token, body=GTUBE + '\n'))
        ident = house.traced(house.main, '--subject', token)[0]['id']
        shown = house.main.cli('quarantine', 'show', ident)
        tap.ok(shown.returncode == 0 and GTUBE in shown.stdout and token in shown.stdout, f'{name}: show shows it', shown)
        raw = house.main.cli('quarantine', 'show', '--raw', ident)
        tap.ok(GTUBE in raw.stdout and raw.stdout.count('Subject:') == 1, f'{name}: show --raw writes the message', raw)
        released = house.main.cli('quarantine', 'release', ident)
        tap.equal(released.returncode, 0, f'{name}: release succeeds')
        got = house.delivered(token)
        tap.ok(len(got) == 1 and mark_id(got[0]['data']) and not fields(got[0]['data'], 'X-Postern-Release'),
               f'{name}: it arrives though the filter saw it again, without the mark', got)
        row = house.traced(house.main, mark_id(got[0]['data']))[0]
        tap.equal((row['status'], row['release_of']), ('delivered', ident), f'{name}: trace ties it to what was held')
        listed = house.main.cli('quarantine', 'list', '--json', '--subject', token).stdout
        tap.has(listed, '"state":"released"', f'{name}: it is marked released')
    # Marks that were not given out, or were for another message.
    for n, mark in enumerate(('v1 ' + ident + ' ' + '0' * 32, 'v1 0000000000000000 ' + 'f' * 32, 'v1', ident)):
        token = f'forged-{n}'
        send(house.postfix.port, message(subject=token, body=GTUBE + '\n', extra=f'X-Postern-Release: {mark}\n'))
        row = house.traced(house.main, '--subject', token)[0]
        tap.equal((row['status'], row['release_of']), ('quarantined', ''), f'a forged release mark does not help ({mark[:22]})')
    send(house.postfix.port, message(subject='clean-mark', extra='X-Postern-Release: v1 a b\n'))
    tap.equal(fields(house.delivered('clean-mark')[0]['data'], 'X-Postern-Release'), [], 'such marks are not passed on')
    item = house.traced(house.main, '--subject', 'forged-0')[0]['id']
    tap.equal(house.main.cli('quarantine', 'delete', '--yes', item).returncode, 0, 'delete succeeds')
    tap.equal(house.main.cli('quarantine', 'show', item).returncode, 1, 'what was deleted is gone')
    tap.equal(house.main.cli('quarantine', 'release', item).returncode, 1, 'and cannot be released')


def check_trace(tap, house):
    for name, port, front in (('milter', house.postfix.port, 'milter'), ('proxy', house.main_smtp, 'smtp')):
        with smtplib.SMTP('127.0.0.1', port, local_hostname='aborter.example.com', timeout=20) as smtp:
            smtp.ehlo()
            smtp.mail(f'aborts-{front}@example.com')
            smtp.rcpt('bob@example.org')
        row = house.traced(house.main, '--sender', f'aborts-{front}@example.com')[0]
        tap.equal((row['status'], row['frontend'], row['recipients'][0]['address']), ('aborted', front, 'bob@example.org'),
                  f'{name}: a session that ended before DATA is traced')
    code, _ = send(house.main_proxied, message(subject='=?iso-2022-jp?B?'
                                               + base64.b64encode('請求書の件'.encode('iso2022_jp')).decode() + '?='))
    row = house.traced(house.main, '--subject', '請求')[0]
    tap.equal((code, row['subject']), (250, '請求書の件'), 'two Japanese characters find a subject')
    tap.equal(house.main.cli('trace', '--subject', '電気').returncode, 1, 'and others do not')
    tap.ok(house.main.trace('--status', 'refused'), 'sessions without a message are there')


def check_tools(tap, house):
    """Debian's own clients."""
    done = subprocess.run(['swaks', '--server', f'127.0.0.1:{house.postfix.port}', '--from', 'alice@example.com', '--to',
                           'bob@example.org', '--helo', 'swaks.example.com', '--header', 'Subject: swaks-clean',
                           '--attach-body', 'hello'], capture_output=True, text=True, timeout=60)
    tap.equal(done.returncode, 0, 'swaks through the milter')
    tap.ok(mark_id(house.delivered('swaks-clean')[0]['data']), 'its message arrives with the field')
    done = subprocess.run(['swaks', '--server', f'127.0.0.1:{house.strict_smtp}', '--from', 'alice@example.com', '--to',
                           'bob@example.org', '--helo', 'swaks.example.com', '--body', GTUBE, '--pipeline'],
                          capture_output=True, text=True, timeout=60)
    tap.ok(done.returncode == 26 and '550 5.7.1' in done.stdout, 'swaks sees the refusal of the proxy',
           (done.returncode, done.stdout[-1500:]))
    with house.sink.lock:
        before = len(house.sink.messages)
    n = 1000
    for name, port in (('milter', house.postfix.port), ('proxy', house.main_proxied)):
        done = subprocess.run(['smtp-source', '-s', '20', '-m', str(n), '-l', '2000', '-f', f'load-{name}@example.com', '-t',
                               'load@example.org', f'127.0.0.1:{port}'], capture_output=True, text=True, timeout=120,
                              env=dict(os.environ, PATH=os.environ['PATH'] + ':/usr/sbin'))
        tap.equal((done.returncode, done.stderr), (0, ''), f'smtp-source sends {n} messages by 20 sessions ({name})')
        got = wait_for(lambda: len(house.sink.messages) >= before + n, 90, f'{n} messages at the sink')
        with house.sink.lock:
            arrived = [m for m in house.sink.messages if m['from'] == f'load-{name}@example.com']
            before = len(house.sink.messages)
        ids = {mark_id(m['data']) for m in arrived}
        tap.ok(got and len(arrived) == n and len(ids) == n and '' not in ids, f'all {n} arrive once, each with its own id',
               (len(arrived), len(ids)))
        rows = wait_for(lambda: (r := house.main.trace('--sender', f'load-{name}@example.com', '--limit', '5000'))
                        and len(r) >= n and r, 20, 'the traces')
        tap.equal({r['id'] for r in rows}, ids, f'and the trace has exactly those ({name})')


def main():
    if os.geteuid() != 0:
        skip_all('Postfix needs root')
    need('postfix', 'postqueue', 'swaks', 'smtp-source')
    tap = Tap()
    house = House()
    for check in (check_clean, check_held, check_rejected, check_tagged, check_fates, check_next_hop, check_extensions,
                  check_next_hop_without, check_smuggling, check_large, check_quarantine, check_trace, check_tools):
        try:
            check(tap, house)
        except (TimeoutError, OSError, smtplib.SMTPException, KeyError, IndexError, AttributeError) as error:
            import traceback
            tap.ok(False, f'{check.__name__} went through', traceback.format_exc())
            print('# ' + house.postfix.log()[-1500:].replace('\n', '\n# '))
    tap.equal(house.main.stop(), 0, 'the first ends well')
    tap.equal(house.strict.stop(), 0, 'the second ends well')
    tap.equal(house.main.reports() + house.strict.reports(), [], 'no sanitizer has anything to say')
    tap.done()


if __name__ == '__main__':
    main()
