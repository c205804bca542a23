#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The command line on messages: scan, mime, replay and checks: exit statuses, order of the output, JSON, --jobs."""
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from lib import POSTERN, Tap, skip_all, temp_dir  # noqa: E402

CLEAN = (b'Received: from mx.example.org (mx.example.org [192.0.2.7]) by gate.example.net; Tue, 24 Nov 2026 11:00:00 +0000\n'
         b'From: Ann <ann@example.org>\nTo: bob@example.net\nSubject: minutes of the meeting\n'
         b'Date: Tue, 24 Nov 2026 10:59:58 +0000\nMessage-ID: <1@example.org>\n\nHello Bob,\n\nhere they are.\n')
GTUBE = CLEAN + b'XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X\n'
HTML = (b'From: =?utf-8?q?P=C3=A5ypal?= <a@example.org>\nSubject: =?utf-8?b?5pel5pys?=\nContent-Type: multipart/mixed; boundary=b\n\n'
        b'--b\nContent-Type: text/html; charset=utf-8\n\n<a href="http://evil.example/">http://bank.example/</a>\x1b[31m\n'
        b'--b\nContent-Type: application/zip; name="=?utf-8?b?5pel?=.zip"\nContent-Transfer-Encoding: base64\n\nUEsFBgAA\n--b--\n')
POSTMARK = b'From ann@example.org Tue Nov 24 12:00:00 2026\n'
NOW = ('--now', '1795521600')

SCAN_KEYS = ['path', 'size', 'sha256', 'class', 'probability', 'action', 'evidence', 'defects', 'parts', 'urls', 'auth', 'genes',
             'usec']
EVIDENCE_KEYS = ['id', 'weight', 'text', 'part', 'at', 'len', 'snippet']
MIME_KEYS = ['path', 'size', 'sha256', 'subject', 'from', 'sender', 'reply_to', 'to', 'cc', 'bcc', 'date', 'message_id', 'parts',
             'defects']
PART_KEYS = ['part', 'reading', 'leaf', 'type', 'charset', 'name', 'names', 'disposition', 'encoding', 'size', 'sha256',
             'true_type', 'encrypted']


def run(*words, stdin=b'', stdout=subprocess.PIPE, env=None):
    done = subprocess.run([POSTERN, *words], input=stdin, stdout=stdout, stderr=subprocess.PIPE, timeout=60,
                          env={**os.environ, 'LC_ALL': 'C', **(env or {})})
    return done.returncode, (done.stdout or b'').decode(), done.stderr.decode()


def write(*path, content):
    path = os.path.join(*path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, 'wb') as file:
        file.write(content)
    return path


def objects(text):
    return [json.loads(line) for line in text.splitlines()]


def without_usec(text):
    found = objects(text)
    for one in found:
        one.pop('usec')
    return found


def check_statuses(tap, folder):
    clean, spam = write(folder, 'clean.eml', content=CLEAN), write(folder, 'spam.eml', content=GTUBE)
    none = os.path.join(folder, 'none.eml')
    empty = write(folder, 'empty.eml', content=b'')
    for words, want, name in ((('scan', *NOW, clean), 0, 'a clean message is exit status 0'),
                              (('scan', *NOW, clean, spam), 1, 'one that is not clean makes it 1'),
                              (('scan', *NOW, none, spam), 2, 'one that cannot be read makes it 2'),
                              (('mime', spam), 0, 'mime of anything that can be read is 0'),
                              (('mime', empty), 0, 'mime of an empty file is 0'),
                              (('mime', none, clean), 2, 'mime of what cannot be read is 2'),
                              (('checks',), 0, 'checks lists'), (('checks', 'GTUBE'), 0, 'checks explains one')):
        status, out, err = run(*words)
        tap.ok(status == want and (want == 2) == bool(err), name, (status, out, err))
    status, out, err = run('scan', '--json', *NOW, none, spam, clean)
    tap.ok([one['path'] for one in objects(out)] == [spam, clean] and status == 2 and err.count('\n') == 1 and none in err,
           'the others are answered all the same, and the one is named', (status, out, err))
    status, out, err = run('scan', '--json', *NOW, empty)
    tap.ok(status in (0, 1) and objects(out)[0]['size'] == 0, 'an empty file is a message', (status, out, err))
    for words in (('scan', clean), ('scan', '--json', clean), ('mime', clean), ('mime', '--json', clean), ('checks',),
                  ('checks', '--json'), ('checks', '--man')):
        with open('/dev/full', 'wb') as full:
            status, _, err = run(*words, stdout=full)
        tap.ok(status == 2 and err == 'postern: standard output: No space left on device\n',
               f'{" ".join(words[:2])!r} to a full disk is exit status 2', (status, err))


def check_wrong(tap, folder):
    clean = write(folder, 'clean.eml', content=CLEAN)
    mbox = write(folder, 'two.mbox', content=POSTMARK + CLEAN + b'\n' + POSTMARK + CLEAN)
    case = os.path.join(folder, 'wrong.case')
    for words, said in ((('scan',), 'which message?'), (('mime',), 'which file?'), (('replay',), 'one recorded case'),
                        (('replay', clean), 'no recorded case'), (('replay', '/nowhere'), 'No such file'),
                        (('scan', '--jsno', clean), 'did you mean --json?'), (('scan', '--jobs', '0', clean), '--jobs'),
                        (('scan', '--jobs', 'x', clean), '--jobs'), (('scan', '--jobs', '65', clean), '--jobs'),
                        (('scan', '--ip', 'x', clean), '--ip'), (('scan', '--now', 'yesterday', clean), '--now'),
                        (('scan', '--config', '/nowhere', clean), '/nowhere'), (('checks', 'NO_SUCH'), 'NO_SUCH'),
                        (('scan', '--record', case, clean, clean), '--record takes one message'),
                        (('scan', '--record', case, mbox), '--record takes one message'),
                        (('scan', '--record', '/nowhere/case', clean), '/nowhere/case')):
        status, out, err = run(*words)
        tap.ok(status == 2 and err.count('\n') == 1 and said in err and not (out and words[-1] != clean),
               f'{" ".join(os.path.basename(word) for word in words)!r} is one line and exit status 2', (status, out, err))
    tap.ok(not os.path.exists(case), 'and no case was written')


def check_json(tap, folder):
    path = write(folder, 'h\x1b[31mtml.eml', content=HTML)
    status, out, err = run('scan', '--json', *NOW, path)
    one = objects(out)[0]
    tap.ok(not err and out.count('\n') == 1 and '\x1b' not in out, 'one line a message, without a byte that steers', out)
    tap.equal(list(one), SCAN_KEYS, 'scan --json has its keys in order')
    tap.equal(one['path'], path, 'the path is the argument')
    tap.ok(one['evidence'] and all(list(each)[:7] == EVIDENCE_KEYS for each in one['evidence']), 'evidence has its keys',
           one['evidence'])
    weights = [abs(each['weight']) for each in one['evidence']]
    tap.equal(weights, sorted(weights, reverse=True), 'the heaviest evidence comes first')
    raw = len(HTML)
    tap.ok(all(each['at'] is None or 0 <= each['at'] <= each['at'] + each['len'] <= raw for each in one['evidence']),
           'its ranges lie in the message', one['evidence'])
    tap.equal(list(one['usec']), ['parse', 'unpack', 'checks', 'total'], 'usec has its keys')
    tap.equal(list(one['auth']), ['spf', 'dkim', 'dmarc', 'arc'], 'auth has its keys')
    tap.ok(one['urls'] and all(list(each) == ['url', 'text', 'part'] for each in one['urls']), 'URLs have their keys', one['urls'])
    tap.ok(all(list(part) == PART_KEYS for part in one['parts']), 'parts have their keys', [list(p) for p in one['parts']])
    status, out, err = run('mime', '--json', '--text', path)
    two = objects(out)[0]
    tap.equal(list(two), MIME_KEYS, 'mime --json has its keys in order')
    tap.equal([part['part'] for part in two['parts']], ['0', '1', '2'], 'parts have their paths')
    tap.ok(two['subject'] == '日本' and two['parts'][2]['name'] == '日.zip', 'words are decoded', two)
    tap.ok([dict(p, text=0) for p in two['parts']] == [dict(p, text=0) for p in one['parts']], 'the same parts as in scan')
    status, out, err = run('scan', path, env={'LC_ALL': 'ja_JP.UTF-8'})
    tap.ok('\x1b' not in out + err and out.count('\n') > 1, 'the text for people steers no terminal either', out)
    status, out, err = run('checks', '--json')
    listed = objects(out)
    tap.ok(status == 0 and len(listed) > 50 and len({json.dumps(each) for each in listed}) == len(listed),
           'checks --json lists each check once', len(listed))
    kinds = {each['id']: each['kind'] for each in listed}
    tap.equal([kinds.get(symbol) for symbol in ('GTUBE', 'DMARC_REJECT', 'AUTH_TEMPORARY', 'EICAR_TEST_FILE')],
              ['unwanted', 'sender', 'info', 'malware'], 'and of what kind it is')


def check_order(tap, folder):
    maildir = os.path.join(folder, 'Maildir')
    names = ['cur/10:2,S', 'cur/2:2,', 'new/1', 'new/日', 'a', 'Z', 'cur-x']
    for name in names + ['.hidden', '.Sent/cur/1']:
        write(maildir, name, content=CLEAN)
    os.makedirs(os.path.join(maildir, 'tmp'))
    mbox = write(folder, 'box', content=b'\n'.join([POSTMARK + CLEAN, POSTMARK + GTUBE, POSTMARK + CLEAN]))
    inside = sorted(names, key=lambda name: name.encode())
    want = [mbox + '#1', mbox + '#2', mbox + '#3'] + [maildir + '/' + name for name in inside] + ['-']
    status, out, err = run('scan', '--json', *NOW, mbox, maildir + '/', '-', stdin=GTUBE)
    one = without_usec(out)
    tap.equal([each['path'] for each in one], want, 'arguments in order, a folder by byte order, an mbox by number')
    skipped = f'postern: {maildir}: skipped 2 (hidden names)\n'
    tap.ok(status == 1 and err == skipped, 'exit status 1 for what lies in the middle; hidden names are said to be skipped', (status, err))
    tap.equal([each['class'] for each in one[:3]], ['clean', 'spam', 'clean'], 'each message of an mbox is judged by itself')
    tap.equal(one[0]['sha256'], one[3]['sha256'], 'and is the same bytes as the file')
    tap.equal(one[-1]['class'], 'spam', 'standard input is read')
    status2, out, err = run('scan', '--json', '--jobs', '2', *NOW, mbox, maildir, '-', stdin=GTUBE)
    tap.ok(without_usec(out) == one and status2 == status and err == skipped, '--jobs 2 says the same in the same order', err)
    _, first, _ = run('scan', *NOW, mbox, maildir)
    _, second, _ = run('scan', '--jobs', '2', *NOW, mbox, maildir)
    _, many, _ = run('scan', '--jobs', '7', *NOW, mbox, maildir)
    tap.ok(first and first == second == many, 'to the byte, with any number of jobs')
    none = os.path.join(folder, 'none')
    for jobs in ('1', '2'):
        status, out, err = run('scan', '--json', '--jobs', jobs, *NOW, none, maildir, mbox)
        tap.ok(status == 2 and err.count('\n') == 2 and skipped in err and len(objects(out)) == len(names) + 3,
               f'--jobs {jobs}: what cannot be read is exit status 2, the rest is answered', (status, err))
    status, out, err = run('mime', '--json', '-', stdin=POSTMARK + CLEAN)
    tap.equal(objects(out)[0]['subject'], 'minutes of the meeting', 'a message with a "From " line in front is one message')


def check_replay(tap, folder):
    for name, content in (('clean', CLEAN), ('spam', GTUBE), ('html', HTML), ('empty', b''), ('nul', b'A: \0b\n\n\xff\0')):
        message, case = write(folder, name + '.eml', content=content), os.path.join(folder, name + '.case')
        status, out, _ = run('scan', '--json', '--record', case, '--ip', '192.0.2.9', '--helo', 'x', '--from', '', '--rcpt', 'b@x',
                             *NOW, message)
        tap.ok(os.stat(case).st_mode & 0o777 == 0o600, f'{name}: the case is for its owner alone')
        status2, again, err = run('replay', case)
        tap.ok(status2 == 0 and again == f'the same verdict: {objects(out)[0]["class"]}\n' and not err,
               f'{name}: the recorded case has the same verdict', (status2, again, err))
    with open(os.path.join(folder, 'spam.case'), 'rb') as file:
        whole = file.read()
    other = write(folder, 'other.case', content=whole.replace(b'GTUBE-STANDARD', b'GTUBE-STANDERD'))
    status, out, err = run('replay', other)
    tap.ok(status == 1 and not err and out.count('\n') > 1 and '\n+' in '\n' + out and '\n-' in '\n' + out,
           'another verdict is exit status 1 and a diff', (status, out, err))
    for cut in (0, 10, len(whole) // 2, len(whole) - 1):
        status, out, err = run('replay', write(folder, 'cut.case', content=whole[:cut]))
        tap.ok(status == 2 and not out and err.count('\n') == 1, f'a case cut at {cut} is exit status 2', (status, out, err))


def main():
    if not os.access(POSTERN, os.X_OK):
        skip_all('postern is not built')
    tap = Tap()
    folder = temp_dir()
    for number, check in enumerate((check_statuses, check_wrong, check_json, check_order, check_replay)):
        check(tap, os.path.join(folder, str(number)))
    tap.done()


main()
