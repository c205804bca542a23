#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""DNSSEC: a root zone that real tools signed, and a server that tells the truth about some names and lies about others. What is
proven comes with the fact, what is proven false is no answer, and what nobody signed is an answer like ever."""
import os
import re
import subprocess
import sys
import urllib.request

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from dns_server import NOERROR, NXDOMAIN, TYPE_NAMES, TYPES, DnsServer, Zone, canonical  # noqa: E402
from lib import POSTERN, Postern, Tap, free_port, message, need, temp_dir, wait_for  # noqa: E402
from milter_client import MilterClient  # noqa: E402

SIGNED = ['good', 'flipped', 'stripped', 'expired', 'denied', 'changed']
SPF, DMARC = 'v=spf1 -all', 'v=DMARC1; p=none'
FOUND, NO_NAME, FAILED, SECURE = 0, 2, 3, 0x10


def tool(folder, *words):
    return subprocess.run(words, cwd=folder, check=True, capture_output=True, text=True).stdout


def order(name):
    """RFC 4034 6.1."""
    return [label for label in reversed(name.split(b'.')) if label]


def parents(name):
    while name:
        name = name.partition(b'.')[2]
        yield name


class SignedZone:
    """The root as ldns-signzone wrote it, with denials of existence by NSEC; below its one delegation nothing is signed."""

    def __init__(self, folder):
        rows = ['. 300 IN SOA ns. nobody. 1 3600 600 86400 60', '. 300 IN NS ns.', 'ns. 300 IN A 127.0.0.1', 'unsigned.example. 300 IN NS ns.']
        for name in SIGNED:
            rows += [f'{name}.example. 300 IN TXT "{SPF}"', f'_dmarc.{name}.example. 300 IN TXT "{DMARC}"']
        with open(os.path.join(folder, 'root'), 'w', encoding='ascii') as file:
            file.write('\n'.join(rows) + '\n')
        key = tool(folder, 'ldns-keygen', '-k', '-a', 'ECDSAP256SHA256', '.').strip()
        self.anchor = os.path.join(folder, key + '.key')
        self.records = self.sign(folder, key)
        past = self.sign(folder, key, '-i', '20200101000000', '-e', '20200201000000')
        self.child = Zone({'unsigned.example': {'TXT': [SPF]}, '_dmarc.unsigned.example': {'TXT': [DMARC]}})
        for name in (b'flipped.example', b'_dmarc.flipped.example'):
            self.records[name, 'RRSIG'] = [(ttl, data[:-1] + bytes([data[-1] ^ 1])) for ttl, data in self.records[name, 'RRSIG']]
        for name in (b'changed.example', b'_dmarc.changed.example'):
            self.records[name, 'TXT'] = [(ttl, data.replace(b'-all', b'+all').replace(b'none', b'nope')) for ttl, data in self.records[name, 'TXT']]
        for name in (b'expired.example', b'_dmarc.expired.example'):
            self.records[name, 'RRSIG'] = past[name, 'RRSIG']
        for name in (b'stripped.example', b'_dmarc.stripped.example'):
            del self.records[name, 'RRSIG']
        for name in (b'invented.example', b'_dmarc.invented.example'):
            self.records[name, 'TXT'] = [(300, bytes([len(SPF)]) + SPF.encode())]

    @staticmethod
    def sign(folder, key, *options):
        """(name, type) to rows of (ttl, data), from the form for unknown types (RFC 3597 5)."""
        tool(folder, 'ldns-signzone', *options, '-o', '.', '-f', 'root.signed', 'root', key)
        records = {}
        for line in tool(folder, 'ldns-read-zone', '-U', 'WKS', 'root.signed').splitlines():
            name, ttl, _, kind, _, _, data = line.split()
            records.setdefault((canonical(name), TYPE_NAMES[int(kind[4:])]), []).append((int(ttl), bytes.fromhex(data)))
        return records

    def behaves(self, *_):
        return False

    def delay(self, _):
        return 0

    def rows(self, name, kind):
        """The records of the type and the signatures that cover them."""
        covers = TYPES[kind].to_bytes(2, 'big')
        return ([(name, kind, ttl, data) for ttl, data in self.records.get((name, kind), [])]
                + [(name, 'RRSIG', ttl, data) for ttl, data in self.records.get((name, 'RRSIG'), []) if data[:2] == covers])

    def nsec(self, name):
        """The NSEC of the name, or of the last name before it."""
        return self.rows(max((owner for owner, kind in self.records if kind == 'NSEC' and order(owner) <= order(name)), key=order), 'NSEC')

    def answer(self, name, kind):
        if name.endswith(b'unsigned.example') and (name, kind) != (b'unsigned.example', 'DS'):
            return self.child.answer(name, kind)
        if name.endswith(b'denied.example'):
            return NXDOMAIN, [], self.rows(b'', 'SOA')
        if (name, kind) in self.records:
            return NOERROR, self.rows(name, kind), []
        names = {b''}.union(*([owner, *parents(owner)] for owner, _ in self.records))
        if name in names:
            return NOERROR, [], self.rows(b'', 'SOA') + self.nsec(name)
        encloser = next(parent for parent in parents(name) if parent in names)
        proof = self.nsec(name) + [row for row in self.nsec(b'*.' + encloser if encloser else b'*') if row not in self.nsec(name)]
        return NXDOMAIN, [], self.rows(b'', 'SOA') + proof


def settings(dns, dnssec, anchor):
    return f'dns: {{ servers: ["{dns.address}"], dnssec: {dnssec}, trust_anchors: {anchor}, timeout: 10s }}\n'


def write(folder, name, text):
    path = os.path.join(folder, name)
    with open(path, 'w', encoding='utf-8') as file:
        file.write(text)
    return path


def facts(folder, config, domain):
    """What a recorded case holds about the policy of a domain: state with the mark of what is proven, and the rest."""
    path = write(folder, 'message.eml', message(sender='a@' + domain))
    case = os.path.join(folder, 'case')
    subprocess.run([POSTERN, 'scan', '--config', config, '--record', case, path], stdout=subprocess.DEVNULL, timeout=60, check=False)
    with open(case, 'rb') as file:
        found = re.search(rb'fact\.dns\.\w+ \d+\nTXT _dmarc\.' + domain.encode() + rb'\n(.)([^\n]*)', file.read(), re.S)
    return (found[1][0], found[2]) if found else (None, b'')


def check_facts(tap, folder, dns, anchor):
    config = write(folder, 'on.yaml', settings(dns, 'on', anchor))
    state, data = facts(folder, config, 'good.example')
    tap.equal((state, DMARC.encode() in data), (FOUND | SECURE, True), 'what is signed rightly is found, and proven')
    tap.equal(facts(folder, config, 'nothing.example')[0], NO_NAME | SECURE, 'that there is no such name is proven')
    state, data = facts(folder, config, 'unsigned.example')
    tap.equal((state, DMARC.encode() in data), (FOUND, True), 'below a delegation that is not signed it is found, and not proven')
    for name, why in (('flipped', 'a signature with one bit flipped'), ('changed', 'a record that was changed'), ('stripped', 'signatures left out'),
                      ('expired', 'a signature of some years ago'), ('denied', 'a name denied without a proof'),
                      ('invented', 'a record that the zone does not have')):
        tap.equal(facts(folder, config, name + '.example'), (FAILED, b'bogus: its DNSSEC signature is wrong'), f'{why}: no answer, and why')
    done = subprocess.run([POSTERN, 'spf', '--config', config, '--ip', '192.0.2.1', '--helo', 'x.example', '--from', 'a@flipped.example'],
                          capture_output=True, text=True, timeout=60, check=False).stdout
    tap.ok('"result":"temperror"' in done and 'bogus' in done, 'SPF from it is a temporary error that says so', done)
    off = write(folder, 'off.yaml', settings(dns, 'off', anchor))
    tap.equal(facts(folder, off, 'flipped.example')[0], FOUND, 'dnssec: off believes it')
    tap.equal(facts(folder, off, 'good.example')[0], FOUND, 'and has nothing proven')
    auto = write(folder, 'auto.yaml', settings(dns, 'auto', anchor))
    tap.equal(facts(folder, auto, 'flipped.example')[0], FOUND, 'so does auto where servers are named')


def check_other_anchor(tap, folder, dns):
    """A server that has its own root: nothing below it is believed."""
    other = os.path.join(folder, tool(folder, 'ldns-keygen', '-k', '-a', 'ECDSAP256SHA256', '.').strip() + '.key')
    config = write(folder, 'other.yaml', settings(dns, 'on', other))
    tap.equal(facts(folder, config, 'good.example')[0], FAILED, 'another root than that of the trust anchor is not believed')
    tap.equal(facts(folder, config, 'unsigned.example')[0], FAILED, 'nor what it says is not signed')


def check_daemon(tap, dns, anchor):
    port, http = free_port(), free_port()
    postern = Postern(f'milter: {{ listen: 127.0.0.1:{port} }}\nhttp: {{ listen: 127.0.0.1:{http} }}\n' + settings(dns, 'on', anchor))

    def mail(domain):
        client = MilterClient(('127.0.0.1', port), timeout=60).negotiate()
        client.connect('client.example.net', '198.51.100.20')
        client.helo('client.example.net')
        answer = client.message('x@' + domain, ['bob@example.org'], message(sender='x@' + domain).encode())
        client.quit()
        return answer.action, b' '.join(value for _, name, value in answer.inserted if name == 'X-Postern').decode()

    for domain, symbol in (('good.example', 'SPF_FAIL'), ('unsigned.example', 'SPF_FAIL'), ('flipped.example', 'AUTH_TEMPORARY')):
        action, evidence = mail(domain)
        tap.ok(symbol in evidence, f'a message from {domain}: {symbol}', (action, evidence))

    def counted():
        with urllib.request.urlopen(f'http://127.0.0.1:{http}/metrics', timeout=10) as reply:
            found = re.search(r'dns_bogus_total(?:{[^}]*})? (\d+)', reply.read().decode())
        return found and int(found[1]) > 0
    tap.ok(wait_for(counted, 10, 'a count'), 'it is counted')
    tap.equal(postern.stop(), 0, 'the daemons end well')
    tap.equal(postern.reports(), [], 'no sanitizer speaks')


def main():
    need('ldns-keygen', 'ldns-signzone', 'ldns-read-zone')
    tap = Tap()
    folder = temp_dir()
    with DnsServer() as dns:
        dns.zone = SignedZone(folder)
        check_facts(tap, folder, dns, dns.zone.anchor)
        check_other_anchor(tap, folder, dns)
        check_daemon(tap, dns, dns.zone.anchor)
    tap.done()


if __name__ == '__main__':
    main()
