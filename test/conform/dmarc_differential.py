#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""DMARC of ours, by RFC 7489 against Mail::DMARC and the reference, by RFC 9989 against the reference.

dmarc_differential.py DRIVER [SEED]. POSTERN_DIFFERENTIAL is the number of worlds, 300 unless told; POSTERN_DIFFERENTIAL_FIRST
ends at the first difference. We must judge as dmarc_reference.py does. Where Mail::DMARC differs from the two, that is an error
unless a row of EXPLAINED names the clause that decides it: so a row can hide a mistake of others only."""
import collections
import json
import os
import random
import re
import shutil
import subprocess
import sys

import dmarc_reference as reference

HERE = os.path.dirname(os.path.abspath(__file__))
COUNT = int(os.environ.get('POSTERN_DIFFERENTIAL', '300'))
SEED = int(sys.argv[2]) if len(sys.argv) > 2 else 7489
NAMES = ['example.com', 'mail.example.com', 'a.b.example.com', 'other.com', 'badexample.com', 'shop.co.uk', 'www.shop.co.uk',
         'x.y.www.shop.co.uk', 'site.city.ck', 'sub.site.city.ck', 'city.ck', 'unknown.tld', 'deep.unknown.tld', 'co.uk', 'com',
         '1.2.3.4.5.6.7.8.9.example.com', '3.4.5.6.7.8.9.example.com', '4.5.6.7.8.9.example.com', '6.7.8.9.example.com']


# -- Worlds ----

def value(rng, name):
    if name in ('p', 'sp', 'np'):
        return rng.choice(['none', 'quarantine', 'reject', 'reject', 'Reject', 'QUARANTINE'] * 3 + ['block', 'non', ''])
    if name in ('adkim', 'aspf'):
        return rng.choice(['r', 's', 's', 'S', 'R', 'x'])
    if name in ('rua', 'ruf'):
        return rng.choice(['mailto:a@example.com', 'mailto:a@example.com!10m,mailto:b@example.com', 'example.com', 'https://example.com/x',
                           'mailto:a@example.com, mailto:b@shop.co.uk', ''])
    return {'pct': lambda: rng.choice(['0', '100', '100', '00', '101', 'x']), 'psd': lambda: rng.choice('uynYz'),
            't': lambda: rng.choice('ynYx'), 'fo': lambda: rng.choice(['0', '1', 'd:s', '1:d:s', '9']),
            'ri': lambda: rng.choice(['86400', 'x']), 'rf': lambda: 'afrf', 'x': lambda: rng.choice(['', 'y', 'a=b'])}[name]()


def record(rng, mode):
    names = ['p'] if rng.random() < 0.93 else []
    names += rng.sample(['sp', 'adkim', 'aspf', 'rua', 'ruf', 'pct', 'fo', 'ri', 'rf', 'x'] + (['np', 'psd', 't'] if mode == 9989 else []),
                        rng.choice([0, 1, 2, 2, 3, 5]))
    if rng.random() < 0.4:
        rng.shuffle(names)
    if rng.random() < 0.05 and names:
        names.append(rng.choice(names))
    blank = lambda: rng.choice(['', '', '', ' ', '\t', '  '])  # noqa: E731
    version = rng.choice(['v=DMARC1'] * 15 + ['V=DMARC1', 'v = DMARC1', 'v=dmarc1', 'v=DMARC2', 'v=DMARC1x'])
    text = version + blank()
    for name in names:
        spelled = name if rng.random() < 0.9 else name.upper()
        text += ';' + blank() + spelled + blank() + '=' + blank() + value(rng, name) + blank()
    text += rng.choice(['', '', ';', '; ', ';;'])
    if rng.random() < 0.04:
        text = rng.choice(['p=reject; ' + text, text.replace(';', ',', 1), text + 'junk', 'v=spf1 -all', text.replace('=', ':', 2)])
    return text


def world(rng, mode):
    zone = {}
    for name in NAMES:
        if rng.random() < (0.25 if name in ('co.uk', 'com', 'city.ck') else 0.5):
            zone[name] = [record(rng, mode)] + ([record(rng, mode)] if rng.random() < 0.05 else [])
            if mode == 9989 and name in ('co.uk', 'com', 'city.ck') and rng.random() < 0.6:
                zone[name] = ['v=DMARC1; p=' + rng.choice(['none', 'reject']) + '; psd=y' + rng.choice(['', '; sp=quarantine', '; np=reject'])]
    failing = rng.sample(NAMES, rng.choice([0, 0, 0, 0, 0, 1]))
    return zone, failing, set(rng.sample(NAMES, 9))


def passed_of(spf, dkim):
    return None if not spf or spf[0] == '!' else spf, [one for one in dkim if one[0] != '!']


# -- The judges ----

class Ours:
    def __init__(self, program):
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def tell(self, *fields):
        self.process.stdin.write('\t'.join(fields) + '\n')

    def world(self, zone, failing, existing):
        self.tell('zone')
        for name, rows in zone.items():
            for row in rows:
                self.tell('TXT', ('_dmarc.' + name).encode().hex(), '0', row.encode().hex())
        for name in failing:
            self.tell('fail', 'TXT', ('_dmarc.' + name).encode().hex())
        for name in existing:
            self.tell('name', name.encode().hex())

    def judge(self, mode, author, spf, dkim):
        self.tell('dmarc', str(mode), 'someone@' + author, spf or '-', *dkim)
        self.process.stdin.flush()
        return tuple(self.process.stdout.readline().rstrip('\n').split('\t'))


class MailDmarc:
    def __init__(self):
        self.process = subprocess.Popen(['perl', os.path.join(HERE, 'mail_dmarc.pl')], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True)
        self.asked = {}

    def world(self, zone, failing):
        self.asked = {'zone': {'_dmarc.' + name: rows for name, rows in zone.items()}, 'fail': ['_dmarc.' + name for name in failing]}

    def judge(self, author, spf, dkim):
        spf, dkim = passed_of(spf, dkim)
        self.asked.update(author=author.lower(), spf=(spf or '').lower(), dkim=dkim)
        self.process.stdin.write(json.dumps(self.asked) + '\n')
        self.process.stdin.flush()
        self.asked = {}
        result, disposition, by_spf, by_dkim, reason = json.loads(self.process.stdout.readline())
        return result, disposition.lower(), ('spf' if by_spf == 'pass' else '') + ('dkim' if by_dkim == 'pass' else ''), reason


# -- What the RFC explains: what it said and what is right, the records that count; the clause of RFC 7489 ----

EXPLAINED = [
    (lambda said, right, rows: 'invalid header_from' in said[3], '3.2: a domain that no rule of the list names is organized under its '
     'last label'),
    (lambda said, right, rows: right[:2] != ('none', '-') and right[0] == 'none' and said[1] == 'none', '6.6.3 step 6: without a policy no action is taken; what '
     'to call that is open'),
    (lambda said, right, rows: right[0] == 'none' and 'too many' in said[3], '6.6.3 step 5: of several records none is taken'),
    (lambda said, right, rows: any(not re.match('[vV]=DMARC1[ \t]*(;|$)', row) for row in rows),
     '6.3, 6.4: a record begins with v=DMARC1 in capitals, perhaps with blanks around "="'),
    (lambda said, right, rows: any(doubled(row) for row in rows), '6.3: which of two tags of one name counts is open; ours is the first'),
    (lambda said, right, rows: 'sampled_out' in said[3] and any(re.search('(?i)pct[ \t]*=[ \t]*(?![0-9])', row) for row in rows),
     '6.3: for a value in error the default counts, of pct= 100'),
    (lambda said, right, rows: 'sampled_out' in said[3] and right[3] == 'reject' and not any(re.search('p[ \t]*=[ \t]*reject', row) for row in rows),
     '6.4: policies are of either case'),
    (lambda said, right, rows: right[3] == 'none' and any(
        re.search('(?i)(;|^)[ \t]*s?p[ \t]*=[ \t]*(?!none|quarantine|reject)|^(?!.*;[ \t]*p[ \t]*=)', row) for row in rows),
     '6.6.3 step 6: with a report address a record without a policy stands for p=none'),
    (lambda said, right, rows: right[0] == 'none' and any(re.search('(?i)s?p[ \t]*=[ \t]*(;|$)', row) for row in rows),
     '6.6.3 step 6: an sp= without a value is not valid, and not absent'),
]


def doubled(row):
    names = [tag.partition('=')[0].strip().lower() for tag in row.split(';') if tag.strip()]
    return len(names) != len(set(names))


class Run:
    def __init__(self, ours, perl):
        self.ours, self.perl = ours, perl
        self.wrong, self.explained, self.seen, self.open = [], collections.Counter(), collections.Counter(), 0

    def one(self, index, mode):
        rng = random.Random(f'{SEED} {index} {mode}')
        zone, failing, existing = world(rng, mode)
        self.ours.world(zone, failing, existing)
        if self.perl:
            self.perl.world(zone, failing)
        judge = reference.Judge(mode, zone, failing, existing)
        for _ in range(4):
            author = rng.choice(NAMES + NAMES[:3])
            near = [name for name in NAMES if name.endswith(author[-6:])]
            spf = rng.choice([None, author, rng.choice(near), rng.choice(NAMES), 'z.' + author, author.upper()])
            dkim = [rng.choice([author, rng.choice(near), rng.choice(NAMES), 'z.' + rng.choice(NAMES)])
                    for _ in range(rng.choice([0, 0, 1, 2]))]
            failed = rng.random() < 0.2  # what has "!" before it did not pass
            spf, dkim = '!' + spf if spf and failed else spf, [rng.choice(['', '', '!']) + one for one in dkim]
            self.ask(index, mode, judge, author, spf, dkim)

    def ask(self, index, mode, judge, author, spf, dkim):
        right, got = judge.judge(author, *passed_of(spf, dkim)), self.ours.judge(mode, author, spf, dkim)
        self.seen[got[0]] += 1
        what = f'world {index} of {mode}, {author} spf={spf} dkim={dkim}'
        records = {name: judge.zone[name] for name in {author, reference.organizational(author)} if name in judge.zone}
        told = f'{records} of {judge.zone} fail {judge.failing} exist {judge.existing}'
        said = self.perl.judge(author, spf, dkim) if self.perl and mode == 7489 else None
        if right is None:
            # RFC 9989 4.10.1 leaves it to us what follows of a failure; but nothing may pass that is not aligned.
            self.open += 1
            return
        if right != got:
            self.wrong.append(f'{what}: we say {got}, the RFC {right} {told}')
        if said and said[:3] != (right[0], right[4], right[5]):
            for test, clause in EXPLAINED:
                if test(said, right, [row for rows in records.values() for row in rows]):
                    self.explained[f'{said[0]}. {clause}'] += 1
                    break
            else:
                self.wrong.append(f'{what}: Mail::DMARC says {said}, the RFC {right} {told}')


def main():
    perl = MailDmarc() if shutil.which('perl') and subprocess.run(
        ['perl', '-MMail::DMARC::PurePerl', '-e1'], capture_output=True, check=False).returncode == 0 else None
    run = Run(Ours(sys.argv[1]), perl)
    for index in range(COUNT):
        run.one(index, 7489)
        run.one(index, 9989)
        if 'POSTERN_DIFFERENTIAL_FIRST' in os.environ and run.wrong:
            break
    run.ours.process.stdin.close()
    ended = run.ours.process.wait()
    if perl:
        perl.process.stdin.close()
        perl.process.wait()
    print('1..2')
    print(f"# {'with' if perl else 'WITHOUT (libmail-dmarc-perl is missing)'} Mail::DMARC, seed {SEED}")
    print(f"{'not ok' if run.wrong else 'ok'} 1 - DMARC: {2 * (index + 1)} worlds, {sum(run.seen.values())} verdicts")
    print(f'# {dict(run.seen)}; {run.open} open for a failure of DNS; {sum(run.explained.values())} differences that the RFC explains, '
          f'{len(run.wrong)} that it does not')
    for clause, count in run.explained.most_common():
        print(f'#   {count:6} Mail::DMARC {clause}')
    for line in run.wrong[:int(os.environ.get('POSTERN_DIFFERENTIAL_SHOW', '5'))]:
        print('#', line)
    print(f"{'not ok' if ended else 'ok'} 2 - our judge ended well")
    return 1 if run.wrong or ended else 0


if __name__ == '__main__':
    sys.exit(main())
