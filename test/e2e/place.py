#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Quarantined mail that is kept elsewhere: in a mailbox, by milter and by proxy, or in the queue of the mail server."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from lib import GTUBE, POSTERN, Postern, Postfix, Sink, Tap, free_port, message, need, send, wait_for  # noqa: E402
from milter_client import ALL_ACTIONS, MilterClient  # noqa: E402

SPAM = message(subject='Held elsewhere', body=GTUBE + '\n')
DELETE_RECIPIENT, QUARANTINE = 0x8, 0x20


class House:
    def __init__(self, place, next_hop):
        self.milter, self.smtp = free_port(), free_port()
        self.postern = Postern(f'''
milter: {{ listen: "127.0.0.1:{self.milter}" }}
smtp: {{ listen: "127.0.0.1:{self.smtp}", next_hop: "127.0.0.1:{next_hop}" }}
http: {{ listen: off }}
actions: {{ subject_tag: "[SPAM] " }}
recipients:
  - {{ match: ["lax@*"], spam: deliver }}
  - {{ match: ["tag@*"], spam: tag }}
quarantine: {{ place: {place} }}''')

    def by_milter(self, recipients, actions=ALL_ACTIONS):
        client = MilterClient(('127.0.0.1', self.milter))
        client.negotiate(actions=actions)
        client.connect()
        client.helo()
        answer = client.message('a@example.com', recipients, SPAM.encode())
        client.quit()
        return answer

    def held(self):
        return len(self.postern.cli('quarantine', 'list', '--json').stdout.splitlines())

    def statuses(self):
        return [row['status'] for row in self.postern.trace('--subject', 'elsewhere')]


def check_mailbox_milter(tap, house):
    answer = house.by_milter(['bob@example.org', 'lax@example.org'])
    tap.ok(answer.action == 'accept' and answer.deleted_recipients == ['<bob@example.org>']
           and answer.added_recipients == ['<spam@example.org>'], 'milter: the mailbox comes in for who is taken out', vars(answer))
    answer = house.by_milter(['bob@example.org'])
    tap.ok(answer.action == 'accept' and answer.added_recipients == ['<spam@example.org>'] and answer.deleted_recipients
           and any(name == 'X-Postern' for _, name, _ in answer.inserted), 'milter: it is the only one where nobody else is', vars(answer))
    tap.ok(not house.by_milter(['lax@example.org']).added_recipients, 'milter: what is delivered does not go there')
    wait_for(lambda: len(house.statuses()) == 3, 10, 'the trace')
    tap.equal(house.statuses(), ['delivered', 'quarantined', 'delivered'], 'milter: the trace says which was quarantined')
    tap.equal(house.held(), 0, 'milter: nothing is in the vault')
    answer = house.by_milter(['bob@example.org'], actions=ALL_ACTIONS & ~DELETE_RECIPIENT)
    tap.ok(answer.action == 'discard' and house.held() == 1, 'milter: a mail server that lets nobody be taken out: the vault', vars(answer))
    house.by_milter(['bob@example.org'], actions=0)
    tap.equal(house.postern.log().count('event=milter.limited'), 1, 'milter: that a mail server grants less than is wanted is said once')


def check_mailbox_proxy(tap, house, sink):
    def given():
        found = [(m['to'], b'X-Postern: spam' in m['data']) for m in sink.messages]
        sink.messages.clear()
        return found
    before = house.held()
    tap.ok(send(house.smtp, SPAM, recipients=['bob@example.org'])[0] == 250, 'proxy: taken')
    tap.equal(given(), [(['spam@example.org'], True)], 'proxy: it went to the mailbox and to nobody else')
    tap.equal(send(house.smtp, SPAM, recipients=['bob@example.org', 'lax@example.org', 'tag@example.org'])[0], 250,
              'proxy: taken for three fates')
    tap.equal(given(), [(['lax@example.org'], True), (['tag@example.org'], True), (['spam@example.org'], True)],
              'proxy: each fate is a message of its own, the mailbox the last')
    tap.equal(house.held(), before, 'proxy: nothing is in the vault')
    sink.answer = lambda stage, what: '550 5.1.1 no such user' if stage == 'RCPT' and 'spam@' in what else None
    tap.ok(send(house.smtp, SPAM, recipients=['bob@example.org'])[0] == 250, 'proxy: a mailbox that is refused')
    sink.answer = lambda stage, what: None
    tap.ok(given() == [] and house.held() == before + 1, 'proxy: is no reason to refuse the message: the vault has it', house.held())


def check_vault_twice(tap, sink):
    house = House('vault', sink.port)
    count = [0]

    def second_is_refused(stage, what):
        count[0] += stage == 'DATA'
        return '552 5.2.2 mailbox full' if stage == 'DATA' and count[0] == 2 else None
    sink.answer = second_is_refused
    reply = send(house.smtp, SPAM, recipients=['bob@example.org', 'lax@example.org', 'tag@example.org'])
    sink.answer = lambda stage, what: None
    rows = house.postern.cli('quarantine', 'list', '--json').stdout
    tap.ok(reply[0] == 250 and 'bob@example.org' in rows and 'tag@example.org' in rows,
           'proxy: who could not be served after others were is in the vault beside those who were held', (reply, rows))


def check_queue(tap, house):
    answer = house.by_milter(['bob@example.org'])
    tap.ok(answer.action == 'accept' and 'GTUBE' in (answer.quarantine or ''), 'queue: the mail server is to hold it', vars(answer))
    answer = house.by_milter(['bob@example.org', 'lax@example.org'])
    tap.ok(answer.quarantine is None and answer.deleted_recipients == ['<bob@example.org>'] and house.held() == 1,
           'queue: held for some only: the vault', vars(answer))
    answer = house.by_milter(['bob@example.org'], actions=ALL_ACTIONS & ~QUARANTINE)
    tap.ok(answer.action == 'discard' and house.held() == 2, 'queue: a mail server that holds nothing: the vault', vars(answer))
    if os.geteuid() != 0:
        tap.skip('Postfix holds it', 'Postfix needs root')
        return
    postfix = Postfix(main={'smtpd_milters': f'inet:127.0.0.1:{house.milter}', 'milter_default_action': 'tempfail',
                            'relayhost': f'[127.0.0.1]:{free_port()}'})
    reply = send(postfix.port, SPAM)
    wait_for(lambda: postfix.queue(), 20, 'the queue of Postfix')
    tap.ok(reply[0] == 250 and [entry['queue_name'] for entry in postfix.queue()] == ['hold'], 'queue: Postfix has it on hold',
           (reply, postfix.queue()))
    postfix.stop()


def main():
    need('postfix')
    tap = Tap()
    sink = Sink()
    house = House('spam@example.org', sink.port)
    check_mailbox_milter(tap, house)
    check_mailbox_proxy(tap, house, sink)
    check_vault_twice(tap, sink)
    check_queue(tap, House('queue', sink.port))
    wrong = Postern('quarantine: { place: somewhere }', start=False)
    said = subprocess.run([POSTERN, 'check-config', wrong.config], capture_output=True, text=True)
    tap.ok(said.returncode == 2 and 'quarantine.place' in said.stderr, 'a place that there is not is an error of the configuration', said)
    tap.done()


main()
