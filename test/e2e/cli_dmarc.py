#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""postern dmarc: reports in every wrapping that receivers use are read, kept once and summed; bombs are refused."""
import gzip
import io
import json
import os
import resource
import subprocess
import sys
import time
import zipfile
from email.message import EmailMessage

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from lib import POSTERN, Postern, Tap, temp_dir  # noqa: E402

DAY = 86400


def row(ip, count, dkim, spf, disposition='none', domain='sender.example', results=''):
    return (f'<record><row><source_ip>{ip}</source_ip><count>{count}</count><policy_evaluated><disposition>{disposition}</disposition>'
            f'<dkim>{dkim}</dkim><spf>{spf}</spf></policy_evaluated></row><identifiers><header_from>{domain}</header_from></identifiers>'
            f'<auth_results>{results}</auth_results></record>')


def report(name, rows, domain='sender.example', org='Receiver', begin=None):
    begin = begin or int(time.time()) // DAY * DAY - DAY
    return (f'<?xml version="1.0"?>\n<feedback><report_metadata><org_name>{org}</org_name><email>d@r.example</email><report_id>{name}</report_id>'
            f'<date_range><begin>{begin}</begin><end>{begin + DAY - 1}</end></date_range></report_metadata>'
            f'<policy_published><domain>{domain}</domain><p>none</p></policy_published>{"".join(rows)}</feedback>').encode()


def zipped(name, data, method=zipfile.ZIP_DEFLATED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, 'w', method) as archive:
        archive.writestr(name, data)
    return out.getvalue()


def mail(subject, maintype, subtype, name, data):
    message = EmailMessage()
    message['From'], message['To'], message['Subject'] = 'dmarc@receiver.example', 'rua@sender.example', subject
    message.set_content('This is a report.\n')
    message.add_attachment(data, maintype=maintype, subtype=subtype, filename=name)
    return message.as_bytes()


def tls_report(name):
    day = time.strftime('%Y-%m-%dT00:00:00Z', time.gmtime(time.time() - DAY))
    return json.dumps({'organization-name': 'Receiver', 'report-id': name, 'date-range': {'start-datetime': day, 'end-datetime': day},
                       'policies': [{'policy': {'policy-type': 'sts', 'policy-domain': 'sender.example'},
                                     'summary': {'total-successful-session-count': 90, 'total-failure-session-count': 10},
                                     'failure-details': [{'result-type': 'certificate-expired', 'receiving-mx-hostname': 'mx.sender.example',
                                                          'failed-session-count': 10}]}]}).encode()


def write(folder, name, data):
    with open(os.path.join(folder, name), 'wb') as file:
        file.write(data)
    return os.path.join(folder, name)


def check_read(tap, folder):
    xml = report('1', [row('192.0.2.1', 5, 'pass', 'fail')])
    named = 'receiver.example!sender.example!1!2'
    wrapped = {'a.xml': xml, 'a.xml.gz': gzip.compress(xml), 'a.zip': zipped('a.xml', xml), 'stored.zip': zipped('a.xml', xml, zipfile.ZIP_STORED),
               'gz.eml': mail('Report Domain: sender.example', 'application', 'gzip', named + '.xml.gz', gzip.compress(xml)),
               'zip.eml': mail('x', 'application', 'zip', named + '.zip', zipped('a.xml', xml)),
               'octets.eml': mail('x', 'application', 'octet-stream', 'x', gzip.compress(xml)),
               'xml.eml': mail('x', 'text', 'xml', named + '.xml', xml)}
    for name, data in wrapped.items():
        got = subprocess.run([POSTERN, 'dmarc', 'read', '--json', write(folder, name, data)], capture_output=True)
        records = json.loads(got.stdout)['records'] if got.returncode == 0 else got.stderr
        tap.ok(got.returncode == 0 and records[0]['source_ip'] == '192.0.2.1' and records[0]['count'] == 5, f'{name} is read', records)
    piped = subprocess.run([POSTERN, 'dmarc', 'read', '-'], input=wrapped['gz.eml'], capture_output=True)
    tap.has(piped.stdout.decode(), 'DMARC report on sender.example by Receiver', 'a message on standard input is read')
    tls = mail('Report Domain: sender.example', 'application', 'tlsrpt+gzip', 'r!s!1!2.json.gz', gzip.compress(tls_report('t')))
    got = json.loads(subprocess.run([POSTERN, 'dmarc', 'read', '--json', '-'], input=tls, capture_output=True).stdout)
    tap.equal((got['kind'], got['policies'][0]['failed']), ('tls', 10), 'a TLS report is read')
    example = {'organization-name': 'Company', 'contact-info': 'sts@company.example', 'report-id': '1',
               'date-range': {'start-datetime': '2026-04-01T00:00:00Z', 'end-datetime': '2026-04-01T23:59:59Z'},
               'policies': [{'policy': {'policy-type': 'sts', 'policy-string': ['version: STSv1', 'mode: testing'],
                                        'policy-domain': 'other.example', 'mx-host': '*.mail.other.example'},
                             'summary': {'total-successful-session-count': 5326, 'total-failure-session-count': 303},
                             'failure-details': [{'result-type': 'validation-failure', 'sending-mta-ip': '198.51.100.62',
                                                  'receiving-ip': '203.0.113.58', 'receiving-mx-hostname': 'mx\x1b[31m.other.example',
                                                  'receiving-mx-helo': None, 'failed-session-count': 3, 'extra': {'a': []},
                                                  'failure-reason-code': 'X509_V_ERR_PROXY_PATH_LENGTH_EXCEEDED'}]}]}
    got = subprocess.run([POSTERN, 'dmarc', 'read', '-'], input=json.dumps(example).encode(), capture_output=True).stdout.decode()
    tap.ok('other.example (sts): 5326 sessions with TLS, 303 failed' in got and 'reason=X509_V_ERR' in got and '\x1b' not in got,
           'a TLS report of the form that RFC 8460 shows is read, and steers no terminal', got)
    evil = report('1', [], org='\N{RIGHT-TO-LEFT OVERRIDE}x&#x9b;31m&#x85;')
    got = subprocess.run([POSTERN, 'dmarc', 'read', '-'], input=evil, capture_output=True).stdout.decode()
    tap.ok('Receiver' not in got and '\x9b' not in got and '\N{RIGHT-TO-LEFT OVERRIDE}' not in got and 'DMARC report' in got,
           'foreign text steers no terminal', got)


def check_bombs(tap, folder):
    zeros = bytes(200 << 20)
    lying = bytearray(zipped('a.xml', zeros))
    at = lying.rindex(b'PK\x01\x02')
    lying[at + 24:at + 28] = (10).to_bytes(4, 'little')
    laughs = b'<!DOCTYPE f [<!ENTITY a "ha">' + b''.join(b'<!ENTITY a%d "%s">' % (n, b'&a%d;' % (n - 1) * 10) for n in range(1, 30)) + b']><feedback>&a29;</feedback>'
    bombs = {'bomb.gz': gzip.compress(zeros), 'twice.gz': gzip.compress(gzip.compress(zeros)), 'bomb.zip': zipped('a.xml', zeros),
             'lying.zip': bytes(lying), 'laughs.xml': laughs, 'names.xml': b'<feedback>' + b''.join(b'<a%d/>' % n for n in range(3000000)),
             'attributes.xml': b'<feedback ' + b' '.join(b'a%d="x>"' % n for n in range(1500000)) + b'/>',
             'tag.xml': b'<feedback ' + b'a' * 30000000 + b'="x"/>',
             'members.json': b'{"policies":[]' + b''.join(b',"k%d":1' % n for n in range(190000)) + b'}', 'deep.xml': b'<feedback>' + b'<a>' * 1000000, 'deep.json': b'{"a":' * 1000000}

    def limit():
        resource.setrlimit(resource.RLIMIT_CPU, (5, 5))
        resource.setrlimit(resource.RLIMIT_DATA, (256 << 20, 256 << 20))
    for name, data in bombs.items():
        path = write(folder, name, data)
        got = subprocess.run([POSTERN, 'dmarc', 'read', path], capture_output=True, preexec_fn=limit)
        tap.ok(got.returncode == 2 and got.stderr.count(b'\n') == 1 and not got.stdout,
               f'{name} is refused within 5 seconds and 256 MB', (got.returncode, got.stderr[-500:]))


def check_sums(tap, postern, folder):
    tap.equal(postern.cli('dmarc', 'report').returncode, 2, 'a store that is not there is exit status 2')
    signed = '<dkim><domain>bulk.example</domain><selector>k</selector><result>pass</result></dkim>'
    box = os.path.join(folder, 'box')
    os.mkdir(box)
    one = report('1', [row('192.0.2.1', 90, 'pass', 'pass'), row('192.0.2.1', 1, 'fail', 'fail'), row('2001:db8::5', 7, 'fail', 'fail', results=signed)])
    write(box, '1.eml', mail('Report Domain: sender.example', 'application', 'gzip', 'r!sender.example!1!2.xml.gz', gzip.compress(one)))
    write(box, '2.xml', report('2', [row('192.0.2.1', 9, 'pass', 'fail'), row('203.0.113.4', 3, 'fail', 'fail', 'reject')], org='Another'))
    write(box, '3.xml', report('3', [row('198.51.100.1', 2, 'fail', 'pass')], domain='other.example'))
    write(box, 'old.xml', report('4', [row('198.51.100.9', 1, 'pass', 'pass')], begin=1700000000))
    write(box, 'tls.json', tls_report('t1'))
    write(box, 'words.eml', b'Subject: no report\n\nhello\n')
    first = postern.cli('dmarc', 'import', box)
    tap.equal((first.returncode, first.stdout, first.stderr), (0, '5 added, 0 known already, 1 without a report\n', ''), 'a folder is imported')
    tap.equal(postern.cli('dmarc', 'import', box).stdout, '0 added, 5 known already, 1 without a report\n', 'and counts once')
    rows = [json.loads(line) for line in postern.cli('dmarc', 'report', '--json').stdout.splitlines()]
    seen = [(r['domain'], r['source'], r['messages'], r['dkim_aligned'], r['spf_aligned'], r['pass'], r['would_break'], r['rejected'])
            for r in rows if r['kind'] == 'dmarc']
    tap.equal(seen, [('other.example', '198.51.100.1', 2, 0, 2, 2, 0, 0), ('sender.example', '192.0.2.1', 100, 99, 90, 99, 1, 0),
                     ('sender.example', '2001:db8::5', 7, 0, 0, 0, 7, 0), ('sender.example', '203.0.113.4', 3, 0, 0, 0, 3, 3)],
              'sources are summed, the largest first')
    advice = {r['source']: r['advice'] for r in rows if r['kind'] == 'dmarc'}
    tap.has(advice['2001:db8::5'], 'signed by bulk.example', 'who signs in another name is named')
    tap.has(advice['203.0.113.4'], 'nothing vouches', 'what nothing vouches for is said')
    tap.has(advice['192.0.2.1'], 'nearly all passes', 'a small share that fails is no alarm')
    tap.has(advice['198.51.100.1'], 'SPF alone', 'SPF alone is warned of')
    tap.equal([(r['policy'], r['failed'], r['failures'][0]['result']) for r in rows if r['kind'] == 'tls'], [('sts', 10, 'certificate-expired')],
              'TLS follows')
    text = postern.cli('dmarc', 'report', '--domain', 'Sender.Example').stdout
    tap.has(text, 'sender.example: 2 reports of 2 receivers', 'the text says of how many')
    tap.has(text, '110 messages, 90.0 % pass, 11 would break at p=reject', 'and what it comes to')
    tap.ok('other.example' not in text, 'and of no other domain', text)
    tap.ok('  from nobody that is proven, calls itself Receiver: 1 report, 98 messages\n' in text and
           '  TLS reports from nobody that is proven, calls itself Receiver: 1 report\n' in text, 'it names who says so', text)
    table = [line for line in text.splitlines() if line.startswith('  ') and ('SOURCE' in line or '192.0.2.1 ' in line)]
    tap.equal(table[0].index('  ADVICE'), table[1].index('  nearly'), 'columns stand below each other')
    tap.has(postern.cli('dmarc', 'report', '--days', '3650').stdout, '198.51.100.9', 'more days, more reports')
    tap.equal(postern.cli('dmarc', 'report', '--days', '0').returncode, 2, 'no days are no question')
    tap.equal(postern.cli('dmarc', 'import', os.path.join(box, 'words.eml')).returncode, 2, 'to import nothing is exit status 2')
    tap.equal(postern.cli('dmarc').returncode, 2, 'a verb is needed')


def main():
    tap = Tap()
    folder = temp_dir('postern-dmarc-')
    check_read(tap, folder)
    check_bombs(tap, folder)
    check_sums(tap, Postern(start=False), folder)
    tap.done()


if __name__ == '__main__':
    main()
