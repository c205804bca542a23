#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What hostile or unlucky peers do to the daemons: forged fields, floods, kills and reloads under load; needs no Postfix."""
import os
import random
import re
import signal
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from lib import GTUBE, Postern, Sink, Tap, free_port, message, send, wait_for  # noqa: E402
from milter_client import MilterClient  # noqa: E402

CONFIG = '''
milter: {{ listen: 127.0.0.1:{milter} }}
http: {{ listen: 127.0.0.1:{http} }}
spamd: {{ listen: 127.0.0.1:{spamd} }}
smtp: {{ listen: 127.0.0.1:{smtp}, next_hop: 127.0.0.1:{sink} }}
workers: {{ scanners: 2 }}
limits: {{ scan_timeout: 3s, message_size: 1M }}
recipients:
  - {{ match: ["take@example.org"], spam: deliver, unscannable: deliver }}
'''


class House:
    def __init__(self):
        self.sink = Sink()
        self.milter, self.http, self.spamd, self.smtp = (free_port() for _ in range(4))
        self.postern = Postern(CONFIG.format(**dict(vars(self), sink=self.sink.port)))

    def pids(self, role):
        return [pid for name, pids in self.postern.children().items() if name.startswith(role) for pid in pids]

    def kill(self, role, number=signal.SIGKILL):
        for pid in self.pids(role):
            try:
                os.kill(pid, number)
            except OSError:
                pass

    def by_milter(self, text, recipients):
        client = MilterClient(('127.0.0.1', self.milter), timeout=60)
        client.negotiate()
        client.connect()
        client.helo()
        answer = client.message('a@example.com', recipients, text if isinstance(text, bytes) else text.encode())
        client.quit()
        return answer

    def many(self, number, text, recipients=('bob@example.org',)):
        """Sends the message so often at once; [(thread, [reply])]."""
        replies = []
        threads = [threading.Thread(target=lambda: replies.append(send(self.smtp, text, recipients=recipients)))
                   for _ in range(number)]
        for thread in threads:
            thread.start()
        return threads, replies


def join(threads):
    for thread in threads:
        thread.join(60)


def talk(port, data, shut=False):
    """Sends bytes, returns all that comes back."""
    with socket.create_connection(('127.0.0.1', port), timeout=20) as sock:
        sock.sendall(data)
        if shut:
            sock.shutdown(socket.SHUT_WR)
        got = b''
        while piece := sock.recv(65536):
            got += piece
        return got


def check_forged(tap, house):
    forged = {'thousands of them': 'X-Postern: forged\n' * 3000, 'odd spellings': 'X-POSTERN\t : forged\n\tforged\nx-postern :forged\n',
              'behind more fields than are read': 'A: b\n' * 20000 + 'X-Postern: forged\n'}
    for name, extra in forged.items():
        code, _ = send(house.smtp, message(subject='forged-fields', extra=extra), recipients=('take@example.org',))
        head = house.sink.messages[-1]['data'].split(b'\r\n\r\n')[0] if code == 250 else b''
        marks = re.findall(rb'(?im)^x-postern[ \t]*:', head)
        tap.ok(len(marks) == 1 and b'forged\r\n' not in head.replace(b'forged-fields', b''), f'forged fields go: {name}', (code, marks[:3]))
    send(house.smtp, ' continued: forged\r\n' + message(), recipients=('take@example.org',))
    tap.ok(not re.search(rb'id=\w{16}\r\n[ \t]', house.sink.messages[-1]['data']), 'nothing continues our own field',
           house.sink.messages[-1]['data'][:300])
    got = talk(house.spamd, b'PROCESS SPAMC/1.2\r\n\r\n' + b'X-Postern: forged\n' * 2000 + b'A: b\n\nbody\n', shut=True)
    tap.ok(got.startswith(b'SPAMD/1.1 0 EX_OK') and b'forged' not in got, 'spamd: nor in what goes back; no length, half closed', got[:200])


def check_sizes(tap, house):
    answer = house.by_milter(message(subject='over-the-limit', body='x' * 70 + '\n' + 'abcdefg\n' * 200000), ['bob@example.org'])
    tap.equal((answer.action, answer.code), ('reply', 552), 'what cannot be kept whole is not taken from the mail server')
    for number, length in ((1000, 64), (5000, 12)):
        names = [f'u{i:05d}'.ljust(length, 'x') + '@example.org' for i in range(number)]
        answer = house.by_milter(message(subject=f'crowd-{number}', body=GTUBE + '\n'), names)
        tap.equal(answer.action, 'discard', f'{number} recipients can be quarantined')
        held = house.postern.cli('quarantine', 'list', '--json', '--subject', f'crowd-{number}').stdout
        tap.equal(len(set(re.findall(r'u\d{5}x*@example\.org', held))), number, 'and all of them are kept')


def check_order(tap, house):
    """A client that is announced in the middle of another one's message."""
    client = MilterClient(('127.0.0.1', house.milter), timeout=10)
    client.negotiate()
    client.connect(host='first.example.com')
    client.helo('first.example.com')
    client.mail('a@example.com')
    client.rcpt('bob@example.org')
    client.connect(host='x' * 900)
    client.helo('y' * 900)
    tap.equal(client.message('a@example.com', ['bob@example.org'], message(subject='second-client').encode()).action, 'accept',
              'a new client ends the message of the one before')
    client.quit()
    rows = wait_for(lambda: [row for row in house.postern.trace('--limit', '5') if row['status'] == 'aborted'], 10, 'trace')
    tap.equal([row['helo'] for row in rows], ['first.example.com'], 'which is traced under its own name')


def check_flood(tap, house):
    rss = lambda: sum(int(re.search(r'VmRSS:\s+(\d+)', open(f'/proc/{pid}/status').read()).group(1)) for pid in house.pids('gate'))  # noqa: E731
    before = rss()
    socks = []
    for port, first, flood in ((house.smtp, b'EHLO x\r\n', b'NOOP\r\n' * 10000),
                               (house.http, b'', b'GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n' * 3000)):
        sock = socket.create_connection(('127.0.0.1', port))
        socks.append(sock)
        sock.settimeout(0.5)
        try:
            sock.sendall(first)
            end = time.monotonic() + 5
            while time.monotonic() < end:
                sock.send(flood)
        except OSError:
            pass
    tap.ok(rss() - before < 60000, 'answers that nobody reads do not pile up', f'{before} kB before, {rss()} kB after')
    for sock in socks:
        sock.close()
    got = talk(house.http, b'GET /metrics HTTP/1.1\r\nContent-Length: 300000\r\nConnection: close\r\n\r\n' + b'x' * 300000)
    tap.ok(got.startswith(b'HTTP/1.1 200'), 'a large body does not change what was asked for', got[:100])


def check_poison(tap, house):
    """Scanners that die or stall with many messages: one of them at most is given up."""
    for number in (signal.SIGKILL, signal.SIGSTOP):
        subject = f'neighbour-{int(number)}'
        house.kill('scanner', signal.SIGSTOP)
        threads, replies = house.many(20, message(subject=subject))
        for _ in range(2):
            time.sleep(0.5)
            if number == signal.SIGKILL:
                house.kill('scanner')
                wait_for(lambda: len(house.pids('scanner')) == 2, 10, 'scanners')
                house.kill('scanner', signal.SIGSTOP)
        if number == signal.SIGKILL:
            house.kill('scanner', signal.SIGCONT)
        join(threads)
        tap.equal([code for code, _ in replies], [250] * 20, f'signal {int(number)}: every message is answered well')
        # A message that nobody could judge has no subject in the trace. The last ones come there a moment after the reply.
        tap.ok(wait_for(lambda: sum(row['subject'] == subject for row in house.postern.trace('--limit', '40')) >= 18,
                        10, f'signal {int(number)}: 18 of 20 in the trace'), f'signal {int(number)}: and judged, but for those that were being thought of')
    # A question that the vault does not answer holds up its message alone.
    house.kill('vault', signal.SIGSTOP)
    threads, replies = house.many(3, message(extra='X-Postern-Release: v1 abcdefgh abcdefgh\n'))
    began = time.monotonic()
    tap.equal(send(house.smtp, message())[0], 250, 'mail goes on while the vault stands still')
    tap.ok(time.monotonic() - began < 2, 'and is not held up by a forged release mark', time.monotonic() - began)
    join(threads)
    house.kill('vault', signal.SIGCONT)
    tap.equal([code for code, _ in replies], [250] * 3, 'the marked ones end, too')


def load(house, seconds, disturb):
    """Clean and spam mail by turns from six clients while `disturb` is called; {token: code}."""
    codes, stop, lock = {}, threading.Event(), threading.Lock()

    def client(number):
        for i in range(100000):
            if stop.is_set():
                return
            token = f'tok{number}x{i}x'
            code, _ = send(house.smtp, message(subject=token, body=(GTUBE if i % 2 else 'hello') + '\n'))
            with lock:
                codes[token] = code
    threads = [threading.Thread(target=client, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        disturb()
    stop.set()
    join(threads)
    return codes


def check_reload(tap, house):
    def reload():
        house.postern.process.send_signal(signal.SIGHUP)
        time.sleep(random.choice((0.01, 0.1, 0.4)))
    codes = load(house, 5, reload)
    refused = [code for code in codes.values() if code != 250]
    tap.ok(len(codes) > 20 and not refused, 'reloads under load refuse no mail', (len(codes), refused[:5]))


def check_kept(tap, house):
    """The vault dies at any moment: what was answered with 250 is delivered or held."""
    house.sink.messages.clear()

    def kill():
        time.sleep(random.random() * 0.4)
        house.kill('vault')
    codes = load(house, 12, kill)
    wait_for(lambda: house.pids('vault'), 15, 'the vault')
    taken = {token for token, code in codes.items() if code == 250}
    with house.sink.lock:
        found = {token.decode() for m in house.sink.messages for token in re.findall(rb'^Subject: (tok\w+)', m['data'], re.M)}
    held = set(re.findall(r'tok\d+x\d+x', house.postern.cli('quarantine', 'list', '--json', '--limit', '100000').stdout))
    tap.ok(len(taken) > 20, 'mail is taken all the same', len(taken))
    tap.equal(sorted(taken - found - held), [], 'a vault that is killed loses nothing that was answered with 250')
    tap.equal(sorted(found & held), [], 'and nothing is both delivered and held')


def main():
    tap, house = Tap(), House()
    for check in (check_order, check_forged, check_sizes, check_flood, check_reload, check_poison, check_kept):
        check(tap, house)
    tap.equal(house.postern.stop(), 0, 'it stops well')
    tap.done()


if __name__ == '__main__':
    main()
