#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""SPF of ours against pyspf and Mail::SPF: worlds of records and names, four senders for each, all judge.

spf_differential.py DRIVER [SEED]. POSTERN_DIFFERENTIAL is the number of worlds, 800 unless told; POSTERN_DIFFERENTIAL_FIRST
ends at the first difference. We must judge as spf_reference.py does, with the same explanation, but where RFC 7208 leaves the
outcome open. Where another checker differs from the two, that is an error unless a row of EXPLAINED names the clause that
decides it: so a row can hide a mistake of others only."""
import collections
import importlib.machinery
import importlib.util
import ipaddress
import json
import os
import random
import re
import shutil
import subprocess
import sys

import spf_reference as reference
import spf_worlds as worlds

HERE = os.path.dirname(os.path.abspath(__file__))
COUNT = int(os.environ.get('POSTERN_DIFFERENTIAL', '800'))
SEED = int(sys.argv[2]) if len(sys.argv) > 2 else 7208
RECEIVER = 'mx.receiver.example'


def load_pyspf():
    """The library, which has the name of a file here."""
    found = importlib.machinery.PathFinder.find_spec('spf', [path for path in sys.path if os.path.abspath(path) != HERE])
    if not found:
        # Debian's packages are for Debian's interpreter, which need not be the first one in PATH.
        if sys.executable != '/usr/bin/python3' and os.path.exists('/usr/bin/python3') and 'POSTERN_AGAIN' not in os.environ:
            os.execve('/usr/bin/python3', ['/usr/bin/python3', *sys.argv], {**os.environ, 'POSTERN_AGAIN': '1'})
        return None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


# -- The three ----

class Ours:
    def __init__(self, program):
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def tell(self, *fields):
        self.process.stdin.write('\t'.join(fields).encode() + b'\n')

    def world(self, zone):
        self.tell('zone')
        for name, node in zone.items():
            key = name.encode().hex()
            self.tell('name', key)
            for kind in node.get('fail', ()):
                self.tell('fail', kind, key)
            for kind, rows in node.items():
                for row in rows if kind != 'fail' else ():
                    preference, data = row if kind == 'MX' else (0, row)
                    if kind in ('A', 'AAAA'):
                        data = ipaddress.ip_address(data).packed
                    self.tell(kind, key, str(preference), (data if isinstance(data, bytes) else data.encode()).hex())

    def check(self, ip, helo, sender):
        """For late answers as for answers at once."""
        address = ipaddress.ip_address(ip)
        packed = bytes(10) + b'\xff\xff' + address.packed if address.version == 4 else address.packed
        answers = []
        for how in ('now', 'late'):
            self.tell('check', how, packed.hex(), helo.encode().hex(), sender.encode().hex(), RECEIVER.encode().hex())
            self.process.stdin.flush()
            code, _, explanation, problem, *_ = self.process.stdout.readline().decode().rstrip('\n').split('\t')
            answers.append((code, bytes.fromhex(explanation).decode('latin-1'), bytes.fromhex(problem).decode('latin-1')))
        return answers[0] if answers[0] == answers[1] else ('late and now differ', '', str(answers))

    def close(self):
        self.process.stdin.close()
        return self.process.wait()


class Pyspf:
    name = 'pyspf'

    def __init__(self, module):
        self.module, self.zone = module, {}
        module.DNSLookup = self.lookup

    def lookup(self, name, kind, *_):
        name = name.lower().rstrip('.')
        node = self.zone.get(name, {})
        if kind in node.get('fail', ()):
            raise self.module.TempError('timeout')
        return [((name, kind), [row] if kind == 'TXT' else tuple(row) if kind == 'MX' else row) for row in node.get(kind, [])]

    def world(self, zone):
        self.zone = zone

    def check(self, ip, helo, sender):
        try:
            query = self.module.query(i=ip, s=sender, h=helo, receiver=RECEIVER)
            query.set_default_explanation('')
            result, _, text = query.check()
            return result, text if result == 'fail' else '', text
        except Exception as error:  # pylint: disable=broad-except # it died of the question
            return 'died', '', repr(error)


class MailSpf:
    name = 'Mail::SPF'

    def __init__(self):
        self.process = subprocess.Popen(['perl', os.path.join(HERE, 'mail_spf.pl')], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.zone = None

    def world(self, zone):
        self.zone = {name: {kind: [row.decode('latin-1') if isinstance(row, bytes) else row for row in rows]
                            for kind, rows in node.items()} for name, node in zone.items()}

    def check(self, ip, helo, sender):
        asked = {'zone': self.zone, 'ip': ip, 'helo': helo, 'sender': sender, 'receiver': RECEIVER}
        self.process.stdin.write(json.dumps(asked).encode() + b'\n')
        self.process.stdin.flush()
        self.zone = None  # it keeps it
        result, text, reason = json.loads(self.process.stdout.readline())
        return {'neutral-by-default': 'neutral'}.get(result, result), text, reason

    def close(self):
        self.process.stdin.close()
        return self.process.wait()


# -- What the RFC explains ----

JOINED = r'%\{[^lsLS}][0-9]*[rR]?\.*[-+,/_=]'
PARTED = r'%\{[A-Za-z][-.+,/_=]+\}'

# Who differs, the test of what it said and what is right (result, explanation, reason), of the records and of the check, and
# the clause of RFC 7208.
EXPLAINED = [
    ('both', lambda said, right, check: re.search('[Vv]oid', said[2]) or 'voids' in check.flags,
     '4.6.4: two terms without an answer should be allowed for; what of them is counted is left open'),
    ('pyspf', lambda said, right, check: check.has(r'(?:(?!redirect|exp)(?i:redirect|exp))='),
     '4.6.1, RFC 5234 2.3: names of modifiers are of either case'),
    ('both', lambda said, right, check: check.has(r'%\{[A-Za-z][0-9]*R') or re.search(r'%\{[A-Za-z][0-9]*R', check.exp or ''), '7.1, RFC 5234 2.3: "r" is of either case'),
    ('pyspf', lambda said, right, check: check.has(JOINED) or re.search(JOINED, check.exp or ''),
     '7.3: parts are joined by dots, whatever parted them'),
    ('Mail::SPF', lambda said, right, check: check.has(PARTED) or re.search(PARTED, check.exp or ''),
     '7.3: where there are delimiters alone the value is split too'),
    ('pyspf', lambda said, right, check: 'trivial recursion' in said[2],
     '4.6.2, 5.2: terms are evaluated from left to right, and one that is not reached does nothing'),
    ('Mail::SPF', lambda said, right, check: 'many mx' in check.flags, '4.6.4: more than ten names of MX are an error'),
    ('pyspf', lambda said, right, check: 'MX records' in said[2],
     '4.6.4, 5.4: ten names of MX may be asked, in their order, before it is an error'),
    ('pyspf', lambda said, right, check: ('invalid-macro-char' in said[2] and check.has('%%')) or
     (said[:2] == ('fail', '') and '%%' in (check.exp or '')), '7.1: %% is a percent sign'),
    ('pyspf', lambda said, right, check: said[0] == 'fail' and len(right[1]) > 253, '7.3: names are cut to 253 letters, and no text'),
    ('both', lambda said, right, check: check.no_local and said[0] == right[0] == 'fail' and re.search('%\\{[sS]', check.exp or ''),
     '2.4, 4.3: where there is no local part, it is postmaster'),
    ('both', lambda said, right, check: said[0] == 'temperror' and check.has(r'(?i)(ptr|%\{p)'),
     '5.5: where the names of an address cannot be had, ptr does not match; 7.3: and %{p} is "unknown"'),
    ('pyspf', lambda said, right, check: said[0] == 'none' and check.helo_scope and check.dot,
     '4.3: an empty label at the end of a name is no error'),
    ('Mail::SPF', lambda said, right, check: check.ip.version == 4 and check.has('(?i) .?ip6:'),
     '5.6: ip6 does not compare with an IPv4 address'),
    ('Mail::SPF', lambda said, right, check: said[0] == 'fail' and said[1].lower() == right[1].lower(),
     '7.4: %{i} of an IPv6 address is written in capitals'),
    ('both', lambda said, right, check: 'exp syntax' in check.flags and said[0] == right[0] == 'fail',
     '6.2: where the text of exp= has an error, or is there twice, there is no explanation'),
    ('both', lambda said, right, check: not check.local.isascii() and
     (check.has(r'%\{[slSL]') or re.search(r'%\{[slSL]', check.exp or '')), 'RFC 8616 4: %{s} and %{l} with letters outside ASCII'),
    ('Mail::SPF', lambda said, right, check: not check.local.isascii() and said[:2] == ('fail', '') and right[0] == 'fail' and right[1].isascii(),
     '6.2: a text of US-ASCII explains, of whatever letters the sender is'),
    ('both', lambda said, right, check: said[1] == '' and 'p' in check.flags and right[0] == said[0],
     '4.6.4: the questions of exp= are not counted'),
    ('pyspf', lambda said, right, check: 'MUST appear at most once' in said[2] and not re.search('(?i)redirect|exp', said[2].split()[3]),
     '6: only redirect and exp must not be there twice'),
    ('both', lambda said, right, check: 'syntax' in check.flags, '4.6: an error anywhere in a record is one of the whole record'),
    ('both', lambda said, right, check: check.dot and (check.has(r'%\{[hHsSoO]') or re.search(r'%\{[hHsSoO]', check.exp or '')), 
     '7.2 of %{h}, 4.3: a dot at the end of a name is no part of it'),
    ('pyspf', lambda said, right, check: said[0] == 'temperror' and check.has('(?i)mx'),
     '5.4: addresses are compared in turn, and behind one that matches nothing is asked'),
]


class Run:
    def __init__(self, ours, others):
        self.ours, self.others = ours, others
        self.wrong, self.explained, self.seen, self.open = [], collections.Counter(), collections.Counter(), 0

    def one(self, index):
        rng = random.Random(f'{SEED} {index}')
        zone = {name: {kind: [row.encode('latin-1') for row in rows] if kind == 'TXT' else rows for kind, rows in node.items()}
                for name, node in worlds.world(rng).items()}
        for judge in (self.ours, *self.others):
            judge.world(zone)
        for _ in range(4):
            self.ask(index, zone, *worlds.question(rng))

    def ask(self, index, zone, ip, helo, sender):
        check = reference.Check(zone, ip, helo, sender, RECEIVER)
        got = self.ours.check(ip, helo, sender)
        self.seen[got[0]] += 1
        try:
            right = check.run()
        except reference.Undefined:
            self.open += 1
            return
        what = f'world {index}, {ip} {helo} {sender!r}'
        told = f'{sorted(check.flags)} {check.records} of {zone}'
        if right != got[:2]:
            self.wrong.append(f'{what}: we say {got}, the RFC {right} {told}')
        for judge in self.others:
            said = judge.check(ip, helo, sender)
            if said[0] == right[0] and (said[0] != 'fail' or said[1] == right[1]):
                continue
            for who, test, clause in EXPLAINED:
                if who in (judge.name, 'both') and test(said, right, check):
                    self.explained[f'{judge.name} {said[0]}. {clause}'] += 1
                    break
            else:
                self.wrong.append(f'{what}: {judge.name} says {said}, the RFC {right} {told}')


def main():
    module = load_pyspf()
    others = [Pyspf(module)] if module else []
    if shutil.which('perl') and subprocess.run(['perl', '-MMail::SPF', '-e1'], capture_output=True, check=False).returncode == 0:
        others.append(MailSpf())
    run = Run(Ours(sys.argv[1]), others)
    for index in range(COUNT):
        run.one(index)
        if 'POSTERN_DIFFERENTIAL_FIRST' in os.environ and run.wrong:
            break
    ended = [run.ours.close()] + [judge.close() for judge in others if judge.name == 'Mail::SPF']
    print('1..2')
    for name in {'pyspf', 'Mail::SPF'} - {judge.name for judge in others}:
        print(f'# WITHOUT {name} (python3-spf, libmail-spf-perl)')
    print(f"{'not ok' if run.wrong else 'ok'} 1 - SPF: {index + 1} worlds, {sum(run.seen.values())} verdicts of "
          f"{', '.join(['ours'] + [judge.name for judge in others])}, seed {SEED}")
    print(f'# {dict(run.seen)}; {run.open} that the RFC leaves open; {sum(run.explained.values())} differences that the RFC '
          f'explains, {len(run.wrong)} that it does not')
    for clause, count in run.explained.most_common():
        print(f'#   {count:6} {clause}')
    for line in run.wrong[:int(os.environ.get('POSTERN_DIFFERENTIAL_SHOW', '5'))]:
        print('#', line)
    print(f"{'not ok' if any(ended) else 'ok'} 2 - all ended well")
    return 1 if run.wrong or any(ended) else 0


if __name__ == '__main__':
    sys.exit(main())
