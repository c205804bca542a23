#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The ledger: what it knows becomes evidence, what was delivered is learned and survives kill -9, a damaged memory is put
aside, and no mail waits for it."""
import os
import re
import signal
import smtplib
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from dns_server import DnsServer  # noqa: E402
from milter_client import MilterClient  # noqa: E402
from lib import BUILD, GTUBE, Postern, Sink, Tap, free_port, message, send, wait_for  # noqa: E402

TOOL = os.path.join(BUILD, 'test/e2e/relations_tool')


class House:
    def __init__(self, settings='', dns='enabled: false'):
        self.sink = Sink()
        self.port, self.milter = free_port(), free_port()
        self.base = f'''
milter: {{ listen: 127.0.0.1:{self.milter} }}
http: {{ listen: off }}
dns: {{ {dns} }}
log: {{ level: info }}
smtp: {{ listen: 127.0.0.1:{self.port}, next_hop: 127.0.0.1:{self.sink.port} }}
'''
        self.postern = Postern(self.base + settings, start=False)
        self.folder = self.postern.dir + '/state/relations'
        self.snapshot = self.folder + '/snapshot'

    def fill(self):
        """Some history, for whoever the daemons are."""
        self.postern.start()
        self.postern.stop()
        owner = os.stat(self.folder)
        subprocess.run([TOOL, 'fill', self.snapshot], check=True)
        os.chown(self.snapshot, owner.st_uid, owner.st_gid)

    def known(self, authors):
        """{author: days}, as snapshot and journals on disk have it."""
        out = subprocess.run([TOOL, 'known', self.folder, *authors], capture_output=True, text=True)
        return {line.split()[0]: int(line.split()[1]) for line in out.stdout.splitlines() if re.fullmatch(r'\S+ \d+', line)}

    def send(self, author, name='Somebody', extra='', body='Good morning.\n'):
        """(code, ids of the evidence that the next hop got to see)"""
        text = message(sender=author, extra=extra, body=body).replace('From: Alice', f'From: {name}')
        before = len(self.sink.messages)
        code, _ = send(self.port, text, sender=author)
        if code != 250 or len(self.sink.messages) == before:
            return code, ''
        head = self.sink.messages[-1]['data'].split(b'\r\n\r\n')[0].decode()
        field = re.search(r'^X-Postern: ((?:[^\r\n]|\r\n[ \t])*)', head, re.M)
        return code, field.group(1) if field else ''

    def submit(self, sender, recipient, message_id):
        """As a mail server hands over what its authenticated user sends."""
        client = MilterClient(('127.0.0.1', self.milter)).negotiate()
        client.connect(address='127.0.0.1')
        client.helo()
        answer = client.message(sender, [recipient], f'From: Bob <{sender}>\r\nTo: {recipient}\r\nSubject: Question\r\n'
                                f'Message-ID: <{message_id}>\r\n\r\nWhere are the minutes?\r\n'.encode(),
                                macros={'{auth_authen}': 'bob', 'i': 'QUEUE1'})
        client.quit()
        return answer.action

    def learned(self, author):
        """Waits until that is on disk: the sender is answered a moment before the ledger is told."""
        wait_for(lambda: self.known([author]).get(author) == 1, 20, 'a lesson')

    def files(self):
        """{name: bytes} of what the ledger keeps."""
        found = {}
        for name in os.listdir(self.folder):
            with open(os.path.join(self.folder, name), 'rb') as file:
                found[name] = file.read()
        return found

    def ledger(self):
        return wait_for(lambda: self.postern.children().get('ledger-0'), 20, 'a ledger')[0]

    def reads(self):
        return self.postern.log().count('relations.read')

    def kill(self):
        """Ends the ledger, and waits until the next one has read what there is."""
        reads = self.reads()
        os.kill(self.ledger(), signal.SIGKILL)
        wait_for(lambda: self.reads() > reads, 20, 'the next ledger')


def evidence(tap):
    house = House()
    house.fill()
    house.postern.start()
    for rule, author, name, extra, wanted, unwanted in (
            ('a correspondent of long ago is known', 'friend@firm.example', 'Fred Friend', '',
             ('KNOWN_CORRESPONDENT',), ('FIRST_CONTACT', 'NAME_FROM_ELSEWHERE', 'REPLY_TO_OURS')),
            ('a stranger is one', 'stranger@other.example', 'Some Stranger', '',
             ('FIRST_CONTACT',), ('KNOWN_CORRESPONDENT', 'NAME_FROM_ELSEWHERE')),
            ('a known name from elsewhere is seen', 'carol@freemail.example', 'CHIEF, Carol', '',
             ('FIRST_CONTACT', 'NAME_FROM_ELSEWHERE'), ('KNOWN_CORRESPONDENT',)),
            ('an answer to our message is one', 'friend@firm.example', 'Fred Friend', 'In-Reply-To: <ours-1@example.org>\n',
             ('REPLY_TO_OURS', 'KNOWN_CORRESPONDENT'), ()),
            ('an answer from elsewhere is none', 'thief@other.example', 'A Thief', 'In-Reply-To: <ours-1@example.org>\n',
             (), ('REPLY_TO_OURS',))):
        code, ids = house.send(author, name, extra)
        tap.ok(code == 250 and all(i in ids for i in wanted) and not any(i in ids for i in unwanted), rule, (code, ids))
    house.send('spam@spam.example', 'Spam', body=GTUBE + '\n')
    house.postern.stop()
    known = house.known(['stranger@other.example', 'friend@firm.example', 'spam@spam.example'])
    tap.equal((known.get('stranger@other.example'), known.get('spam@spam.example')), (1, 0),
              'what was delivered is learned, spam is not')
    tap.equal([name for name in os.listdir(house.folder) if name.endswith('.new')], [], 'nothing half-written is left behind')
    mode = [oct(os.stat(os.path.join(house.folder, name)).st_mode & 0o777) for name in os.listdir(house.folder)]
    tap.ok(set(mode) == {'0o600'}, 'the files are for the daemon alone', mode)
    tap.equal(house.postern.reports(), [], 'no sanitizer says anything')


def conversation(tap):
    """We write first, and they answer."""
    house = House()
    house.fill()
    house.postern.start()
    tap.ok(house.submit('ben@example.org', 'dora@firm.example', 'asked-1@example.org') in ('accept', 'continue'),
           'what our user sends goes out')
    house.learned('ben@example.org')
    reply = 'References: <other@x.example> <asked-1@example.org>\n'
    code, ids = house.send('erik@firm.example', extra=reply)
    tap.ok(code == 250 and 'REPLY_TO_OURS' not in ids, 'nobody is believed who is neither proven nor known', (code, ids))
    house.learned('erik@firm.example')
    code, ids = house.send('erik@firm.example', extra=reply)
    tap.ok(code == 250 and 'REPLY_TO_OURS' not in ids, 'nor for one message before', (code, ids))
    code, ids = house.send('friend@firm.example', 'Fred Friend', extra=reply)
    tap.ok(code == 250 and 'REPLY_TO_OURS' in ids, 'an answer of somebody long known there is seen', (code, ids))
    code, ids = house.send('erik@other.example', extra=reply)
    house.learned('erik@other.example')
    code, ids = house.send('erik@other.example', extra=reply)
    tap.ok(code == 250 and 'REPLY_TO_OURS' not in ids, 'not one of somebody elsewhere, who may have stolen it', (code, ids))
    house.postern.stop()


def forgers(tap):
    """A list with a long and clean record breaks what its authors could prove; a stranger's list has earned no such belief, and
    nobody is believed in mail in our own name."""
    spf, policy = {'TXT': ['v=spf1 ip4:192.0.2.66 -all']}, {'TXT': ['v=DMARC1; p=reject']}
    world = DnsServer({'honest.example': spf, 'evil.example': spf, '_dmarc.strict.example': policy, '_dmarc.example.org': policy}).start()
    house = House('actions: { dmarc_reject: reject }', dns=f'servers: ["{world.address}"], timeout: 1s')
    house.fill()
    house.postern.start()
    for rule, author, where, wanted in (
            ('a known list breaks the signature of an author', 'a@strict.example', 'honest.example', 250),
            ('who vouched for forged authors has earned no belief', 'a@strict.example', 'evil.example', 550),
            ('a known list is not believed in mail in our own name', 'carol@example.org', 'honest.example', 550),
            ('nor in that of a part of us', 'carol@mail.example.org', 'honest.example', 550)):
        text = message(sender=author, to=f'talk@{where}', extra=f'List-Id: Talk <talk.{where}>\n')
        with smtplib.SMTP('127.0.0.1', house.port, 'relay.example', timeout=60) as smtp:
            smtp.ehlo()
            smtp.docmd('XFORWARD', f'NAME=out.{where} ADDR=192.0.2.66 HELO=out.{where} PROTO=ESMTP')
            smtp.mail(f'talk-bounces@{where}')
            smtp.rcpt('bob@example.org')
            code, reply = smtp.data(text.encode())
        tap.ok(code == wanted, rule, (code, reply, house.postern.log()[-600:]))
    tap.equal(house.postern.stop(), 0, 'the daemons end well')
    tap.equal(house.postern.reports(), [], 'no sanitizer speaks')


def killed(tap):
    """Every second a snapshot, and the ledger is killed over and over; who was delivered is known all the same."""
    house = House('relations: { snapshot: 1s, memory: 4M }')
    house.postern.start()
    authors, answered = [], 0
    for round_ in range(6):
        for n in range(20):
            author = f'a{round_}-{n}@firm{round_}.example'
            code, _ = house.send(author, f'Author {round_} {n}')
            answered += code == 250
            authors.append(author)
        house.learned(authors[-1])
        if round_ % 2:
            begin = os.stat(house.snapshot).st_mtime_ns if os.path.exists(house.snapshot) else 0
            wait_for(lambda: os.path.exists(house.snapshot) and os.stat(house.snapshot).st_mtime_ns != begin, 20, 'a snapshot')
        house.kill()
    tap.equal(answered, len(authors), 'mail flows while the ledger is killed again and again')
    house.postern.stop()
    known = house.known(authors)
    missing = [author for author in authors if known.get(author) != 1]
    tap.equal(missing, [], 'all that was learned before a kill -9 is known after it')
    journals = [name for name in os.listdir(house.folder) if name.startswith('journal-')]
    tap.ok(len(journals) <= 1, 'a snapshot makes the journals before it superfluous', journals)
    # All at once, supervisor first: the children notice.
    house.postern.start()
    late = [f'late{n}@firm.example' for n in range(10)]
    for author in late:
        house.send(author)
    house.learned(late[-1])
    house.kill()
    house.postern.stop(signal.SIGKILL)
    wait_for(lambda: not os.path.exists(f'/proc/{house.postern.process.pid}/stat'), 10, 'the end')
    house.postern.start()
    house.postern.stop()
    known = house.known(late + authors)
    tap.equal([author for author in late + authors if known.get(author) != 1], [], 'nor is anything lost when all end')
    tap.equal(house.postern.reports(), [], 'no sanitizer says anything')


def unreadable(tap):
    """Who reads the folder does not read who wrote to whom."""
    house = House()
    house.postern.start()
    house.submit('bob@example.org', 'dora@firm.example', 'asked-2@example.org')
    house.send('friend@firm.example', 'Fred Friend', 'Message-ID: <told-1@firm.example>\nIn-Reply-To: <asked-2@example.org>\n')
    house.learned('friend@firm.example')
    house.kill()
    files = house.files()
    tap.ok(any(name.startswith('journal-') and len(data) > 100 for name, data in files.items()) and len(files['snapshot']) > 40,
           'what was learned lies in a journal, and its key in a snapshot', {name: len(data) for name, data in files.items()})
    for what, text in (('address', 'friend@firm'), ('domain', 'firm.example'), ('name', 'Friend'), ('our address', 'bob@'),
                       ('our domain', 'example.org'), ('recipient', 'dora'), ('Message-ID', 'told-1'), ('Message-ID of ours', 'asked-2'),
                       ('network', '127.0.0.')):
        seen = [name for name, data in files.items() if text.lower().encode() in data.lower()]
        tap.equal(seen, [], f'no {what} is in it')
    seen = [name for name, data in files.items() if b'\x7f\0\0\1' in data]
    tap.equal(seen, [], 'nor an address of a network')
    house.postern.stop()
    tap.equal(house.known(['friend@firm.example']), {'friend@firm.example': 1}, 'and it is known all the same')
    tap.equal(house.postern.reports(), [], 'no sanitizer says anything')


def unknown(tap):
    """A journal of another form or key is said and put aside, once."""
    house = House()
    house.postern.start()
    house.send('early@firm.example')
    house.learned('early@firm.example')
    house.kill()
    house.postern.stop(signal.SIGKILL)
    wait_for(lambda: not os.path.exists(f'/proc/{house.postern.process.pid}/stat'), 10, 'the end')
    owner = os.stat(house.folder)
    strange = {'journal-00000000000000000700': b'\0\0\0\x29' + bytes(7) + b'\1' + b'1 org=example.org from=a@firm.example',
               'journal-00000000000000000800': b'PSTJRN2\n' + bytes(8)}
    for name, data in strange.items():
        with open(os.path.join(house.folder, name), 'wb') as file:
            file.write(data)
        os.chown(os.path.join(house.folder, name), owner.st_uid, owner.st_gid)
    house.postern.start()
    code, ids = house.send('early@firm.example')
    tap.ok(code == 250 and 'FIRST_CONTACT' not in ids, 'what the others say is known', (code, ids))
    tap.has(house.postern.log(), 'it has the form of another version', 'another form is said')
    tap.has(house.postern.log(), 'it was written under another key', 'another key is said')
    house.postern.stop()
    tap.equal({name: data for name, data in house.files().items() if name.endswith('.unknown')},
              {name + '.unknown': data for name, data in strange.items()}, 'both are kept')
    house.postern.start()
    house.postern.stop()
    tap.equal(house.postern.log().count('relations.journal_unknown'), 2, 'and not tried again')
    tap.equal(house.postern.reports(), [], 'no sanitizer says anything')


def damaged(tap):
    house = House()
    house.fill()
    with open(house.snapshot, 'r+b') as file:
        file.seek(200)
        byte = file.read(1)
        file.seek(200)
        file.write(bytes([byte[0] ^ 1]))
    house.postern.start()
    code, ids = house.send('friend@firm.example', 'Fred Friend')
    tap.ok(code == 250 and 'KNOWN_CORRESPONDENT' not in ids, 'a damaged memory is not believed, and stops no mail', (code, ids))
    tap.has(house.postern.log(), 'relations.damaged', 'that is said')
    tap.ok(os.path.exists(house.snapshot + '.damaged'), 'and the file is kept')
    house.learned('friend@firm.example')
    house.kill()
    with open(house.snapshot, 'r+b') as file:
        file.seek(-1, os.SEEK_END)
        last = file.read(1)
        file.seek(-1, os.SEEK_END)
        file.write(bytes([last[0] ^ 1]))
    house.kill()
    house.learned('friend@firm.example')
    tap.ok(True, 'its key is whole, so what the journals hold is not lost')
    house.postern.write(house.base + 'relations: { enabled: false }')
    house.postern.process.send_signal(signal.SIGHUP)
    wait_for(lambda: not house.postern.children().get('ledger-0'), 20, 'the end of the ledger')
    tap.equal(house.send('friend@firm.example')[0], 250, 'it can be switched off by a reload')
    house.postern.write(house.base)
    house.postern.process.send_signal(signal.SIGHUP)
    house.ledger()
    wait_for(lambda: house.send('friend@firm.example')[0] == 250, 20, 'mail')
    tap.ok(True, 'and on again')
    house.postern.stop()
    tap.equal(house.known(['friend@firm.example']), {'friend@firm.example': 1}, 'what was learned in between is there')
    tap.equal(house.postern.reports(), [], 'no sanitizer says anything')


def main():
    tap = Tap()
    evidence(tap)
    conversation(tap)
    forgers(tap)
    killed(tap)
    unreadable(tap)
    unknown(tap)
    damaged(tap)
    tap.done()


main()
