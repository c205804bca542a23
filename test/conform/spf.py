#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The openspf.org test suite for RFC 7208 through the checking code, with answers at once and with late ones.

POSTERN_SHARED is the folder that holds data/spf/rfc7208-tests.yml (../shared from the source root unless told otherwise).
As a module: cases() gives the suite with zones as test/e2e/dns_server.py serves them."""
import collections
import ipaddress
import os
import subprocess
import sys

ROOT = os.environ.get('POSTERN_ROOT') or os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SHARED = os.environ.get('POSTERN_SHARED') or os.path.join(os.path.dirname(ROOT), 'shared')
SUITE = os.path.join(SHARED, 'data/spf/rfc7208-tests.yml')
sys.path.insert(0, os.path.join(ROOT, 'test/e2e'))
from dns_server import Zone, canonical, octets  # noqa: E402
from lib import Tap  # noqa: E402

TYPES = ('A', 'AAAA', 'MX', 'TXT', 'PTR', 'NS')

Case = collections.namedtuple('Case', 'section name zone ip helo sender results explanation')


def raw(text):
    """The suite writes bytes over 0x7f as code points."""
    return ''.join(chr(0xdc00 + ord(char)) if 0x80 <= ord(char) <= 0xff else char for char in str(text))


def zone_of(data):
    """Rows of the suite as a zone. SPF rows are TXT records unless the name has TXT rows (`TXT: NONE`: has none)."""
    zone = {}
    for name, rows in data.items():
        node = zone.setdefault(raw(name), {})
        kinds = [next(iter(row)) for row in rows if isinstance(row, dict)]
        for row in rows:
            if row == 'TIMEOUT':
                node['timeout'] = 'rest'
                continue
            (kind, value), = row.items()
            if kind == 'SPF':
                if 'TXT' in kinds:
                    continue
                kind = 'TXT'
            if value == 'NONE':
                continue
            if kind == 'CNAME':
                node[kind] = raw(value)
            elif kind == 'TXT':
                node.setdefault(kind, []).append([raw(part) for part in value] if isinstance(value, list) else raw(value))
            elif kind == 'MX':
                node.setdefault(kind, []).append([value[0], raw(value[1])])
            else:
                node.setdefault(kind, []).append(raw(value))
    return zone


def cases(path=SUITE):
    """Yields every Case; `explanation` is None where the suite does not say, 'DEFAULT' where exp= gives none."""
    import yaml
    with open(path, encoding='utf-8') as file:
        for section in yaml.safe_load_all(file):
            zone = zone_of(section['zonedata'])
            for name, test in section['tests'].items():
                results = test['result'] if isinstance(test['result'], list) else [test['result']]
                yield Case(section['description'], name, zone, str(test['host']), raw(test['helo']), raw(test['mailfrom']),
                           results, test.get('explanation'))


def data_of(kind, row):
    """(preference, data) as struct dns_record has them."""
    if kind in ('A', 'AAAA'):
        return 0, ipaddress.ip_address(row).packed
    if kind == 'TXT':
        return 0, b''.join(map(octets, row)) if isinstance(row, list) else octets(row)
    if kind == 'MX':
        return row[0], canonical(row[1])
    return 0, canonical(row)


def world_of(names):
    """The lines that tell test/conform/world_driver.c of a zone; aliases are followed here."""
    zone, rows = Zone(names), {canonical(name): node for name, node in names.items()}
    yield 'zone'
    for name in sorted(zone.nodes.keys() | zone.inner):
        yield f'name\t{name.hex()}'
        for kind in TYPES:
            target, seen = name, []
            while 'CNAME' in rows.get(target, {}) and target not in seen:
                seen.append(target)
                target = canonical(rows[target]['CNAME'])
            if target in seen or zone.behaves(target, kind, 'timeout'):
                yield f'fail\t{kind}\t{name.hex()}'
                continue
            for row in rows.get(target, {}).get(kind, []):
                preference, data = data_of(kind, row)
                yield f'{kind}\t{name.hex()}\t{preference}\t{data.hex()}'


def mapped(text):
    ip = ipaddress.ip_address(text)
    return bytes(10) + b'\xff\xff' + ip.packed if ip.version == 4 else ip.packed


class Driver:
    """Asks test/conform/world_driver.c."""

    def __init__(self, program):
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def tell(self, line):
        self.process.stdin.write(line.encode() + b'\n')

    def check(self, case, how):
        self.tell('\t'.join(['check', how, mapped(case.ip).hex(), octets(case.helo).hex(), octets(case.sender).hex(),
                             b'mx.receiver.example'.hex()]))
        self.process.stdin.flush()
        code, *texts, lookups, voids = self.process.stdout.readline().decode().rstrip('\n').split('\t')
        mechanism, explanation, problem = (bytes.fromhex(text).decode('latin-1') for text in texts)
        return code, mechanism, explanation, problem, int(lookups), int(voids)

    def done(self):
        self.process.stdin.close()
        return self.process.wait()


def main():
    tap = Tap()
    try:
        import yaml  # noqa: F401
    except ImportError:
        tap.skip('the openspf.org suite', 'python3-yaml is not installed')
        tap.done()
    if not os.path.exists(SUITE):
        tap.skip('the openspf.org suite', 'the suite is not there; POSTERN_SHARED names its folder')
        tap.done()
    driver, zone, count = Driver(sys.argv[1]), None, 0
    verbose = '--verbose' in sys.argv
    for case in cases():
        if case.zone is not zone:
            zone = case.zone
            for line in world_of(zone):
                driver.tell(line)
        now, late = driver.check(case, 'now'), driver.check(case, 'late')
        code, mechanism, explanation, problem, lookups, voids = now
        good = code in case.results and now == late
        if case.explanation is not None:
            good = good and explanation == ('' if case.explanation == 'DEFAULT' else case.explanation)
        # An error says why, a decision says by what.
        good = good and bool(problem) == (code in ('permerror', 'temperror'))
        good = good and bool(mechanism) == (code in ('pass', 'fail', 'softfail', 'neutral'))
        good = good and lookups <= 10 and voids <= 3
        tap.ok(good, f'{case.section}: {case.name}', f'{now}\n{late}\nwanted {case.results} {case.explanation}')
        if verbose:
            print('#', now)
        count += 1
    tap.ok(count == 203, 'the whole suite was run', f'{count} cases')
    tap.ok(driver.done() == 0, 'the driver ends well')
    tap.done()


if __name__ == '__main__':
    main()
