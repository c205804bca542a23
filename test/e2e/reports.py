#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Reports on a running system: mail is counted and the courier sends who asks for it a DMARC report of the day before; the
reports that others send us are read from their mail and summed. The clock is not turned: the tallies are moved to yesterday in
the database."""
import email
import email.policy
import gzip
import json
import os
import signal
import smtplib
import sqlite3
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from cli_dmarc import mail, report, row, tls_report  # noqa: E402
from dns_server import DnsServer  # noqa: E402
from lib import POSTERN, Postern, Sink, Tap, free_port, message, wait_for  # noqa: E402

SPACE = '{urn:ietf:params:xml:ns:dmarc-2.0}'
DAY = 86400
ZONE = {
    'good.example': {'TXT': ['v=spf1 ip4:198.51.100.1 -all']},
    '_dmarc.good.example': {'TXT': ['v=DMARC1; p=reject; rua=mailto:dmarc@good.example!10m']},
    '_dmarc.sub.good.example': {'TXT': ['v=DMARC1; p=quarantine; t=y; rua=mailto:sub@good.example']},
    '_dmarc.outside.example': {'TXT': ['v=DMARC1; p=none; rua=mailto:in@collector.example,mailto:x@unwilling.example,mailto:v@victim.example']},
    'outside.example._report._dmarc.collector.example': {'TXT': ['v=DMARC1; rua=mailto:real@collector.example']},
    'outside.example._report._dmarc.unwilling.example': {'TXT': ['nothing about reports']},
    '_dmarc.silent.example': {'TXT': ['v=DMARC1; p=reject']},
    'receiver.example': {'TXT': ['v=spf1 ip4:203.0.113.9 -all']},
    '_dmarc.receiver.example': {'TXT': ['v=DMARC1; p=reject']},
    'evil.example': {'TXT': ['v=spf1 ip4:192.0.2.66 -all']},
    '_dmarc.evil.example': {'TXT': ['v=DMARC1; p=reject']},
}


class World:
    def __init__(self, on=True, workers=''):
        self.dns = DnsServer(ZONE).start()
        self.next = Sink()   # where mail goes on to
        self.out = Sink()    # where reports go out
        self.port = free_port()
        self.on = on
        self.settings = f'''
milter: {{ listen: off }}
http: {{ listen: off }}
hostname: mx.example.org
smtp: {{ listen: 127.0.0.1:{self.port}, next_hop: 127.0.0.1:{self.next.port} }}
dns: {{ servers: ["{self.dns.address}"], timeout: 1s }}
actions: {{ dmarc_reject: reject, dmarc_quarantine: quarantine }}
{workers}
'''
        self.reports = f'''
reports:
  addresses: ["dmarc@example.org", "tlsrpt@example.org"]
  dmarc: true
  from: reports@example.org
  org: Example Org
  next_hop: 127.0.0.1:{self.out.port}
  spread: 0ms
'''
        self.postern = Postern(self.settings + (self.reports if on else ''))

    def send(self, text, sender, ip='198.51.100.1', to='bob@example.org'):
        """As if from that address, which the proxy believes who comes from loopback."""
        with smtplib.SMTP('127.0.0.1', self.port, 'relay.example', timeout=60) as smtp:
            smtp.ehlo()
            smtp.docmd('XFORWARD', f'NAME=client.example ADDR={ip} HELO=client.example PROTO=ESMTP')
            smtp.mail(sender)
            smtp.rcpt(to)
            code, reply = smtp.data(text.encode() if isinstance(text, str) else text)
            return code, reply.decode()

    def database(self):
        return sqlite3.connect(self.postern.dir + '/state/postern.db', timeout=20)

    def ask(self, sql, *values):
        db = self.database()
        try:
            with db:
                return db.execute(sql, values).fetchall()
        finally:
            db.close()

    def tallied(self):
        return self.ask('SELECT COALESCE(SUM(count), 0) FROM owed_record')[0][0]

    def to_yesterday(self, days=1):
        """As if the day were over."""
        now = int(time.time()) // DAY
        self.ask('UPDATE owed SET day = ? WHERE day = ?', now - days, now)
        self.ask('UPDATE owed_record SET day = ? WHERE day = ?', now - days, now)

    def new_courier(self):
        """A round begins when a courier does."""
        before = self.postern.children()['courier-0'][0]
        os.kill(before, signal.SIGKILL)
        wait_for(lambda: self.postern.children().get('courier-0', [before])[0] != before, 20, 'another courier')

    def unsent(self):
        return {domain for (domain,) in self.ask('SELECT domain FROM owed WHERE sent = 0')}


def read_letter(letter):
    parsed = email.message_from_bytes(letter['data'], policy=email.policy.default)
    parts = [part for part in parsed.walk() if part.get_content_type() == 'application/gzip']
    return parsed, parts[0].get_filename(), ElementTree.fromstring(gzip.decompress(parts[0].get_payload(decode=True)))


def text(node, path):
    found = node.find('/'.join(SPACE + name for name in path.split('/')))
    return found.text if found is not None else None


def check_tallies(tap, world):
    for number in range(3):
        code, _ = world.send(message(subject=f'good {number}', sender='alice@good.example'), 'alice@good.example')
        tap.equal(code, 250, f'honest mail {number} goes on')
    code, _ = world.send(message(subject='stolen', sender='alice@good.example'), 'x@elsewhere.example', ip='192.0.2.66')
    tap.equal(code, 550, 'stolen mail is refused')
    world.send(message(subject='test mode', sender='a@sub.good.example'), 'x@elsewhere.example', ip='192.0.2.66')
    world.send(message(subject='outside', sender='a@outside.example'), 'a@outside.example', ip='192.0.2.7')
    world.send(message(subject='silent', sender='a@silent.example'), 'a@silent.example', ip='192.0.2.7')
    world.send(message(subject='from here', sender='alice@good.example'), 'alice@good.example', ip='127.0.0.1')
    wait_for(lambda: world.tallied() >= 6, 20, 'the tallies')
    tap.equal(world.tallied(), 6, 'what is counted: neither mail of our own nor that of domains that do not ask')
    tap.equal(len(world.out.messages), 0, 'nothing goes out before the day is over')


def check_reports(tap, world):
    # What a bad disk might make of some of it: one record of a domain, and all of another that comes before the rest.
    world.ask("INSERT INTO owed_record SELECT day, domain, '192.0.2.99', header_from, disposition, dkim, spf, x'ff00', 1 FROM owed_record"
              " WHERE domain = 'good.example' LIMIT 1")
    world.ask("INSERT INTO owed SELECT day, 'damaged.example', rua, discovery, 'maybe', sp, np, fo, adkim, aspf, testing, 1, 0 FROM owed"
              " WHERE domain = 'good.example'")
    world.to_yesterday()
    world.new_courier()
    world.out.wait(3)
    wait_for(lambda: world.unsent() == {'damaged.example'}, 20, 'all that can be made is marked as sent')
    world.ask("DELETE FROM owed WHERE domain = 'damaged.example'")
    letters = {letter['to'][0]: letter for letter in world.out.messages}
    tap.equal(sorted(letters), ['dmarc@good.example', 'real@collector.example', 'sub@good.example'],
              'who asked gets a report: at home, and outside where they agree')
    log = world.postern.log()
    tap.ok('to=x@unwilling.example' in log and 'to=v@victim.example' in log and log.count('event=report.unwanted') == 2,
           'the others do not, and the log says so', log[-1500:])
    tap.ok('event=report.not_made' in log and 'domain=damaged.example' in log, 'a report that cannot be made keeps back no other', log[-1500:])
    tap.ok('event=report.damaged' in log and 'records_left_out=1 records=2' in log, 'and a damaged record is left out, and told', log[-1500:])
    parsed, name, xml = read_letter(letters['dmarc@good.example'])
    begin = (int(time.time()) // DAY - 1) * DAY
    tap.equal((letters['dmarc@good.example']['from'], parsed['From']), ('reports@example.org', 'reports@example.org'), 'from whom')
    unique = text(xml, 'report_metadata/report_id')
    tap.equal(name, f'example.org!good.example!{begin}!{begin + DAY - 1}!{unique}.xml.gz', 'the name of the file')
    tap.equal(parsed['Subject'], f'Report Domain: good.example Submitter: example.org Report-ID: <{unique}>', 'the subject')
    tap.equal(parsed['Message-ID'], f'<{unique}@example.org>', 'the Message-ID')
    tap.equal(text(xml, 'report_metadata/org_name'), 'Example Org', 'the organization')
    tap.equal(text(xml, 'policy_published/p'), 'reject', 'the policy')
    rows = {}
    for record in xml.iter(SPACE + 'record'):
        rows[text(record, 'row/source_ip')] = tuple(text(record, path) for path in (
            'row/count', 'row/policy_evaluated/disposition', 'row/policy_evaluated/dkim', 'row/policy_evaluated/spf',
            'identifiers/header_from', 'auth_results/spf/domain', 'auth_results/spf/result', 'row/policy_evaluated/reason/type'))
    tap.equal(rows, {'198.51.100.1': ('3', 'pass', 'fail', 'pass', 'good.example', 'good.example', 'pass', None),
                     '192.0.2.66': ('1', 'reject', 'fail', 'fail', 'good.example', 'elsewhere.example', 'none', None)}, 'the records')
    _, _, xml = read_letter(letters['sub@good.example'])
    tap.equal((text(xml, 'policy_published/testing'), text(xml, 'record/row/policy_evaluated/disposition'),
               text(xml, 'record/row/policy_evaluated/reason/type')), ('y', 'none', 'policy_test_mode'), 'a policy on trial')
    world.new_courier()
    time.sleep(1.5)
    tap.equal(len(world.out.messages), 3, 'another courier sends nothing again')


def check_killed(tap, world):
    """The courier is killed while the next hop has the message and did not answer yet; before, it refuses for now."""
    before = len(world.out.messages)
    world.send(message(subject='more', sender='alice@good.example'), 'alice@good.example')
    wait_for(lambda: world.tallied() >= 7, 20, 'the tally')
    world.to_yesterday(2)
    tap.equal(world.unsent(), {'good.example'}, 'one report is owed')
    world.out.answer = lambda stage, what: '451 4.3.0 not now' if stage == 'MAIL' else None
    world.new_courier()
    wait_for(lambda: 'event=report.put_off' in world.postern.log(), 20, 'putting off')
    tap.equal(world.unsent(), {'good.example'}, 'what the next hop does not take now stays owed')
    world.out.answer = lambda stage, what: None
    world.out.slow.clear()
    commands = len(world.out.commands)
    world.new_courier()
    wait_for(lambda: 'DATA' in world.out.commands[commands:], 20, 'the letter under way')
    os.kill(world.postern.children()['courier-0'][0], signal.SIGKILL)
    world.out.slow.set()
    wait_for(lambda: not world.unsent(), 30, 'the next courier sends it')
    time.sleep(1)
    ids = [email.message_from_bytes(letter['data'])['Message-ID'] for letter in world.out.messages[before:]]
    tap.ok(1 <= len(ids) <= 2 and len(set(ids)) == 1, 'killed in the middle: nothing is lost, a second copy has the same Message-ID', ids)
    tap.equal(len(world.postern.children().get('vault-0', [])), 1, 'and the other daemons do not mind')


def cli(world, *words):
    return subprocess.run([POSTERN, 'dmarc', *words, '--config', world.postern.config], capture_output=True, text=True, timeout=60)


def listed(world, *words):
    return {(row['domain'], row['state'], row['messages'], row['records'])
            for row in map(json.loads, cli(world, 'owed', '--json', *words).stdout.splitlines())}


def check_counting(tap, world):
    """What will be sent can be looked at before the day is over, and is not sent by hand before that."""
    tap.ok(('good.example', 'counting', 4, 2) in listed(world) and len(listed(world)) == 3, 'what is counted is listed', listed(world))
    tap.has(cli(world, 'owed', '--domain', 'Good.Example').stdout, 'good.example -> mailto:dmarc@good.example', 'and told to people')
    today = time.strftime('%Y-%m-%d', time.gmtime())
    shown = cli(world, 'send', '--dry-run', '--domain', 'good.example', '--day', today)
    tap.equal((shown.returncode, text(ElementTree.fromstring(shown.stdout), 'policy_published/domain')), (0, 'good.example'),
              'the report so far is shown')
    tap.equal(json.loads(cli(world, 'send', '--dry-run', '--json', '--domain', 'good.example', '--day', today).stdout)['xml'], shown.stdout,
              'and in JSON')
    got = cli(world, 'send')
    tap.equal((got.returncode, got.stdout), (0, 'No report is due.\n'), 'a day that is not over is not sent')
    got = cli(world, 'send', '--dry-run')
    tap.equal((got.returncode, got.stdout), (1, ''), 'nor shown without being asked for')
    got = cli(world, 'send', '--day', 'today')
    tap.equal((got.returncode, len(got.stderr.splitlines())), (2, 1), 'no day is an error')


def check_sent_by_hand(tap, world):
    world.send(message(subject='by hand', sender='a@outside.example'), 'a@outside.example', ip='192.0.2.7')
    wait_for(lambda: world.ask("SELECT COUNT(*) FROM owed WHERE sent = 0")[0][0] == 1, 20, 'the tally')
    world.to_yesterday(3)
    tap.ok(('outside.example', 'due', 1, 1) in listed(world), 'it is due', listed(world))
    before = len(world.out.messages)
    world.out.answer = lambda stage, what: '451 4.3.0 not now' if stage == 'MAIL' else None
    got = cli(world, 'send')
    tap.equal((got.returncode, world.unsent()), (1, {'outside.example'}), 'what is not taken stays owed, and is exit status 1')
    tap.has(got.stdout, 'failed   outside.example -> real@collector.example: ', 'and it is said')
    world.out.answer = lambda stage, what: None
    got = cli(world, 'send', '--json')
    rows = [json.loads(line) for line in got.stdout.splitlines()]
    tap.equal((got.returncode, [(row['to'], row['result']) for row in rows]),
              (0, [('real@collector.example', 'sent'), ('x@unwilling.example', 'unwanted'), ('v@victim.example', 'unwanted')]),
              'who wants it gets it, who does not say so gets nothing')
    letters = world.out.messages[before:]
    parsed, name, xml = read_letter(letters[0])
    unique = text(xml, 'report_metadata/report_id')
    tap.equal((len(letters), letters[0]['to'], parsed['Message-ID'], name.count('!'), f'!{unique}.xml.gz' in name),
              (1, ['real@collector.example'], f'<{unique}@example.org>', 4, True), 'the same letter as by the courier')
    tap.equal(world.unsent(), set(), 'and it is marked as sent')
    tap.equal(cli(world, 'send').stdout, 'No report is due.\n', 'so it is not sent twice')


def summed(world):
    return subprocess.run([POSTERN, 'dmarc', 'report', '--json', '--config', world.postern.config], capture_output=True, text=True,
                          timeout=30).stdout


def check_received(tap, world):
    rows = [row(f'192.0.2.{n % 250}', n + 1, 'pass', 'fail') for n in range(250)]
    total = sum(n + 1 for n in range(250))
    xml = report('big', rows)
    name = 'receiver.example!sender.example!1!2'
    good = mail('Report Domain: sender.example', 'application', 'gzip', name + '.xml.gz', gzip.compress(xml)).replace(b'\n', b'\r\n')
    forged = mail('Report Domain: forged.example', 'application', 'gzip', name + '.xml.gz',
                  gzip.compress(report('f', rows[:1], domain='forged.example'))).replace(b'\n', b'\r\n')
    tls = mail('Report Domain: sender.example', 'application', 'tlsrpt+gzip', 'r!s!1!2.json.gz', gzip.compress(tls_report('t'))).replace(b'\n', b'\r\n')
    code, _ = world.send(good, 'dmarc@receiver.example', ip='203.0.113.9', to='DMARC@example.org')
    tap.equal(code, 250, 'mail with a report is delivered')
    wait_for(lambda: world.ask('SELECT COALESCE(SUM(count), 0) FROM report_source')[0][0] == total, 20, 'the sums')
    tap.ok(True, 'and its report is summed, part by part')
    world.send(good, 'dmarc@receiver.example', ip='203.0.113.9', to='dmarc@example.org')
    world.send(good, 'dmarc@receiver.example', ip='203.0.113.9', to='bob@example.org')
    world.send(tls, 'dmarc@receiver.example', ip='203.0.113.9', to='tlsrpt@example.org')
    wait_for(lambda: world.ask('SELECT COUNT(*) FROM report_tls')[0][0] == 1, 20, 'the TLS report')
    # Refused by DMARC, so that it is not even delivered; and where the policy does not refuse, not taken either.
    world.send(forged, 'x@elsewhere.example', ip='192.0.2.66', to='dmarc@example.org')
    unproven = forged.replace(b'dmarc@receiver.example', b'dmarc@nobody.example')
    code, _ = world.send(unproven, 'x@elsewhere.example', ip='192.0.2.66', to='dmarc@example.org')
    tap.equal(code, 250, 'a forged report is delivered as the mail that it is')
    wait_for(lambda: 'event=report.unproven' in world.postern.log(), 20, 'the log')
    damaged = mail('Report Domain: x', 'application', 'gzip', name + '.xml.gz', gzip.compress(b'<feedback>')).replace(b'\n', b'\r\n')
    world.send(damaged, 'dmarc@receiver.example', ip='203.0.113.9', to='dmarc@example.org')
    wait_for(lambda: 'event=report.unreadable' in world.postern.log(), 20, 'the log')
    today = int(time.time()) // DAY * DAY
    # 1970, and 2100, and from today to 2100: they would stay, or be the latest, for a long time.
    for number, (begin, end) in enumerate(((86400, None), (4102444800, None), (today, 4102444800))):
        xml = report(f'time{number}', rows[:2], begin=begin)
        xml = xml.replace(b'<end>%d<' % (begin + DAY - 1), b'<end>%d<' % end) if end else xml
        other = mail('Report Domain: sender.example', 'application', 'gzip', name + '.xml.gz', gzip.compress(xml)).replace(b'\n', b'\r\n')
        world.send(other, 'dmarc@receiver.example', ip='203.0.113.9', to='dmarc@example.org')
    wait_for(lambda: world.postern.log().count('event=report.of_another_time') == 3, 20, 'the log')
    tap.equal(world.ask('SELECT SUM(count) FROM report_source')[0][0], total,
              'a report counts once, a forged one never, nor one of days that are not kept')
    tap.equal(world.ask("SELECT kind, COUNT(*) FROM report GROUP BY kind ORDER BY kind"),
              [('dmarc', 1), ('dmarc-part', 2), ('tls', 1)], 'what is known')
    # Many parts, most of which wait in the gate while the vault is killed: each counts once, and mail goes on meanwhile.
    large = [row(f'198.18.{n >> 8}.{n & 255}', 1, 'pass', 'fail') for n in range(6000)]
    code, _ = world.send(mail('Report Domain: sender.example', 'application', 'gzip', name + '.xml.gz', gzip.compress(report('large', large))).replace(b'\n', b'\r\n'),
                         'dmarc@receiver.example', ip='203.0.113.9', to='dmarc@example.org')
    tap.equal(code, 250, 'a large report is delivered as any mail')
    wait_for(lambda: world.ask("SELECT COUNT(*) FROM report_source WHERE ip LIKE '198.18.%'")[0][0] > 0, 20, 'its first rows')
    os.kill(world.postern.children()['vault-0'][0], signal.SIGKILL)
    code, _ = world.send(message(subject='meanwhile', sender='alice@good.example'), 'alice@good.example')
    tap.equal(code, 250, 'mail goes on while it is kept and the vault is another')
    wait_for(lambda: world.ask("SELECT SUM(count) FROM report_source WHERE ip LIKE '198.18.%'")[0][0] == 6000, 40, 'all of its rows')
    time.sleep(0.5)
    tap.equal(world.ask("SELECT COUNT(*), SUM(count) FROM report_source WHERE ip LIKE '198.18.%'"), [(6000, 6000)], 'each row counts once')
    tap.equal(world.ask("SELECT COUNT(*) FROM trace WHERE subject = 'meanwhile'"), [(1,)], 'and so does each message')
    tap.ok('event=report.lost' not in world.postern.log(), 'and nothing is lost')
    out = summed(world)
    shown = json.loads(out.splitlines()[0]) if out else {}
    tap.has(out, 'sender.example', 'postern dmarc report shows it')
    tap.ok('forged.example' not in out, 'and not the forged one', out[:500])
    tap.ok(bool(shown), 'as JSON')


def packed_report(xml, author='receiver.example'):
    return mail('Report Domain: sender.example', 'application', 'gzip', 'receiver.example!sender.example!1!2.xml.gz',
                gzip.compress(xml)).replace(b'\n', b'\r\n').replace(b'dmarc@receiver.example', b'dmarc@' + author.encode())


def check_liars(tap):
    """A stranger whose own domain is proven lies in a report: that is told as what it is, and keeps out nothing else."""
    world = World()
    evil = dict(sender='dmarc@evil.example', ip='192.0.2.66', to='dmarc@example.org')
    good = dict(sender='dmarc@receiver.example', ip='203.0.113.9', to='dmarc@example.org')
    lies = [row('192.0.2.66', 1 << 63, 'pass', 'pass'), row('192.0.2.66', 5, 'pass', 'pass', domain='\x9b31m\N{RIGHT-TO-LEFT OVERRIDE}.example')]
    # The id of another's report, foreseen; a name with what steers a terminal.
    world.send(packed_report(report('foreseen', lies), 'evil.example'), **evil)
    world.send(packed_report(report('two', lies, org='&#x9b;31mBank\N{RIGHT-TO-LEFT OVERRIDE}' + 'x' * 5000), 'evil.example'), **evil)
    wait_for(lambda: world.ask('SELECT COUNT(*) FROM report')[0][0] == 2, 20, 'what the stranger sent')
    world.send(packed_report(report('foreseen', [row('198.51.100.1', 7, 'pass', 'pass')])), **good)
    wait_for(lambda: world.ask('SELECT COUNT(*) FROM report')[0][0] == 3, 20, 'the report whose id was foreseen')
    tap.equal(world.ask("SELECT SUM(count) FROM report_source WHERE ip = '198.51.100.1'"), [(7,)], 'it is counted nevertheless')
    shown = cli(world, 'report').stdout
    tap.ok('from evil.example, calls itself Receiver: 1 report, 1000000000005 messages' in shown
           and 'from receiver.example, calls itself Receiver: 1 report, 7 messages' in shown, 'who says what is told apart', shown)
    tap.ok(not set(shown) & set('\x1b\x9b\x07\N{RIGHT-TO-LEFT OVERRIDE}') and max(map(len, shown.splitlines())) < 400,
           'and no name steers the terminal', shown)
    rows = [json.loads(line) for line in cli(world, 'report', '--json').stdout.splitlines()]
    tap.equal([(r['sender'], r['messages']) for r in rows if r['kind'] == 'reporter' and r['org'] == 'Receiver'],
              [('evil.example', 1000000000005), ('receiver.example', 7)], 'in JSON, too')
    less = cli(world, 'report', '--except', 'other.example,Evil.example').stdout
    tap.ok('sender.example: 1 report of 1 receiver' in less and '  7 messages, 100.0 % pass' in less and 'from evil.example' in less
           and '192.0.2.66' not in less, 'and who is not believed is left out of the sums', less)
    # Domains of which nobody else has heard do not hide ours.
    for number in range(60):
        world.send(packed_report(report('x', [row('192.0.2.66', 1, 'fail', 'fail')], domain=f'a{number}.example'), 'evil.example'), **evil)
    wait_for(lambda: world.ask('SELECT COUNT(*) FROM report')[0][0] == 63, 60, 'reports on many domains')
    shown = cli(world, 'report').stdout
    tap.ok('sender.example: 3 reports of 2 receivers' in shown and '11 other domains, of which fewer receivers tell' in shown
           and shown.count(': 1 report of 1 receiver,') == 49, 'domains that one stranger made up do not hide ours', shown[-2000:])
    # More than one sender may have of a day: the rest of it is lost, and others are not.
    long_name = '.'.join(['x' * 60] * 4)
    rows = [row(f'2001:db8::{n >> 16:x}:{n & 0xffff:x}', 1, 'fail', 'fail', domain=f'{n}.{long_name}'[:250],
                results=f'<dkim><domain>{n}.{long_name}</domain><result>pass</result></dkim><spf><domain>{n}.{long_name}</domain><result>pass</result></spf>')
            for n in range(13000)]
    world.send(packed_report(report('flood', rows), 'evil.example'), **evil)
    wait_for(lambda: 'event=report.too_many' in world.postern.log(), 60, 'the end of its share')
    tap.has(world.postern.log(), 'event=report.too_many sender=evil.example', 'one sender has a share of the day')
    world.send(packed_report(report('after', [row('198.51.100.2', 9, 'pass', 'pass')])), **good)
    wait_for(lambda: world.ask("SELECT COUNT(*) FROM report_source WHERE ip = '198.51.100.2'")[0][0] == 1, 60, 'the report of another')
    tap.ok(world.ask('SELECT COUNT(*) FROM report_source')[0][0] < 12000, 'and the rest of what it sent is not kept')
    tap.equal(world.postern.stop(), 0, 'and all ends well')
    tap.equal(world.postern.reports(), [], 'no sanitizer speaks')


def check_read_between(tap):
    """A report of 100,000 rows is read in steps: mail that comes meanwhile is judged in between, by the same scanner."""
    world = World(workers='workers: { scanners: 1 }')
    rows = [row(f'2001:db8::{n >> 16:x}:{n & 0xffff:x}', 1, 'fail', 'fail') for n in range(100000)]
    large = mail('Report Domain: sender.example', 'application', 'gzip', 'receiver.example!sender.example!1!2.xml.gz',
                 gzip.compress(report('huge', rows), 1)).replace(b'\n', b'\r\n')
    code, _ = world.send(large, 'dmarc@receiver.example', ip='203.0.113.9', to='dmarc@example.org')
    for number in range(3):
        world.send(message(subject=f'between {number}', sender='alice@good.example'), 'alice@good.example')
    tap.ok(code == 250 and 'event=report.read' not in world.postern.log(), 'mail goes on before the large report behind it is read',
           world.postern.log()[-2000:])
    wait_for(lambda: 'event=report.read' in world.postern.log(), 60, 'the report')
    wait_for(lambda: world.ask('SELECT COUNT(*) FROM report_source')[0][0] >= 100, 20, 'its first rows')
    # The gate that brought some is gone while they are read: so are they, and nothing else.
    for number in range(2):
        world.send(large, 'dmarc@receiver.example', ip='203.0.113.9', to='dmarc@example.org')
    scanner, gate = world.postern.children()['scanner-0'], world.postern.children()['gate-0'][0]
    os.kill(gate, signal.SIGKILL)
    wait_for(lambda: world.postern.children().get('gate-0', [gate])[0] != gate, 20, 'another gate')
    code, _ = world.send(message(subject='after', sender='alice@good.example'), 'alice@good.example')
    tap.equal((code, world.postern.children()['scanner-0']), (250, scanner), 'a gate that dies takes its reports with it, and not the scanner')
    tap.equal(world.postern.stop(), 0, 'and all ends well')
    tap.equal(world.postern.reports(), [], 'no sanitizer speaks')


def check_off(tap):
    world = World(on=False)
    world.send(message(subject='good', sender='alice@good.example'), 'alice@good.example')
    world.next.wait(1)
    wait_for(lambda: world.ask('SELECT COUNT(*) FROM trace')[0][0] == 1, 20, 'the trace')
    tap.equal(world.tallied(), 0, 'off by default: nothing is counted')
    tap.ok('courier-0' not in world.postern.children(), 'and there is no courier', world.postern.children())
    world.postern.write(world.settings + world.reports)
    world.postern.process.send_signal(signal.SIGHUP)
    wait_for(lambda: 'courier-0' in world.postern.children(), 20, 'a courier after a reload')
    first = world.postern.children()['courier-0'][0]
    world.postern.process.send_signal(signal.SIGHUP)
    wait_for(lambda: world.postern.children().get('courier-0', [first])[0] != first, 20, 'the next one')
    tap.equal(len(world.postern.children()['courier-0']), 1, 'a reload: one courier after another')
    world.postern.write(world.settings)
    world.postern.process.send_signal(signal.SIGHUP)
    wait_for(lambda: 'courier-0' not in world.postern.children(), 20, 'no courier')
    tap.ok(True, 'switched off by a reload')
    tap.equal(world.postern.stop(), 0, 'and all ends well')


def main():
    tap = Tap()
    world = World()
    checks = [lambda: check_tallies(tap, world), lambda: check_counting(tap, world), lambda: check_reports(tap, world),
              lambda: check_killed(tap, world), lambda: check_sent_by_hand(tap, world),
              lambda: check_received(tap, world), lambda: check_liars(tap), lambda: check_read_between(tap), lambda: check_off(tap)]
    for check in checks:
        try:
            check()
        except Exception:  # noqa: BLE001
            import traceback
            tap.ok(False, 'it went through', traceback.format_exc() + world.postern.log()[-3000:])
    tap.equal(world.postern.stop(), 0, 'the daemons end well')
    tap.equal(world.postern.reports(), [], 'no sanitizer speaks')
    tap.done()


if __name__ == '__main__':
    main()
