# SPDX-License-Identifier: Apache-2.0
"""What it costs to find out who really sent a message, and how many wait for the DNS together."""
import base64
import os
import subprocess
import time

import lib
import milter_load
from dns_server import DnsServer

DOMAINS = 20


def make_key(folder):
    path = os.path.join(folder, 'key.pem')
    subprocess.run(['openssl', 'genpkey', '-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048', '-out', path], check=True,
                   capture_output=True)
    public = subprocess.run(['openssl', 'pkey', '-in', path, '-pubout', '-outform', 'DER'], check=True, capture_output=True).stdout
    return path, 'v=DKIM1; k=rsa; p=' + base64.b64encode(public).decode()


def signed_messages(n, key):
    """n messages of DOMAINS domains, each with two RSA-2048 signatures."""
    result = []
    for i in range(n):
        text = lib.message(subject=f'Order {i}', sender=f'alice@d{i % DOMAINS}.example', body='Good morning.\n\nThe order is on its way.\n' * 40)
        for domain in (f'd{i % DOMAINS}.example', 'esp.example'):
            text = subprocess.run(['build/postern', 'sign', 'dkim', '--domain', domain, '--selector', 's1', '--key', key],
                                  input=text if isinstance(text, bytes) else text.encode(), capture_output=True, check=True).stdout
        result.append(milter_load.split(text))
    return result


def zone(record, **more):
    names = {'example.net': {'TXT': ['v=spf1 include:_spf.example.net -all']},
             '_spf.example.net': {'TXT': ['v=spf1 ip4:192.0.2.0/24 ip4:198.51.100.0/24 -all']},
             's1._domainkey.esp.example': {'TXT': [record]}}
    for i in range(DOMAINS):
        names[f'd{i}.example'] = {'TXT': ['v=spf1 ip4:192.0.2.0/24 -all']}
        names[f's1._domainkey.d{i}.example'] = {'TXT': [record]}
        names[f'_dmarc.d{i}.example'] = {'TXT': ['v=DMARC1; p=reject']}
    names.update(more)
    return names


def cached(measure, say):
    """CPU a message with and without, every answer in the cache; in turn."""
    folder = lib.temp_dir()
    key, record = make_key(folder)
    messages = signed_messages(300, key) * 10
    with DnsServer(zone(record)) as dns:
        ports = {'without': lib.free_port(), 'with': lib.free_port()}
        daemons = {'without': lib.Postern(f'milter: {{ listen: 127.0.0.1:{ports["without"]} }}\nhttp: {{ listen: off }}\ndns: {{ enabled: false }}\nrelations: {{ enabled: false }}\n'),
                   'with': lib.Postern(f'milter: {{ listen: 127.0.0.1:{ports["with"]} }}\nhttp: {{ listen: off }}\n'
                                       f'dns: {{ servers: ["{dns.address}"] }}\n')}
        spent = {'without': [], 'with': []}
        for which in ('without', 'with'):
            measure(f'{which} DNS, warming up', daemons[which].process.pid, ('127.0.0.1', ports[which]), messages[:600])
        for round_ in range(7):
            for which in ('without', 'with')[::-1 if round_ % 2 else 1]:
                spent[which].append(measure(f'{which} DNS', daemons[which].process.pid, ('127.0.0.1', ports[which]), messages))
        asked = sum(dns.questions.values())
        for daemon in daemons.values():
            daemon.stop()
    without, with_ = (sorted(spent[which])[3] * 1000 for which in ('without', 'with'))
    adds = sorted((with_one - without_one) * 1000 for without_one, with_one in zip(spent['without'], spent['with']))
    say('## Who really sent it\n\nSPF, two RSA-2048 DKIM signatures, ARC, DMARC and relations of a message, every answer in the cache '
        f'({asked} questions went to the DNS server in all):\n\n| | ms CPU a message |\n|---|--:|\n| without | {without:.3f} |\n'
        f'| with | {with_:.3f} |\n| what it adds, median of {len(adds)} pairs ({adds[0]:.3f} to {adds[-1]:.3f}) | {adds[len(adds) // 2]:.3f} |\n')


def cpu_of(pid):
    """Microseconds."""
    with open(f'/proc/{pid}/schedstat', encoding='ascii') as file:
        return int(file.read().split()[0]) / 1e3


def missing(say, n=2000, rounds=5):
    """CPU of the resolver for a message that asks one name which nobody asked before, messages between processes included."""
    spent = []
    with DnsServer({'*.example': {'TXT': ['v=spf1 ip4:192.0.2.0/24 -all']}}) as dns:
        port = lib.free_port()
        daemon = lib.Postern(f'milter: {{ listen: 127.0.0.1:{port} }}\nhttp: {{ listen: off }}\ndns: {{ servers: ["{dns.address}"] }}\n'
                             'relations: { enabled: false }\n')
        resolver = daemon.children()['resolver-0'][0]
        for i in range(rounds + 1):
            texts = [milter_load.split(lib.message(subject=str(k), sender=f'x@miss{i}x{k}.example').encode()) for k in range(n)]
            asked, before = sum(dns.questions.values()), cpu_of(resolver)
            milter_load.load(('127.0.0.1', port), texts, 8)
            spent.append((cpu_of(resolver) - before) / (sum(dns.questions.values()) - asked))
        daemon.stop()
    spent = sorted(spent[1:])  # the first warms up
    say(f'A name that is not in the cache costs the resolver {spent[len(spent) // 2]:.1f} us CPU ({spent[0]:.1f} to {spent[-1]:.1f} in '
        f'{rounds} rounds of {n} messages that each ask one): socket, packets, and what it and the scanner tell each other.\n')


def waiting(say, delay=0.05):
    """Messages a second when the DNS takes 50 ms for each answer and nothing is known: many at once against one after another."""
    folder = lib.temp_dir()
    _, record = make_key(folder)
    names = {'*.example': {'TXT': ['v=spf1 ip4:192.0.2.0/24 -all'], 'delay': delay}, 'example.net': {'TXT': ['v=spf1 -all'], 'delay': delay},
             'example': {'delay': delay}, '*._dmarc.example': {'delay': delay}}
    rates = {}
    with DnsServer(names) as dns:
        for connections, n, tag in ((1, 20, 'one'), (200, 2000, 'many')):
            port = lib.free_port()
            daemon = lib.Postern(f'milter: {{ listen: 127.0.0.1:{port} }}\nhttp: {{ listen: off }}\ndns: {{ servers: ["{dns.address}"] }}\n')
            texts = [milter_load.split(lib.message(subject=str(i), sender=f'x@{tag}{i}.example').encode()) for i in range(n)]
            begin = time.monotonic()
            milter_load.load(('127.0.0.1', port), texts, connections)
            rates[connections] = n / (time.monotonic() - begin)
            daemon.stop()
    missing(say)
    say(f'With {delay * 1000:.0f} ms for each answer of the DNS and nothing in the cache: {rates[1]:.1f} messages/s one after another, '
        f'{rates[200]:.0f} with 200 under way: {rates[200] / rates[1]:.0f} times as many.\n')
