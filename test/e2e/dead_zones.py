#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Zones whose servers never answer, as many as senders like: what is asked of a zone that lives is answered meanwhile.

First few zones with many names, then more zones than the resolver has places."""
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
FULL = 3072       # places of those who never answered


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


def of_few(number):
    return f'm{number}.dead{number % ZONES}.example'


def of_its_own(number):
    return f'zone{number}.dead'


def signatures(number, domain):
    """Fields that cost nothing to write, each with a key in a zone that answers nobody."""
    return ''.join(f'DKIM-Signature: v=1; a=rsa-sha256; c=simple/simple; d={domain(number * SIGNATURES + i)}; s=k; h=from; '
                   'bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; b=AAAA\n' for i in range(SIGNATURES))


def flood(world, results, domain):
    for number in range(MESSAGES):
        thread = threading.Thread(target=lambda number=number: results.append(
            world.mail(domain(number * SIGNATURES), signatures(number, domain))), daemon=True)
        thread.start()
        yield thread


def of_dead(dns):
    return sum('.dead' in question for question in list(dns.questions))


def check(tap, dns, name, extra=''):
    world = World(dns, extra)
    tap.has(world.mail(f'before.{time.time_ns()}.ok.example')[1], 'SPF_FAIL', f'{name}: a zone that lives is answered')
    results = []
    threads = list(flood(world, results, of_few))
    wait_for(lambda: of_dead(dns) > FLOOD, 30, 'a flood')
    live = [world.mail(f'{i}.{time.time_ns()}.ok.example')[1] for i in range(10)]
    tap.equal(sum('SPF_FAIL' in evidence for evidence in live), len(live), f'{name}: it is answered beside a flood of others that do not')
    for thread in threads:
        thread.join()
    tap.equal({action for action, _ in results}, {'accept'}, f'{name}: what waited for them flows on')
    tap.has(world.mail(f'after.{time.time_ns()}.ok.example')[1], 'SPF_FAIL', f'{name}: and afterwards')
    tap.equal(world.postern.stop(), 0, f'{name}: the daemons end well')
    tap.equal(world.postern.reports(), [], f'{name}: no sanitizer speaks')


def check_many(tap, dns, name, extra=''):
    """More zones than places. Those that answered before are heard; where there is a short way, all that live."""
    world = World(dns, extra)
    world.mail(f'before.{time.time_ns()}.ok.example')
    results = []
    threads = list(flood(world, results, of_its_own))
    wait_for(lambda: of_dead(dns) >= FULL, 30, 'a flood')
    known = [world.mail(f'{i}.{time.time_ns()}.ok.example')[1] for i in range(10)]
    others = [] if extra else [world.mail(f'z{time.time_ns()}.live')[1] for i in range(10)]
    tap.equal(sum('SPF_FAIL' in evidence for evidence in known), len(known), f'{name}: a zone that answered before is heard beside thousands that do not')
    tap.equal(sum('SPF_FAIL' in evidence for evidence in others), len(others), f'{name}: so are others that live')
    for thread in threads:
        thread.join()
    tap.equal({action for action, _ in results}, {'accept'}, f'{name}: what waited for them flows on')
    tap.equal(world.postern.stop(), 0, f'{name}: the daemons end well')
    tap.equal(world.postern.reports(), [], f'{name}: no sanitizer speaks')


def main():
    tap = Tap()
    dead = {f'*.dead{i}.example': {'timeout': True} for i in range(ZONES)}
    zone = {'*.ok.example': {'TXT': ['v=spf1 -all']}, '*.live': {'TXT': ['v=spf1 -all']}, '*.dead': {'timeout': True}, **dead}
    for look, extra in (check, ''), (check_many, ', many'):
        with DnsServer(zone) as dns:
            look(tap, dns, 'the short way' + extra)
        with DnsServer(zone) as dns:
            look(tap, dns, 'the long way' + extra, f', zones: [{{ name: inner.example, server: "{dns.address}" }}]')
    tap.done()


if __name__ == '__main__':
    main()
