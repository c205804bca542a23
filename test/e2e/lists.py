#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Reputation lists: hits and misses, answers that do not count, canaries that switch a list off and on, lists of one's own."""
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from dns_server import DnsServer  # noqa: E402
from lib import POSTERN, Postern, Tap, free_port, message, temp_dir, wait_for  # noqa: E402
from milter_client import MilterClient  # noqa: E402

SOA = ['ns.lists.example', 'nobody', 1, 3600, 600, 86400, 1]
QUESTIONS = 12  # lists.max_questions


def listed(name, *addresses):
    return {name: {'A': list(addresses), 'ttl': 1}}


def nibbles(address):
    return '.'.join(reversed(address.replace(':', '')))


# What the lists hold while they are well.
WELL = {
    'lists.example': {'SOA': SOA, 'ttl': 1},
    **listed('2.0.0.127.zen.lists.example', '127.0.0.2'),
    **listed('9.0.0.45.zen.lists.example', '127.0.0.2', '127.0.0.5'),
    **listed('10.0.0.45.zen.lists.example', '127.0.0.99'),
    **listed('11.0.0.45.zen.lists.example', '127.255.255.254'),
    **listed('12.0.0.45.zen.lists.example', '10.1.2.3'),
    **listed(nibbles('2a00:0001:0000:0000:0000:0000:0000:0009') + '.zen.lists.example', '127.0.0.2'),
    **listed('test.dbl.lists.example', '127.0.1.2'),
    **listed('spam.example.net.dbl.lists.example', '127.0.1.2'),
    **listed('shady.example.dbl.lists.example', '127.0.1.2'),
    **listed('example.org.dbl.lists.example', '127.0.1.2'),
    # Hosts of the owners of the lists, and a sender who names them.
    **{name: {'A': ['192.0.2.53'], 'ttl': 1, 'delay': 0.05} for name in ('ns.zen.lists.example', 'ns.host.dbl.lists.example')},
    'switch.example': {'TXT': ['v=spf1 a:ns.zen.lists.example a:ns.host.dbl.lists.example -all']},
}

LISTS = '''
lists:
  max_questions: {questions}
  own_domains: [ours.example]
  canary_interval: 1s
  zones:
    - name: zen
      zone: zen.lists.example
      kind: ip
      about: [client, received]
      codes: ["127.0.0.2 = spam source", "127.0.0.4/30 = exploited host"]
    - name: dbl
      zone: dbl.lists.example
      kind: domain
      about: [helo, sender, from, replies, urls]
      codes: ["127.0.1.2 = spam domain"]
  local:
    - name: blocked
      file: {file}
      kind: block
      about: [client, sender, from, urls]
'''


class House:
    def __init__(self, dns, zones=''):
        self.port = free_port()
        self.dns = dns
        self.file = temp_dir() + '/blocked'
        self.fill('# what we do not want\n198.51.100.0/24\n.unwanted.example\n')
        self.milter = free_port()
        self.settings = (f'milter: {{ listen: 127.0.0.1:{self.milter} }}\nhttp: {{ listen: 127.0.0.1:{self.port} }}\nworkers: {{ scanners: 2 }}\n'
                         f'dns: {{ servers: ["{dns.address}"], timeout: 2s{zones} }}\n'
                         + LISTS.format(questions=QUESTIONS, file=self.file))
        self.postern = Postern(self.settings)

    def fill(self, text):
        with open(self.file, 'w') as file:
            file.write(text)

    def ask(self, method, path, body=b'', **fields):
        client = http.client.HTTPConnection('127.0.0.1', self.port, timeout=30)
        client.request(method, path, body, fields)
        answer = client.getresponse().read().decode()
        client.close()
        return answer

    def judge(self, ip, text=None, sender='alice@example.com', helo='mail.example.com'):
        """{symbol: its sentence}."""
        fields = {'IP': ip, 'From': sender, 'Helo': helo, 'Rcpt': 'bob@example.org'}
        answer = json.loads(self.ask('POST', '/checkv2', (text or message()).encode(), **fields))
        return {name: symbol.get('description', '') for name, symbol in answer['symbols'].items()}

    def metric(self, name):
        return int(re.search(rf'^postern_{name} (\d+)$', self.ask('GET', '/metrics'), re.M).group(1))

    def status(self):
        return self.postern.cli('status').stdout

    def await_state(self, name, state, seconds=30):
        return wait_for(lambda: (line := next((x for x in self.status().splitlines() if x.startswith(f'list {name} ')), ''))
                        and f': {state}' in line and line, seconds, f'the list {name} {state}')


def check_answers(tap, house):
    symbols = house.judge('45.0.0.9')
    tap.equal(symbols.get('DNSBL_CLIENT'), 'The host that sent the message, 45.0.0.9, is on the list zen (spam source, exploited host).',
              'a host on a list: the evidence names host, list and what the answer means')
    tap.ok('DNSBL_CLIENT' in house.judge('2a00:1::9'), 'a host of IPv6 on a list, asked by nibbles')
    for ip, why in (('45.0.0.8', 'that is on no list'), ('45.0.0.10', 'with an answer that no code names')):
        tap.ok('DNSBL_CLIENT' not in house.judge(ip), f'a host {why} is not on a list')
    symbols = house.judge('45.0.0.8', message(sender='x@spam.example.net'))
    tap.has(symbols.get('RHSBL_SENDER', ''), 'spam.example.net, which the message has as its sender, is on the list dbl (spam domain)',
            'a domain of the sender on a list')
    body = 'Look: https://www.shady.example/x and https://us.example.org/ here.\n'
    house.dns.questions.clear()
    symbols = house.judge('45.0.0.8', message(body=body))
    tap.has(symbols.get('URIBL', ''), 'A link leads to shady.example, which is on the list dbl', 'a link to a site on a list')
    asked = {line.split(' ')[1] for line in house.dns.questions if line.startswith('A ')}
    tap.ok(not any('example.org.dbl' in name for name in asked), 'nobody is asked about the domain of the recipient', asked)
    tap.ok('www.shady.example.dbl.lists.example' not in asked, 'the www of a site is not asked about by itself', asked)


def check_ahead(tap, house):
    """What is asked while a message is still coming, and what not."""
    def client(ip, helo):
        session = MilterClient(('127.0.0.1', house.milter)).negotiate()
        session.connect(helo, ip)
        session.helo(helo)
        return session

    def asked(words):
        return sorted(name for name in house.dns.questions if any(word in name for word in words))

    def missing(names):
        try:
            wait_for(lambda: all(house.dns.questions[name] for name in names), 5, 'the questions')
        except TimeoutError:
            pass
        return [name for name in names if not house.dns.questions[name]]

    house.dns.questions.clear()
    quiet = [client('45.0.0.13', 'user.example.net'), client('127.0.0.1', 'inner.example.net'), client('45.0.0.15', 'waits.example.net')]
    quiet[0].mail('x@user.example.net', macros={'{auth_authen}': 'alice'})
    quiet[1].mail('x@sub.ours.example')
    last = client('45.0.0.9', 'mail.ahead.example')
    last.mail('x@spam.example.net')
    tap.equal(missing(['A 9.0.0.45.zen.lists.example', 'A mail.ahead.example.dbl.lists.example', 'A spam.example.net.dbl.lists.example',
                       'TXT _dmarc.spam.example.net', 'TXT spam.example.net']), [],
              'from MAIL on lists are asked about client, HELO and sender, and the domain of the sender for its policy')
    for words, why in ((['13.0.0.45', 'user.example.net'], 'a user of ours'), (['ours.example.dbl'], 'a domain of ours'),
                       (['inner.example.net.dbl'], 'a host of ours'),
                       (['15.0.0.45', 'waits.example.net'], 'who has not come to MAIL: AUTH may follow')):
        tap.equal(asked(words), [], f'nobody is asked ahead about {why}')
    for session in [*quiet, last]:
        session.quit()


def check_budget(tap, house):
    body = ''.join(f'https://host{i}.many{i}.example/ \n' for i in range(40))
    house.dns.questions.clear()
    house.judge('45.0.0.8', message(body=body))
    asked = {line for line in house.dns.questions if 'many' in line}
    tap.ok(0 < len(asked) < QUESTIONS, 'no more questions about a message than the configuration allows', sorted(asked))
    tap.ok(all(re.match(r'A many\d+\.example\.dbl', line) for line in asked), 'domains come before hosts', sorted(asked))


def check_refusal(tap, house):
    for ip, answer, why in (('45.0.0.11', '127.255.255.254', 'says "ask otherwise"'), ('45.0.0.12', '10.1.2.3', 'no list would give')):
        before = house.postern.log().count('event=list.on list=zen')
        tap.ok('DNSBL_CLIENT' not in house.judge(ip), f'an answer that {why} is no hit')
        log = house.postern.log()
        tap.ok(re.search(rf'level=error.*event=list\.off.*list=zen.*\({re.escape(answer)}', log) is not None,
               'and the list is switched off, said loudly', log[-2000:])
        wait_for(lambda: house.postern.log().count('event=list.on list=zen') > before, 20, 'the list on again')
    tap.ok('DNSBL_CLIENT' in house.judge('45.0.0.9'), 'a list whose canaries are well is switched on again')


def check_flapping(tap, house):
    """A list whose canaries are well and which answers nobody else comes back later and later, and is told of once."""
    def count(event):
        return house.postern.log().count(f'event=list.{event} list=zen')

    off, on, switched = count('off'), count('on'), house.metric('list_switched_off_total')
    house.dns.load({**WELL, '1.0.0.127.zen.lists.example': {}, **listed('*.zen.lists.example', '127.255.255.254')})
    begin, moments = time.monotonic(), []
    while time.monotonic() < begin + 12:
        house.judge(f'46.0.1.{len(moments) + 1}')
        if house.metric('list_switched_off_total') > switched + len(moments):
            moments.append(time.monotonic())
        time.sleep(0.1)
    pauses = [later - earlier for earlier, later in zip(moments, moments[1:])]
    tap.ok(3 <= len(moments) <= 6, 'a list that refuses all but its canaries is tried again and again, and not each time they are well', pauses)
    tap.ok(pauses and pauses[-1] > 2 * pauses[0], 'in growing intervals', pauses)
    tap.equal((count('off') - off, count('on') - on), (1, 0), 'the log says once that it is off, and not that it is on')
    house.dns.load(WELL)
    house.await_state('zen', 'on', 30)
    tap.ok('DNSBL_CLIENT' in house.judge('45.0.0.9'), 'when it answers it is asked again')
    wait_for(lambda: count('on') > on, 30, 'the list on')
    tap.equal((count('off') - off, count('on') - on), (1, 1), 'and the log says so when it was well for as long')


def check_names_below(tap, house):
    """Whoever sends mail can have names below a zone asked about; some of them are hosts, and no answers of the list."""
    before = house.postern.log().count('event=list.off')
    house.dns.questions.clear()
    house.judge('45.0.0.8', message(body='Look: https://ns.host/x here.\n'), sender='x@switch.example')
    asked = [name for name in ('ns.zen.lists.example', 'ns.host.dbl.lists.example') if house.dns.questions[f'A {name}']]
    tap.equal(len(asked), 2, 'hosts of the owners of lists are asked about')
    tap.equal(house.postern.log().count('event=list.off'), before, 'which switches no list off')


def check_canaries(tap, house):
    def broken(name, rows):
        house.dns.load(rows)
        return house.await_state(name, 'SWITCHED OFF')
    others = {name: rows for name, rows in WELL.items() if '.zen.' not in name}
    line = broken('zen', {**others, **listed('*.zen.lists.example', '127.0.0.2')})
    tap.has(line, 'it lists 1.0.0.127.zen.lists.example, which it must not', 'a list that names everybody is switched off: status says why')
    tap.has(line, 'REPUTATION LISTS in postern.yaml(5)', 'and where to read about it')
    tap.equal((house.metric('list_zones'), house.metric('list_zones_off')), (2, 1), 'the metrics count it')
    house.dns.questions.clear()
    refused = house.metric('list_questions_refused_total')
    tap.ok('DNSBL_CLIENT' not in house.judge('45.0.0.77'), 'its hits do not count')
    tap.ok(not any('77.0.0.45.zen' in line for line in house.dns.questions), 'its questions are not asked', house.dns.questions)
    tap.equal(house.metric('list_questions_refused_total'), refused + 1, 'which is counted')
    tap.ok('RHSBL_SENDER' in house.judge('45.0.0.8', message(sender='x@spam.example.net')), 'the other list goes on')
    house.dns.load(WELL)
    house.await_state('zen', 'on')
    tap.ok('event=list.on' in house.postern.log() and house.metric('list_zones_off') == 0, 'it is switched on again when it is well')
    line = broken('dbl', {**WELL, 'test.dbl.lists.example': {'A': ['127.255.255.255'], 'ttl': 1}})
    tap.has(line, 'it refuses our questions (127.255.255.255: there were too many)', 'a list that refuses its canary is switched off')
    house.dns.load({name: rows for name, rows in WELL.items() if name != 'test.dbl.lists.example'})
    wait_for(lambda: 'it does not list test.dbl.lists.example, which it must' in house.status(), 30, 'the empty list')
    tap.ok(True, 'a list that has nothing any more is switched off')
    house.dns.load(WELL)
    house.await_state('dbl', 'on')
    line = broken('zen', {**WELL, '2.0.0.127.zen.lists.example': {'servfail': True}})
    tap.has(line, 'no answer about 2.0.0.127.zen.lists.example', 'so is one that does not answer')
    house.dns.load(WELL)
    house.await_state('zen', 'on', 60)
    tap.ok('DNSBL_CLIENT' in house.judge('45.0.0.9'), 'and comes back too')


def check_kept(tap, house, way):
    """What a list says of its canaries may be kept for long; they are asked every interval nevertheless."""
    soa = {'lists.example': {'SOA': SOA[:6] + [300], 'ttl': 300}}
    long = {name: {**rows, 'ttl': 300} for name, rows in WELL.items()} | soa
    canaries = ('A 1.0.0.127.zen.lists.example', 'A 2.0.0.127.zen.lists.example')
    house.dns.load(long)
    wait_for(lambda: all(house.dns.questions[canary] > 2 for canary in canaries), 20, f'{way}: canaries of an interval each')
    house.dns.load({name: rows for name, rows in long.items() if '.zen.' not in name} | {'*.zen.lists.example': {'A': ['127.0.0.2'], 'ttl': 300}})
    line = house.await_state('zen', 'SWITCHED OFF', 10)
    tap.has(line, 'it lists 1.0.0.127.zen.lists.example, which it must not', f'{way}: a kept answer hides no change for the worse')
    house.dns.load({name: rows for name, rows in long.items() if '.zen.' not in name})
    wait_for(lambda: 'it does not list 2.0.0.127.zen.lists.example, which it must' in house.status(), 10, f'{way}: the empty list')
    house.dns.load(long)
    house.await_state('zen', 'on', 10)
    tap.ok(True, f'{way}: and none for the better')
    house.dns.load(WELL)


def check_local(tap, house):
    body = 'Look: http://www.unwanted.example/\n'
    symbols = house.judge('45.0.0.8', message(body=body))
    tap.equal(symbols.get('LOCAL_BLOCK'), 'www.unwanted.example is on your own block list blocked (.unwanted.example).',
              'a link that a list of our own names')
    tap.ok('LOCAL_BLOCK' in house.judge('198.51.100.7'), 'a client in a network that it names')
    tap.ok('LOCAL_BLOCK' not in house.judge('45.0.0.8', sender='spammer@friend.example'), 'a sender that it does not name')
    # Recorded, and judged again where the file is not.
    folder = temp_dir()
    with open(folder + '/m.eml', 'w', newline='') as file:
        file.write(message(body=body))
    scanned = house.postern.cli('scan', '--no-dns', '--record', folder + '/case', '--json', folder + '/m.eml')
    tap.has(scanned.stdout, 'LOCAL_BLOCK', 'postern scan --config reads lists of our own')
    house.fill('spammer@friend.example\nnot an entry\n')
    replayed = subprocess.run([POSTERN, 'replay', folder + '/case'], capture_output=True, text=True)
    tap.equal(replayed.returncode, 0, 'a recorded case is judged alike without the file')
    checked = subprocess.run([POSTERN, 'check-config', house.postern.config], capture_output=True, text=True)
    tap.ok(checked.returncode == 2 and f'{house.file}:2: "not an entry"' in checked.stderr, 'check-config names a wrong line of the file',
           checked.stderr)
    reloaded = house.postern.cli('reload')
    tap.equal(reloaded.returncode, 2, 'postern reload refuses it')
    house.postern.process.send_signal(signal.SIGHUP)
    wait_for(lambda: 'event=list.wrong' in house.postern.log(), 20, 'the wrong line in the log')
    house.fill('spammer@friend.example\n')
    loaded = house.postern.log().count('event=list.loaded')
    tap.equal(house.postern.cli('reload').returncode, 0, 'postern reload takes the right one')
    wait_for(lambda: house.postern.log().count('event=list.loaded') > loaded, 20, 'the new list')
    wait_for(lambda: 'LOCAL_BLOCK' in house.judge('45.0.0.8', sender='spammer@friend.example'), 20, 'a hit in the new list')
    wait_for(lambda: 'LOCAL_BLOCK' not in house.judge('198.51.100.7'), 20, 'the end of the old list')
    tap.ok(True, 'after a reload the new file counts, and the old one does not')
    house.await_state('zen', 'on')
    tap.ok('DNSBL_CLIENT' in house.judge('45.0.0.9'), 'and the lists in the DNS go on')


def images(postern):
    """The memory files that the scanners look into, as (inode, size, how much of it a scanner has for itself)."""
    found = []
    for name, pids in postern.children().items():
        for pid in pids if name.startswith('scanner') else ():
            lines = open(f'/proc/{pid}/smaps').read().splitlines()
            for i, line in enumerate(lines):
                if 'memfd:' in line:
                    facts = dict(row.split(':', 1) for row in lines[i + 1:i + 20] if row.endswith(' kB'))
                    found.append((line.split()[4], int(facts['Size'].split()[0]), int(facts['Anonymous'].split()[0])))
    return found


def check_local_files(tap, house):
    """Files are read once, into memory that all scanners share; what cannot be read stays as it was."""
    listed = lambda sender: 'LOCAL_BLOCK' in house.judge('45.0.0.8', sender=sender)
    reloads = house.postern.log().count('event=reload ')
    house.fill(''.join(f'host{n * 7919 % 200000}.bad{n % 977}.example\n' for n in range(200000)) + 'last@friend.example\n')
    house.postern.process.send_signal(signal.SIGHUP)
    house.postern.process.send_signal(signal.SIGHUP)
    wait_for(lambda: listed('last@friend.example'), 60, 'a hit in the large list')
    wait_for(lambda: house.postern.log().count('event=reload ') >= reloads + 1, 20, 'the reload')
    wait_for(lambda: len({inode for inode, _, _ in images(house.postern)}) == 1, 60, 'the end of the earlier scanners')
    found = images(house.postern)
    tap.ok(len(found) > 1 and found[0][1] > 4000 and not any(private for _, _, private in found),
           f'all {len(found)} scanners look into one image of {found[0][1]} kB, and none has a copy')
    os.rename(house.file, house.file + '.gone')
    wrong = house.postern.log().count('event=list.wrong')
    house.postern.process.send_signal(signal.SIGHUP)
    wait_for(lambda: house.postern.log().count('event=list.wrong') > wrong + 1, 20, 'the missing file in the log')
    tap.has(house.postern.log(), 'the list stays as it was', 'a file that is gone is said, and what becomes of the list')
    before = {pid for name, pids in house.postern.children().items() if name.startswith('scanner') for pid in pids}
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    tap.ok(wait_for(lambda: listed('last@friend.example'), 20, 'a hit in the list whose file is gone'),
           'the list stays in force, also in scanners that begin after that')
    os.rename(house.file + '.gone', house.file)
    house.fill('spammer@friend.example\n')
    house.postern.process.send_signal(signal.SIGHUP)
    wait_for(lambda: not listed('last@friend.example'), 20, 'the file that is back')
    tap.ok(listed('spammer@friend.example'), 'a file that is back counts again')


def main():
    tap = Tap()
    with DnsServer(WELL) as dns:
        house = House(dns)
        house.await_state('zen', 'on')
        house.await_state('dbl', 'on')
        tap.ok(True, 'lists whose canaries are well are on')
        check_ahead(tap, house)
        check_answers(tap, house)
        check_budget(tap, house)
        check_refusal(tap, house)
        check_flapping(tap, house)
        check_names_below(tap, house)
        check_canaries(tap, house)
        check_kept(tap, house, 'the short way')
        check_local(tap, house)
        check_local_files(tap, house)
        tap.equal(house.postern.reports(), [], 'no sanitizer spoke')
        house.postern.stop()
        tap.equal(os.path.exists(house.postern.dir + '/run/lists.tsv'), False, 'an end leaves no state of lists behind')
        house = House(dns, f', zones: [{{ name: inner.example, server: "{dns.address}" }}]')
        house.await_state('zen', 'on')
        check_kept(tap, house, 'the long way')
        house.postern.stop()
    tap.done()


if __name__ == '__main__':
    main()
