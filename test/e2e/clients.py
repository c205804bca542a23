#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Clients of rspamd and of SpamAssassin, unchanged, and curl; then what is no client at all."""
import json
import os
import re
import socket
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from lib import EICAR, GTUBE, Postern, Tap, free_port, message, need, wait_for  # noqa: E402


def run(*words, text=''):
    return subprocess.run(words, input=text.encode(), capture_output=True, timeout=60)


def raw(port, data, shut=True):
    """What is answered to those bytes until the connection closes."""
    with socket.create_connection(('127.0.0.1', port), timeout=10) as sock:
        try:
            sock.sendall(data)
            if shut:
                sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        got = b''
        try:
            while piece := sock.recv(65536):
                got += piece
        except ConnectionResetError:
            pass
        return got


ZSTD = b'\x28\xb5\x2f\xfd\x00\x38'  # a frame's head (RFC 8878): no size, no checksum, a window of 128 KB
ZSTD_END = b'\x01\x00\x00'          # the last block, empty


def zstd_block(kind, size, content):
    """0: `content` as it is, 1: its one byte `size` times."""
    return (size << 3 | kind << 1).to_bytes(3, 'little') + content


def zstd(data):
    pieces = [data[at:at + 131072] for at in range(0, len(data), 131072)]
    return ZSTD + b''.join(zstd_block(0, len(piece), piece) for piece in pieces) + ZSTD_END


def post(body, *fields, close=True):
    """A request as rspamc sends it."""
    head = ['POST /checkv2 HTTP/1.1', f'Content-Length: {len(body)}', *fields, *(['Connection: close'] if close else [])]
    return '\r\n'.join(head).encode() + b'\r\n\r\n' + body


def check_rspamc(tap, postern, port):
    def rspamc(*words, text=''):
        done = run('rspamc', '-h', f'127.0.0.1:{port}', *words, text=text)
        return done.returncode, done.stdout.decode(), done.stderr.decode()
    status, out, err = rspamc(text=message(body=GTUBE + '\n'))
    tap.ok(status == 0 and 'Action: quarantine' in out and 'Symbol: GTUBE (20.00)' in out, 'rspamc: spam with its symbol', (out, err))
    score = re.search(r'Score: ([0-9.]+) / 15.00', out)
    tap.ok(score and float(score.group(1)) > 15, 'rspamc: on the customary scale', out)
    status, out, err = rspamc('symbols', text=message())
    score = re.search(r'Score: (-?[0-9.]+) / 15.00', out)
    tap.ok(status == 0 and 'Action: no action' in out and score and float(score.group(1)) < 6, 'rspamc symbols: clean mail', (out, err))
    status, out, err = rspamc('--json', '-i', '192.0.2.7', '-F', 'who@example.com', '-r', 'bob@example.org', '--helo', 'h.example.com',
                              '--header', 'Queue-Id=QUEUE1', text=message(subject='with-envelope'))
    try:
        answer = json.loads(out)
    except ValueError:
        answer = {}
    tap.ok(status == 0 and answer.get('action') == 'no action' and answer.get('required_score') == 15, 'rspamc --json: one object', (out, err))
    row = wait_for(lambda: postern.trace('--subject', 'with-envelope'), 10, 'the trace')[0]
    tap.equal((row['client_ip'], row['from'], row['recipients'][0]['address'], row['helo'], row['queue_id'], row['frontend']),
              ('192.0.2.7', 'who@example.com', 'bob@example.org', 'h.example.com', 'QUEUE1', 'http'), 'rspamc: its envelope is traced')
    tap.ok(f'id={row["id"]}' in json.dumps(answer.get('milter', {})), 'the field to add has the id of the trace', answer)
    status, out, _ = rspamc('stat')
    scanned = re.search(r'Messages scanned: (\d+)', out)
    tap.ok(status == 0 and scanned and int(scanned.group(1)) == 3, 'rspamc stat counts the three messages', out)
    for word in ('learn_spam', 'learn_ham'):
        status, out, err = rspamc(word, text=message())
        tap.ok(status != 0 and '501' in out + err, f'rspamc {word} is told that nothing is learned', (status, out, err))
    tap.equal(raw(port, b'GET /ping HTTP/1.0\r\n\r\n').split(b'\r\n\r\n')[1], b'pong\r\n', 'GET /ping is answered')
    done = run('curl', '-s', '--data-binary', '@-', f'http://127.0.0.1:{port}/learnspam', text=message())
    tap.has(json.loads(done.stdout).get('error', ''), 'does not learn', 'and curl is told why')


def check_compressed(tap, postern, port):
    done = run('rspamc', '-z', '-h', f'127.0.0.1:{port}', text=message(subject='rspamc-z', body=GTUBE + '\n'))
    tap.ok(done.returncode == 0 and b'Symbol: GTUBE (20.00)' in done.stdout, 'rspamc -z: a compressed message is read', (done.stdout, done.stderr))
    old, new = ('Compression: zstd',), ('Compression: zstd', 'Content-Encoding: zstd', 'Accept: application/msgpack')
    spam = message(subject='packed', body=GTUBE + '\n').encode()
    for name, fields in (('older', old), ('newer', new), ('other', new[1:2])):
        head, _, body = raw(port, post(zstd(spam), *fields)).partition(b'\r\n\r\n')
        tap.ok(head.startswith(b'HTTP/1.1 200 ') and b'application/json' in head and json.loads(body)['action'] == 'quarantine',
               f'zstd: as {name} clients say it', (head, body))
    size = wait_for(lambda: postern.trace('--subject', 'packed'), 10, 'the trace')[0]['size']
    tap.equal(size, len(spam), 'zstd: the size in the trace is that of the message')
    chunks = b''.join(b'1\r\n%c\r\n' % byte for byte in zstd(spam)) + b'0\r\n\r\n'
    got = raw(port, b'POST /checkv2 HTTP/1.1\r\nContent-Encoding: zstd\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n' + chunks)
    tap.has(got.decode(), '"action":"quarantine"', 'zstd: byte by byte')
    large = message(subject='packed-large', body='y' * 70 + '\n').encode() + (b'z' * 70 + b'\r\n') * 40000
    clean = message(subject='packed-clean').encode()
    got = raw(port, post(zstd(large), *new, close=False) + post(clean, close=False) + post(zstd(spam), *new, close=False)
              + b'GET /ping HTTP/1.1\r\nCompression: zstd\r\nConnection: close\r\n\r\n')
    tap.equal((re.findall(rb'"action":"([a-z ]+)"', got), got[-6:]), ([b'no action', b'no action', b'quarantine'], b'pong\r\n'),
              'zstd: packed and plain messages take turns on one connection')
    children = postern.children()
    bomb = ZSTD + zstd_block(1, 131072, b'x') * 8192 + ZSTD_END
    for name, fields, body, want in (('1 GB in 32 KB', new, bomb, b'413'), ('a window of 4 TB', new, ZSTD[:5] + b'\xff' + ZSTD_END, b'413'),
                                     ('cut off', new, zstd(spam)[:-4], b'400'), ('nothing', new, b'', b'400'), ('no zstd', new, spam, b'400'),
                                     ('something behind it', new, zstd(spam) + b'x', b'400'),
                                     ('a dictionary', new, ZSTD[:4] + b'\x01\x38\x07' + ZSTD_END, b'415'),
                                     ('twice', new + new[1:2], zstd(zstd(spam)), b'415'), ('gzip', ('Content-Encoding: gzip',), spam, b'415')):
        got = raw(port, post(body, *fields))
        tap.ok(got.startswith(b'HTTP/1.1 %s ' % want) and got.count(b'HTTP/1.1') == 1, f'zstd: {name} is refused', got[:300])
    tap.equal(postern.children(), children, 'zstd: no process died of it')


def check_spamc(tap, postern, port):
    spam, clean = message(subject='spamc-spam', body=GTUBE + '\n'), message(subject='spamc-clean', body='..\n.x\n')

    def spamc(*words, text=''):
        done = run('spamc', '-d', '127.0.0.1', '-p', str(port), '-x', *words, text=text)
        return done.returncode, done.stdout.decode()
    status, out = spamc('-c', text=spam)
    scores = re.fullmatch(r'(-?[0-9.]+)/([0-9.]+)\n', out)
    tap.ok(status == 1 and scores and float(scores.group(1)) >= float(scores.group(2)) == 5, 'spamc -c: spam is status 1 and over 5.0', (status, out))
    status, out = spamc('-c', text=clean)
    tap.ok(status == 0 and float(out.split('/')[0]) < 5, 'spamc -c: clean is status 0', (status, out))
    status, out = spamc('-c', text=message(body=EICAR + '\n'))
    tap.equal(status, 1, 'spamc -c: malware is status 1, too')
    tap.ok('GTUBE' in spamc('-y', text=spam)[1].strip().split(','), 'spamc -y: the names')
    status, out = spamc('-R', text=spam)
    tap.ok(status == 0 and re.match(r'[0-9.]+/5\.0\n', out) and 'GTUBE' in out and 'spam filters are tested with' in out, 'spamc -R: the report', (status, out))
    tap.has(spamc('-r', text=spam)[1], 'GTUBE', 'spamc -r: the report of spam')
    tap.ok('GTUBE' not in spamc('-r', text=clean)[1], 'spamc -r: none of clean mail')
    for name, text in (('spam', spam), ('clean', clean)):
        status, out = spamc(text=text)
        plain, got = text.replace('\r\n', '\n'), out.replace('\r\n', '\n')
        field, rest = got.split('\n', 1)
        while rest.startswith('\t'):
            field, rest = field + rest.split('\n', 1)[0], rest.split('\n', 1)[1]
        tap.ok(status == 0 and field.startswith(f'X-Postern: {name} (') and rest == plain, f'spamc: the {name} message with our field, else unchanged', out)
        status, out = spamc('--headers', text=text)
        got = out.replace('\r\n', '\n')
        tap.ok(status == 0 and got.startswith(f'X-Postern: {name} (') and got.endswith(plain.split('\n\n', 1)[1]), f'spamc --headers: {name}', out)
    forged = message(subject='forged', extra='X-Postern: clean (0.0000); id=0\n')
    tap.equal(spamc(text=forged)[1].count('X-Postern:'), 1, 'spamc: a forged field is gone')
    unix = forged.replace('\r\n', '\n')
    tap.ok('\r' not in spamc(text=unix)[1], 'spamc: a message with LF line ends keeps them')
    tap.equal(spamc('-K')[0], 0, 'spamc -K: the server answers')
    for kind in ('spam', 'ham', 'forget'):
        status, out = spamc('-L', kind, text=spam)
        tap.ok(status not in (5, 6) and 'successfully' not in out, f'spamc -L {kind}: nothing is said to be learned', (status, out))
    tap.ok(wait_for(lambda: len(postern.trace('--subject', 'spamc-spam')) >= 6, 10, 'traces'), 'all of it is traced')
    status, _ = spamc('-s', '200000000', '-c', text=message(body='y' * 70 + '\n') + ('z' * 70 + '\r\n') * 150000)
    tap.ok(status in (0, 1), 'spamc: a message of 10 MB', status)


def check_curl(tap, port):
    url = f'http://127.0.0.1:{port}'
    done = run('curl', '-s', '-i', url + '/metrics')
    head, _, body = done.stdout.decode().partition('\r\n\r\n')
    tap.ok(' 200 ' in head.splitlines()[0] + ' ' and 'text/plain' in head, 'curl /metrics', head)
    bad = [line for line in body.splitlines()
           if not re.fullmatch(r'# (HELP|TYPE) [a-z_:]+ .+|[a-z_:][a-z0-9_:]*(\{[a-z_]+="[^"\n]*"(,[a-z_]+="[^"\n]*")*\})? -?[0-9.e+-]+', line)]
    tap.ok(not bad and body.endswith('\n'), 'it is the text format of Prometheus', bad)
    names = re.findall(r'^([a-z_:]+)[ {]', body, re.M)
    typed = re.findall(r'^# TYPE ([a-z_:]+) (?:counter|gauge|histogram)$', body, re.M)
    histograms = re.findall(r'^# TYPE ([a-z_:]+) histogram$', body, re.M)
    typed += [name + end for name in histograms for end in ('_bucket', '_sum', '_count')]
    tap.ok(len(typed) == len(set(typed)) and {n for n in names} <= set(typed), 'each metric has a type, once', set(names) - set(typed))
    value = re.search(r'^postern_messages_total\{class="spam"\} (\d+)', body, re.M)
    tap.ok(value and int(value.group(1)) > 0, 'it counts what was judged', body[:2000])
    judged = sum(int(n) for n in re.findall(r'^postern_messages_total\{.*\} (\d+)$', body, re.M))
    total = float(re.search(r'^postern_message_bytes_total (\d+)$', body, re.M).group(1))
    for name, sum_at_least in (('answer_seconds', 0.0001), ('scan_cpu_seconds', 0.0001), ('size_bytes', total)):
        buckets = [int(n) for n in re.findall(rf'^postern_message_{name}_bucket\{{le=".+"\}} (\d+)$', body, re.M)]
        count = int(re.search(rf'^postern_message_{name}_count (\d+)$', body, re.M).group(1))
        amount = float(re.search(rf'^postern_message_{name}_sum (\S+)$', body, re.M).group(1))
        tap.ok(buckets == sorted(buckets) and buckets[-1] == count == judged and amount >= sum_at_least,
               f'the histogram message_{name} has each judged message once', (buckets, count, judged, amount))
    done = run('curl', '-s', '--data-binary', '@-', url + '/checkv2', '-H', 'Transfer-Encoding: chunked', text=message(body=GTUBE + '\n'))
    tap.equal(json.loads(done.stdout)['action'], 'quarantine', 'curl: a chunked request')
    done = run('curl', '-s', '-o', '/dev/null', '-w', '%{http_code} ', url + '/nothing', url + '/ping', url + '/stat')
    tap.ok(done.stdout.decode().startswith('404'), 'curl: what is not there is 404', done.stdout)
    done = run('curl', '-s', '-w', '%{http_code}', url + '/checkv2')
    tap.ok(done.stdout.endswith(b'405'), 'curl: /checkv2 wants POST', done.stdout)
    done = run('curl', '-s', '-H', 'Expect: 100-continue', '--data-binary', '@-', url + '/checkv2', text=message() + 'x' * 2000000)
    tap.equal(json.loads(done.stdout)['action'], 'no action', 'curl: a large body after 100 Continue')


def check_abuse(tap, postern, http, spamd):
    children = postern.children()
    body = b'x' * 10
    cases = [(b'GET / HTTP/9.9\r\n\r\n', b'505|400'), (b'\x16\x03\x01\x02\x00\x01\x00' + os.urandom(200), b'400|$'),
             (b'POST /checkv2 HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n', b'400'),
             (b'POST /checkv2 HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\nContent-Length: 11\r\n\r\n' + body, b'400'),
             (b'POST /checkv2 HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\nTransfer-Encoding: chunked\r\n\r\n' + body, b'400'),
             (b'POST /checkv2 HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999999\r\n\r\n', b'400|413'),
             (b'POST /checkv2 HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999999\r\n\r\n', b'413'),
             (b'POST /checkv2 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n', b'400'),
             (b'POST /checkv2 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffffff\r\n', b'400|413'),
             (b'GET /' + b'a' * 100000 + b' HTTP/1.1\r\n\r\n', b'414|431|400'),
             (b'GET / HTTP/1.1\r\n' + b'a: b\r\n' * 100000 + b'\r\n', b'431|400'),
             (b'GET /ping HTTP/1.1\r\nHost : x\r\n\r\n', b'400'), (b'EHLO there\r\nMAIL FROM:<a@b>\r\n', b'400|501|405'),
             (b'GET /ping HTTP/1.1\r\nHost: x\n X: folded\r\n\r\n', b'400|200')]
    for data, want in cases:
        got = raw(http, data)
        tap.ok(re.match(rb'HTTP/1\.[01] (%s)' % want, got) or (b'$' in want and not got) or got == b'', f'HTTP: {data[:60]!r}', got[:200])
        tap.ok(b'200' in want or b' 200 ' not in got[:20], 'and is not taken for a message', got[:200])
    got = raw(http, b'GET /ping HTTP/1.1\r\nHost: x\r\n\r\n' * 500)
    tap.equal(got.count(b'pong'), 500, 'HTTP: 500 requests in one packet are all answered')
    for data in (b'GET / HTTP/1.1\r\n\r\n', b'CHECK SPAMC/1.5\r\nContent-length: 99999999999999\r\n\r\nx', b'CHECK SPAMC/1.5\r\nContent-length: x\r\n\r\n',
                 b'CHECK\r\n\r\n', b'A' * 100000, os.urandom(5000), b'TELL SPAMC/1.5\r\n' + b'a: b\r\n' * 100000 + b'\r\n', b'\r\n' * 1000):
        got = raw(spamd, data)
        tap.ok(b'EX_OK' not in got, f'spamd: {data[:50]!r} is no message', got[:200])
    tap.ok(b'EX_OK' not in raw(spamd, b'CHECK SPAMC/1.5\r\nContent-length: 1000\r\n\r\nSubject: cut off\r\n\r\nx'), 'spamd: less than was announced is not judged')
    tap.equal(postern.children(), children, 'no process died of it')
    tap.equal(raw(http, b'GET /ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')[-6:], b'pong\r\n', 'and it answers still')


def main():
    need('rspamc', 'spamc', 'curl')
    tap = Tap()
    http, spamd = free_port(), free_port()
    postern = Postern(f'milter: {{ listen: off }}\nhttp: {{ listen: 127.0.0.1:{http} }}\nspamd: {{ listen: 127.0.0.1:{spamd} }}\n'
                      'clients: { timeout: 5s }\n')
    for check in (lambda: check_rspamc(tap, postern, http), lambda: check_compressed(tap, postern, http),
                  lambda: check_spamc(tap, postern, spamd), lambda: check_curl(tap, http), lambda: check_abuse(tap, postern, http, spamd)):
        try:
            check()
        except (TimeoutError, OSError, KeyError, IndexError, ValueError, AttributeError, subprocess.TimeoutExpired):
            import traceback
            tap.ok(False, 'this part went through', traceback.format_exc())
    tap.equal(postern.stop(), 0, 'it ends well')
    tap.equal(postern.reports(), [], 'no sanitizer has anything to say')
    tap.done()


if __name__ == '__main__':
    main()
