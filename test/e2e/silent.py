#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Who answers questions and says nothing: a DNS that is dead, a resolver and a ledger that hang, scanners that die meanwhile.
Mail flows on, nobody waits twice for one who is stuck, and nobody is blamed for waiting."""
import os
import signal
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from dns_server import DnsServer  # noqa: E402
from lib import Postern, Tap, free_port, message, wait_for  # noqa: E402
from milter_client import MilterClient  # noqa: E402


class World:
    def __init__(self, dns, timeout, extra=''):
        self.milter, self.spamd = free_port(), free_port()
        self.postern = Postern(f'''
milter: {{ listen: 127.0.0.1:{self.milter} }}
spamd: {{ listen: 127.0.0.1:{self.spamd} }}
http: {{ listen: off }}
dns: {{ servers: ["{dns}"], timeout: {timeout} }}
auth: {{ authserv_id: mx.example.org }}
{extra}''')

    def mail(self, domain, extra=''):
        """(action, evidence, seconds) of a message that a stranger sends."""
        client = MilterClient(('127.0.0.1', self.milter), timeout=100).negotiate()
        client.connect('client.example.net', '198.51.100.20')
        client.helo('client.example.net')
        begin = time.monotonic()
        answer = client.message('x@' + domain, ['bob@example.org'], message(sender='x@' + domain, extra=extra).encode())
        took = time.monotonic() - begin
        client.quit()
        return answer.action, b' '.join(value for _, name, value in answer.inserted if name == 'X-Postern').decode(), took

    def many(self, domains):
        results = []
        threads = [threading.Thread(target=lambda domain=domain: results.append(self.mail(domain))) for domain in domains]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return results


def check_dead_dns(tap):
    """A message may wait for the DNS longer than one may think, and no scanner pays for it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as nobody:
        nobody.bind(('127.0.0.1', 0))
        world = World(f'127.0.0.1@{nobody.getsockname()[1]}', '4s',
                      'limits: { scan_timeout: 1s }\nworkers: { scanners: 1 }\n')
        results = world.many([f'dead{i}.example' for i in range(8)])
        tap.equal({action for action, _, _ in results}, {'accept'}, 'a dead DNS: mail flows on')
        tap.ok(all('AUTH_TEMPORARY' in evidence for _, evidence, _ in results), 'and says what is not known', results)
        tap.ok('scan.timeout' not in world.postern.log() and 'process.died' not in world.postern.log(),
               'no scanner is killed because its messages wait', world.postern.log()[-2000:])
        thread_result = []
        thread = threading.Thread(target=lambda: thread_result.append(world.mail('later.example')))
        thread.start()
        killed = set()

        def fresh():
            pids = {pid for name, pids in world.postern.children().items() if name.startswith('scanner-') for pid in pids}
            return pids if pids and not pids & killed else None
        for _ in range(3):
            # One: from the first of two the message might pass to the second, and be there when that one dies.
            pids = wait_for(fresh, 10, 'a scanner')
            time.sleep(0.9)  # by then it is known that the message waits
            for pid in pids:
                os.kill(pid, signal.SIGKILL)
            killed |= pids
        thread.join()
        tap.ok(thread_result[0][0] == 'accept' and 'unscannable' not in thread_result[0][1],
               'scanners that die while a message waits are not its fault', (thread_result, world.postern.log()[-4000:]))
        tap.equal(world.postern.stop(), 0, 'the daemons end well')
        tap.equal(world.postern.reports(), [], 'no sanitizer speaks')


def check_stuck(tap, world, role, symbol):
    pid = world.postern.children()[role][0]
    os.kill(pid, signal.SIGSTOP)
    try:
        first = world.many([f'{role}{i}.example' for i in range(4)])
        tap.ok(all(action == 'accept' and took < 8 for action, _, took in first), f'{role} hangs: mail flows on in time', first)
        tap.ok(all(symbol in evidence for _, evidence, _ in first), f'{role} hangs: what is missing is said', first)
        world.many([f'{role}{i}.example' for i in range(4, 8)])
        begin = time.monotonic()
        for i in range(20):
            world.mail(f'{role}{i}.next.example')
        tap.ok(time.monotonic() - begin < 10, f'{role} hangs: nobody waits for it again', time.monotonic() - begin)
        told = [line for line in world.postern.log().splitlines() if 'event=peer.stuck role=' + role[:-2] in line]
        tap.ok(0 < len(told) <= 2, f'{role} hangs: each scanner says so once', told)
    finally:
        os.kill(pid, signal.SIGCONT)

    def answers():
        return 'SPF_FAIL' in world.mail(f'{time.time_ns()}.ok.example')[1]
    tap.ok(wait_for(answers, 15, 'answers'), f'{role} goes on: it is believed again')


def check_flood(tap, world):
    """Senders without end whose DNS is dead, and no message: they take nothing from those who send one."""
    client = MilterClient(('127.0.0.1', world.milter), timeout=100).negotiate()
    client.connect('client.example.net', '198.51.100.20')
    client.helo('client.example.net')
    for i in range(6000):
        client.mail(f'x@f{i}.dead.example')
        client.abort()
    begin = time.monotonic()
    # The server of the test is slow to hear of it among so many; what counts is that there is room for the question.
    tap.ok(wait_for(lambda: 'SPF_FAIL' in world.mail(f'{time.time_ns()}.behind.ok.example')[1], 15, 'an answer'),
           'a flood of senders leaves room for questions of messages', time.monotonic() - begin)
    client.quit()


def check_spamd(tap, world):
    """What goes back to spamc has no results in our name but ours."""
    text = message(sender='x@b.ok.example', extra='Authentication-Results: mx.example.org; dmarc=pass header.from=bank.example\n'
                   'Authentication-Results: mx.example.net; dmarc=pass header.from=other.example\n').encode()
    with socket.create_connection(('127.0.0.1', world.spamd), timeout=30) as sock:
        sock.sendall(b'PROCESS SPAMC/1.5\r\nContent-length: %d\r\n\r\n' % len(text) + text)
        sock.shutdown(socket.SHUT_WR)
        reply = b''.join(iter(lambda: sock.recv(65536), b''))
    tap.ok(b'bank.example' not in reply, 'spamd: forged results in our name are removed', reply.decode())
    tap.ok(b'other.example' in reply and reply.count(b'Authentication-Results: mx.example.org') == 1, 'spamd: others stay, ours is there',
           reply.decode())


def main():
    tap = Tap()
    check_dead_dns(tap)
    with DnsServer({'*.ok.example': {'TXT': ['v=spf1 -all']}, '*.dead.example': {'timeout': True}}) as dns:
        world = World(dns.address, '1s')
        check_spamd(tap, world)
        check_flood(tap, world)
        check_stuck(tap, world, 'ledger-0', 'clean')
        check_stuck(tap, world, 'resolver-0', 'AUTH_TEMPORARY')
        tap.equal(world.postern.stop(), 0, 'the daemons end well')
        tap.equal(world.postern.reports(), [], 'no sanitizer speaks')
    tap.done()


if __name__ == '__main__':
    main()
