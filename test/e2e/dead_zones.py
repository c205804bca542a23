#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Zones whose servers never answer, as many as senders like: what is asked of a zone that lives is answered meanwhile."""
import os
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from dns_server import DnsServer  # noqa: E402
from lib import Postern, Tap, free_port, message, wait_for  # noqa: E402
from milter_client import MilterClient  # noqa: E402

SIGNATURES = 16  # each asks for a key of its own
MESSAGES = 300   # together more questions than the resolver has places
ZONES = 20
FLOOD = 2500      # questions that have come by then


class World:
    def __init__(self, dns, extra):
        self.port = free_port()
        self.postern = Postern(f'''
milter: {{ listen: 127.0.0.1:{self.port} }}
http: {{ listen: off }}
dns: {{ servers: ["{dns.address}"], timeout: 5s{extra} }}
''')

    def mail(self, domain, extra=''):
        client = MilterClient(('127.0.0.1', self.port), timeout=100).negotiate()
        client.connect('client.example.net', '198.51.100.20')
        client.helo('client.example.net')
        answer = client.message('x@' + domain, ['bob@example.org'], message(sender='x@' + domain, extra=extra).encode())
        client.quit()
        return answer.action, b' '.join(value for _, name, value in answer.inserted if name == 'X-Postern').decode()


def signatures(message_number):
    """Fields that cost nothing to write, each with a key in a zone that answers nobody."""
    return ''.join(f'DKIM-Signature: v=1; a=rsa-sha256; c=simple/simple; d=m{message_number}s{i}.dead{i % ZONES}.example; s=k; h=from; '
                   'bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; b=AAAA\n' for i in range(SIGNATURES))


def flood(world, results):
    for number in range(MESSAGES):
        thread = threading.Thread(target=lambda number=number: results.append(
            world.mail(f'm{number}.dead{number % ZONES}.example', signatures(number))), daemon=True)
        thread.start()
        yield thread


def check(tap, dns, name, extra=''):
    world = World(dns, extra)
    tap.has(world.mail(f'before.{time.time_ns()}.ok.example')[1], 'SPF_FAIL', f'{name}: a zone that lives is answered')
    results = []
    threads = list(flood(world, results))
    wait_for(lambda: sum('.dead' in question for question in list(dns.questions)) > FLOOD, 30, 'a flood')
    live = [world.mail(f'{i}.{time.time_ns()}.ok.example')[1] for i in range(10)]
    tap.equal(sum('SPF_FAIL' in evidence for evidence in live), len(live), f'{name}: it is answered beside a flood of others that do not')
    for thread in threads:
        thread.join()
    tap.equal({action for action, _ in results}, {'accept'}, f'{name}: what waited for them flows on')
    tap.has(world.mail(f'after.{time.time_ns()}.ok.example')[1], 'SPF_FAIL', f'{name}: and afterwards')
    tap.equal(world.postern.stop(), 0, f'{name}: the daemons end well')
    tap.equal(world.postern.reports(), [], f'{name}: no sanitizer speaks')


def main():
    tap = Tap()
    dead = {f'*.dead{i}.example': {'timeout': True} for i in range(ZONES)}
    with DnsServer({'*.ok.example': {'TXT': ['v=spf1 -all']}, **dead}) as dns:
        check(tap, dns, 'the short way')
    with DnsServer({'*.ok.example': {'TXT': ['v=spf1 -all']}, **dead}) as dns:
        check(tap, dns, 'the long way', f', zones: [{{ name: inner.example, server: "{dns.address}" }}]')
    tap.done()


if __name__ == '__main__':
    main()
