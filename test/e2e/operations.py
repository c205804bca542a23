#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Running the daemons: errors of the configuration, reload and drain under load, memory, bad clients, huge messages."""
import concurrent.futures
import os
import pwd
import re
import signal
import smtplib
import socket
import struct
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from dns_server import DnsServer  # noqa: E402
from lib import (GTUBE, POSTERN, POSTERND, Postern, Postfix, Sink, Tap, free_port, listening, message, need, send,  # noqa: E402
                 skip_all, temp_dir, wait_for)

PSS_MAX_KB = 120 * 1024


class House:
    """Postfix with a Postern that is milter, proxy, HTTP and spamd server at once."""

    def __init__(self):
        self.sink = Sink()
        self.dns = DnsServer({})  # every name is unknown: the resolver works, and its answers are quick
        self.dns.start()
        self.milter, self.smtp, self.http, self.spamd = (free_port() for _ in range(4))
        self.postern = Postern(self.settings(''), start=True)
        self.postfix = Postfix({'relay_transport': f'smtp:[127.0.0.1]:{self.sink.port}',
                                'smtpd_milters': f'inet:127.0.0.1:{self.milter}', 'milter_default_action': 'tempfail'})

    def settings(self, more, next_hop=''):
        return (f'milter: {{ listen: 127.0.0.1:{self.milter} }}\nhttp: {{ listen: 127.0.0.1:{self.http} }}\n'
                f'smtp: {{ listen: 127.0.0.1:{self.smtp}, next_hop: 127.0.0.1:{self.sink.port}{next_hop} }}\n'
                f'spamd: {{ listen: 127.0.0.1:{self.spamd} }}\ndns: {{ servers: ["{self.dns.address}"] }}\n{more}\n')

    def reload(self, more, next_hop=''):
        """New settings; returns when the gates that hold them are ready."""
        self.postern.write(self.settings(more, next_hop))
        before = set(self.postern.children().get('gate-0', []))
        offset = len(self.postern.log())
        self.postern.process.send_signal(signal.SIGHUP)
        wait_for(lambda: 'event=reload' in self.postern.log()[offset:], 10, 'reload')
        wait_for(lambda: self.new_gate(before), 20, 'the new gate')

    def settled(self):
        """The processes, when none of an older configuration is left."""
        return wait_for(lambda: (c := self.postern.children()) and len(c) == 6 and all(len(pids) == 1 for pids in c.values()) and c,
                        20, 'the end of older processes')

    def new_gate(self, before):
        """The gate is another one, and the old one accepts no more."""
        now = set(self.postern.children().get('gate-0', []))
        return now - before and all(not accepts(pid, self.smtp) for pid in before & now)


def accepts(pid, port):
    """Whether that process has the listening socket of that port."""
    wanted = set()
    with open('/proc/net/tcp') as file:
        for line in file.readlines()[1:]:
            words = line.split()
            if words[3] == '0A' and int(words[1].split(':')[1], 16) == port:
                wanted.add(f'socket:[{words[9]}]')
    try:
        return any(os.readlink(f'/proc/{pid}/fd/{fd}') in wanted for fd in os.listdir(f'/proc/{pid}/fd'))
    except OSError:
        return False


def check_config(tap, house):
    folder = temp_dir()

    def start(text):
        path = folder + '/postern.yaml'
        with open(path, 'w') as file:
            file.write(text)
        done = subprocess.run([POSTERND, '--config', path], capture_output=True, text=True, timeout=20)
        check = subprocess.run([POSTERN, 'check-config', path], capture_output=True, text=True, timeout=20)
        return done.returncode, done.stderr, check.returncode, path
    for text, line, said in (('milter: { listen: off }\nlimits:\n  mesage_size: 10M\n', 3, 'did you mean "limits.message_size"?'),
                             ('actions:\n  spam: rejekt\n', 2, 'actions.spam: "rejekt" is not'),
                             ('smtp:\n  listen: 127.0.0.1:99999\n', 2, 'smtp.listen'), ('user: [a\n', 2, ''),
                             ('state_dir: relative/path\n', 1, 'absolute'),
                             ('actions: { tag_at: 0.99, quarantine_at: 0.5 }\n', 1, 'must not be below')):
        status, err, checked, path = start(text)
        tap.ok(status == 2 and checked == 2 and re.search(re.escape(path) + f':{line}: .*' + re.escape(said), err),
               f'line {line} of {text!r} is named', (status, checked, err))
    done = subprocess.run([POSTERND, '--config', folder + '/none.yaml'], capture_output=True, text=True, timeout=20)
    tap.ok(done.returncode == 2 and 'none.yaml' in done.stderr, 'a file that is not there is named', done)
    done = subprocess.run([POSTERND, '--confg', 'x'], capture_output=True, text=True, timeout=20)
    tap.ok(done.returncode == 2 and done.stderr.count('\n') == 1, 'a wrong command line is one line and status 2', done)
    with socket.socket() as taken:
        taken.bind(('127.0.0.1', 0))
        taken.listen()
        status, err, _, _ = start(f'state_dir: {folder}/s\nrun_dir: {folder}/r\nhttp: {{ listen: off }}\n'
                                  f'milter: {{ listen: "127.0.0.1:{taken.getsockname()[1]}" }}\n')
        tap.ok(status == 1 and 'Address already in use' in err, 'a port that is taken is said, and ends it', (status, err))


def check_next_hop(tap, house):
    """The next hop may think over a message for longer than a client may be silent."""
    asked, answered = threading.Event(), threading.Event()

    def answer(stage, what):
        if stage == 'DATA':
            asked.set()
            answered.wait(30)
    house.sink.answer = answer
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        house.reload('clients: { timeout: 1s }')
        sending = pool.submit(send, house.smtp, message(subject='thought over'))
        asked.wait(20)
        with socket.create_connection(('127.0.0.1', house.smtp), timeout=20) as silent:
            tap.ok(closes(silent, 10) is not None, 'a silent client is sent away by clients.timeout')
        tap.ok(not sending.done(), 'while the next hop thinks over a message, which its client waits for')
        answered.set()
        tap.equal(sending.result(20)[0], 250, 'and is told when the next hop has it')
        answered.clear()
        house.reload('', next_hop=', next_hop_timeout: 1s')
        code, text = send(house.smtp, message(subject='too late'))
        tap.ok(code == 451 and 'does not answer' in text, 'a next hop that is silent for longer than its timeout is given up', (code, text))
        answered.set()
    house.sink.answer = lambda stage, what: None
    house.reload('')


class Load:
    """Senders through the proxy and the milter that go on until stopped; .answers has what they were told."""

    def __init__(self, house, name):
        self.name = name
        self.stopping = threading.Event()
        self.answers = []
        self.threads = [threading.Thread(target=self.run, args=(port, n), daemon=True)
                        for port in (house.smtp, house.postfix.port) for n in range(2)]
        for thread in self.threads:
            thread.start()

    def run(self, port, n):
        count = 0
        while not self.stopping.is_set():
            count += 1
            try:
                self.answers.append(send(port, message(subject=f'{self.name}-{port}-{n}-{count}')))
            except (OSError, smtplib.SMTPException) as error:
                self.answers.append((0, str(error)))

    def more(self, n):
        before = len(self.answers)
        wait_for(lambda: len(self.answers) > before + n, 20, 'load')

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join(60)


def reload_under_load(tap, house, load):
    sessions = []
    for port in (house.smtp, house.postfix.port):
        smtp = smtplib.SMTP('127.0.0.1', port, timeout=30)
        smtp.ehlo()
        smtp.mail('alice@example.com')
        smtp.rcpt('bob@example.org')
        sessions.append(smtp)
    keep = socket.create_connection(('127.0.0.1', house.http), timeout=30)
    keep.sendall(b'GET /ping HTTP/1.1\r\nHost: x\r\n\r\n')
    keep.recv(4096)
    for turn in range(3):
        house.reload(f'actions: {{ spam: reject, reject_text: "after {turn} %id%" }}')
        load.more(20)
    for name, smtp, port in zip(('proxy', 'milter'), sessions, (house.smtp, house.postfix.port)):
        code, text = smtp.docmd('DATA')
        tap.equal(code, 354, f'{name}: a session that was open through three reloads goes on')
        smtp.send(message(subject='old session', body=GTUBE + '\n').encode() + b'.\r\n')
        code, text = smtp.getreply()
        tap.ok(code == 550 and b'before ' in text, f'{name}: with the settings that it began with', (code, text))
        smtp.mail('alice@example.com')
        smtp.rcpt('bob@example.org')
        tap.equal(smtp.docmd('DATA')[0], 354, f'{name}: and is not over')
        smtp.send(message(subject=f'old-{port}').encode() + b'.\r\n')
        tap.equal(smtp.getreply()[0], 250, f'{name}: its next message is accepted')
        smtp.quit()
        code, text = send(port, message(body=GTUBE + '\n'))
        tap.ok(code == 550 and 'after 2 ' in text, f'{name}: a new session has the new settings', (code, text))
    keep.sendall(b'GET /ping HTTP/1.1\r\nHost: x\r\n\r\n')
    tap.has(keep.recv(4096), b'pong', 'an open HTTP connection is still served')
    keep.close()
    offset = len(house.postern.log())
    house.postern.write(house.settings('actions: { spam: rejekt }'))
    house.postern.process.send_signal(signal.SIGHUP)
    wait_for(lambda: 'event=reload.refused' in house.postern.log()[offset:], 10, 'the refusal')
    tap.has(house.postern.log()[offset:], 'rejekt', 'a broken configuration is refused with its error')
    tap.has(send(house.smtp, message(body=GTUBE + '\n'))[1], 'after 2 ', 'and the old one stays in force')


def check_reload(tap, house):
    house.reload('actions: { spam: reject, reject_text: "before %id%" }')
    load = Load(house, 'reload')
    try:
        reload_under_load(tap, house, load)
    finally:
        load.stop()
    print(f'# {len(load.answers)} messages during four reloads')
    tap.equal([a for a in load.answers if a[0] != 250], [], 'no message and no connection was lost by a reload')

    def arrived():
        with house.sink.lock:
            return len([m for m in house.sink.messages if b'Subject: reload-' in m['data']])
    tap.ok(wait_for(lambda: arrived() >= len(load.answers), 20, 'all of them'), 'all of them arrived')
    one = {'gate-0': 1, 'ledger-0': 1, 'resolver-0': 1, 'scanner-0': 1, 'scanner-1': 1, 'vault-0': 1}
    tap.ok(wait_for(lambda: {role: len(pids) for role, pids in house.postern.children().items()} == one, 20, 'the end of old processes'),
           'the old processes are gone')
    # Ports move.
    old = house.spamd
    house.spamd = free_port()
    house.reload('')
    tap.ok(listening(house.spamd), 'a new port is open after a reload')
    tap.ok(wait_for(lambda: not listening(old), 10, 'the old port closed'), 'and the old one closed')
    check_swap(tap, house)


def check_swap(tap, house):
    """Front ends change places in one reload, and one moves to where another was."""
    def ask(port, data):
        with socket.create_connection(('127.0.0.1', port), timeout=20) as sock:
            sock.sendall(data)
            return sock.recv(4096)

    def serve(what):
        house.reload('')
        house.settled()
        tap.has(ask(house.http, b'GET /ping HTTP/1.1\r\nHost: x\r\n\r\n'), b'pong', f'{what}: HTTP is at its new place')
        tap.has(ask(house.spamd, b'PING SPAMC/1.5\r\n\r\n'), b'PONG', f'{what}: so is spamd')
        tap.equal(send(house.smtp, message(subject='swapped'))[0], 250, f'{what}: and the proxy')
    house.http, house.spamd = house.spamd, house.http
    serve('two that change places')
    house.http, house.spamd, house.smtp = house.spamd, house.smtp, house.http
    serve('three that move round')
    old = house.http
    house.http, house.spamd = free_port(), old
    serve('one that goes where another was')
    offset = len(house.postern.log())
    house.postern.write(house.settings('').replace(f'spamd: {{ listen: 127.0.0.1:{house.spamd}', f'spamd: {{ listen: 127.0.0.1:{house.http}'))
    house.postern.process.send_signal(signal.SIGHUP)
    wait_for(lambda: 'event=reload.refused' in house.postern.log()[offset:], 10, 'the refusal')
    tap.has(house.postern.log()[offset:], 'spamd.listen: http.listen has this address already', 'two at one place are refused')
    house.reload('')


def pss_kb(postern):
    total = {}
    pids = {'supervisor': [postern.process.pid], **postern.children()}
    for role, members in pids.items():
        for pid in members:
            with open(f'/proc/{pid}/smaps_rollup') as file:
                total[f'{role}'] = total.get(role, 0) + int(re.search(r'^Pss:\s+(\d+)', file.read(), re.M).group(1))
    return total


def check_memory(tap, house):
    fresh = Postern(f'milter: {{ listen: 127.0.0.1:{free_port()} }}\nhttp: {{ listen: 127.0.0.1:{free_port()} }}\n')
    kb = pss_kb(fresh)
    print('# idle PSS in kB:', kb, 'sum', sum(kb.values()))
    tap.ok(sum(kb.values()) <= PSS_MAX_KB, 'idle, all processes together take at most 120 MB', kb)
    tap.equal(fresh.stop(), 0, 'it ends well')
    kb = pss_kb(house.postern)
    print('# after the load, PSS in kB:', kb, 'sum', sum(kb.values()))


def check_user(tap, house):
    """As somebody who is not root: the same, without a change of user."""
    smtp, user = free_port(), pwd.getpwnam('daemon')
    other = Postern(f'milter: {{ listen: off }}\nhttp: {{ listen: off }}\nsmtp: {{ listen: 127.0.0.1:{smtp}, next_hop: 127.0.0.1:{house.sink.port} }}\n',
                    start=False, user='daemon')
    if subprocess.run([POSTERND, '--help'], user='daemon', capture_output=True).returncode:
        tap.skip('as another user', 'the program cannot be read by others here')
        return
    other.start()
    pids = [other.process.pid] + [pid for pids in other.children().values() for pid in pids]
    tap.equal({os.stat(f'/proc/{pid}').st_uid for pid in pids} - {user.pw_uid, 0}, set(), 'started as a user it stays that user')
    tap.equal({open(f'/proc/{pid}/status').read().split('Uid:')[1].split()[0] for pid in pids}, {str(user.pw_uid)}, 'in all processes')
    tap.equal(send(smtp, message(subject='by-daemon'))[0], 250, 'and mail flows')
    tap.equal(send(smtp, message(subject='by-daemon', body=GTUBE + '\n'))[0], 250, 'into the quarantine as well')
    tap.equal(other.stop(), 0, 'it ends well')
    pids = [pid for role, pids in house.postern.children().items() for pid in pids]
    tap.ok('0' not in {open(f'/proc/{pid}/status').read().split('Uid:')[1].split()[0] for pid in pids}, 'started as root no child stays root')


def packet(command, data=b''):
    return struct.pack('>I', len(data) + 1) + command + data


def closes(sock, seconds):
    """Seconds until the peer closes, or None."""
    begin = time.monotonic()
    sock.settimeout(seconds)
    try:
        while sock.recv(65536):
            pass
    except socket.timeout:
        return None
    except OSError:
        pass
    return time.monotonic() - begin


def check_clients(tap, house):
    house.reload('clients: { timeout: 2s, max_connections: 40 }')
    before = house.settled()
    # Wrong protocol on each port.
    talk = {'http': b'GET / HTTP/1.1\r\nHost: x\r\n\r\n', 'smtp': b'EHLO x\r\nMAIL FROM:<a@example.com>\r\n', 'tls': b'\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03' + b'r' * 512,
            'milter': packet(b'O', struct.pack('>III', 6, 0x1ff, 0x1fffff)), 'spamd': b'CHECK SPAMC/1.5\r\n\r\n', 'zeroes': b'\0' * 4096,
            'noise': os.urandom(4096), 'long': packet(b'C', b'')[:0] + struct.pack('>I', 0xffffffff) + b'x' * 100}
    for port_name, port in (('milter', house.milter), ('smtp', house.smtp), ('http', house.http), ('spamd', house.spamd)):
        for name, data in talk.items():
            if name == port_name:
                continue
            with socket.create_connection(('127.0.0.1', port), timeout=10) as sock:
                try:
                    sock.sendall(data)
                except OSError:
                    pass
                took = closes(sock, 8)
            tap.ok(took is not None, f'{name} on the port of {port_name}: closed within the timeout')
    # Half-open sessions of the milter protocol.
    begin = packet(b'O', struct.pack('>III', 6, 0x1ff, 0x1fffff))
    connect = packet(b'C', b'host\0004' + struct.pack('>H', 25) + b'192.0.2.1\0')
    mail = packet(b'M', b'<a@example.com>\0')
    for name, data in (('nothing', b''), ('options', begin), ('half a packet', begin + b'\0\0'), ('connect', begin + connect),
                       ('an unfinished message', begin + connect + mail + packet(b'R', b'<b@example.org>\0') + packet(b'L', b'Subject\0x\0'))):
        with socket.create_connection(('127.0.0.1', house.milter), timeout=10) as sock:
            sock.sendall(data)
            took = closes(sock, 8)
        tap.ok(took is not None and took > 1, f'milter: a session that stops after {name} ends by the timeout', took)
    # Slow ones do not hold up the others; too many are turned away, and room comes back.
    slow = [socket.create_connection(('127.0.0.1', port), timeout=10) for port in (house.smtp, house.milter, house.http, house.spamd) for _ in range(4)]
    worst = 0
    for turn in range(15):
        for sock in slow:
            try:
                sock.sendall(b'E')
            except OSError:
                pass
        started = time.monotonic()
        good = send(house.smtp, message(subject=f'beside-slow-{turn}'))[0] == 250
        worst = max(worst, time.monotonic() - started) if good else 99
    print(f'# beside slow clients: {worst * 1000:.0f} ms at most')
    tap.ok(worst < 1, 'slow clients do not hold up the others', worst)
    crowd = []
    for _ in range(60):
        crowd.append(socket.create_connection(('127.0.0.1', house.http), timeout=10))
    tap.ok(wait_for(lambda: sum(ended(sock) for sock in crowd) >= 20, 5, 'refusals'), 'over the limit connections are closed at once')
    for sock in slow + crowd:
        sock.close()
    tap.ok(wait_for(lambda: send(house.smtp, message(subject='room-again'))[0] == 250, 5, 'room'), 'when they are gone there is room again')
    tap.equal(house.postern.children(), before, 'no process died')
    house.reload('')


def ended(sock):
    sock.setblocking(False)
    try:
        return sock.recv(1, socket.MSG_PEEK) == b''
    except BlockingIOError:
        return False
    except OSError:
        return True


def deep(levels):
    out = [message(body='', extra='MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b0').rstrip('\r\n') + '\r\n\r\n']
    out += [f'--b{n}\r\nContent-Type: multipart/mixed; boundary=b{n + 1}\r\n\r\n' for n in range(levels)]
    return ''.join(out) + f'--b{levels}\r\n\r\nbottom\r\n'


def many(parts):
    head = message(body='', extra='MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=cut').rstrip('\r\n') + '\r\n\r\n'
    return head + '--cut\r\n\r\nx\r\n' * parts + '--cut--\r\n'


def nested(levels):
    return message(body='', extra='Content-Type: message/rfc822').rstrip('\r\n') + '\r\n\r\n' + 'Content-Type: message/rfc822\r\n\r\n' * levels + 'x\r\n'


def check_huge(tap, house):
    before = house.settled()
    line = 'words of a long letter that says nothing at all, again and again, for megabytes\r\n'
    cases = (('10,000 parts deep', deep(10000), 'unscannable'), ('10,000 messages deep', nested(10000), 'unscannable'),
             ('a million parts', many(1000000), 'unscannable'),
             ('50 MB of text', message(subject='fifty') + line * (50 * 1000 * 1000 // len(line)), 'clean'),
             ('one line of 20 MB', message(subject='one-line') + 'x' * 20000000 + '\r\n', None),
             ('a header of 8 MB', 'X-Long: ' + 'y' * 900 + '\r\n' + ('X-More: ' + 'z' * 900 + '\r\n') * 9000 + message(), None))
    for what, text, expected in cases:
        data = text.encode()
        for name, port in (('proxy', house.smtp), ('milter', house.postfix.port)):
            sender = f'{name}-{len(data)}@example.com'
            started = time.monotonic()
            code, reply = send(port, data, sender=sender)
            took = time.monotonic() - started
            rows = wait_for(lambda s=sender: house.postern.trace('--sender', s), 10, 'the trace')
            print(f'# {what} ({len(data) / 1e6:.1f} MB) by the {name}: {code}, {rows[0]["class"]}, {rows[0]["usec"] / 1000:.0f} ms CPU of judging, {took:.1f} s')
            tap.ok(code == 250 and (expected is None or rows[0]['class'] == expected), f'{what} through the {name}', (code, reply, rows[0]['class'], rows[0]['reason']))
    tap.ok(wait_for(lambda: [m for m in house.sink.messages if b'Subject: fifty\r\n' in m['data'][:2000]][1:], 30, 'both'), 'the 50 MB arrive both ways')
    fifty = [m['data'].split(b'\r\n\r\n', 1)[1] for m in house.sink.messages if b'Subject: fifty\r\n' in m['data'][:2000]]
    tap.ok(all(body == cases[3][1].encode().split(b'\r\n\r\n', 1)[1] for body in fifty), 'and are what was sent')
    tap.equal(house.postern.children(), before, 'no process died of any of it')


def check_drain(tap, house):
    sock = socket.create_connection(('127.0.0.1', house.smtp), timeout=20)
    file = sock.makefile('rb')
    file.readline()
    for command in (b'HELO x.example.com', b'MAIL FROM:<alice@example.com>', b'RCPT TO:<bob@example.org>', b'DATA'):
        sock.sendall(command + b'\r\n')
        file.readline()
    sock.sendall(b'Subject: drained\r\n\r\nfirst half\r\n')
    through = smtplib.SMTP('127.0.0.1', house.postfix.port, timeout=20)
    through.ehlo()
    through.mail('alice@example.com')
    through.rcpt('bob@example.org')
    begin = time.monotonic()
    house.postern.process.send_signal(signal.SIGTERM)
    wait_for(lambda: not listening(house.smtp), 5, 'no new connections')
    tap.ok(house.postern.process.poll() is None, 'while messages are under way it does not end')
    sock.sendall(b'second half\r\n.\r\n')
    tap.equal(file.readline()[:3], b'250', 'proxy: the message under way is finished')
    tap.equal(through.data(message(subject='drained-milter'))[0], 250, 'milter: likewise')
    sock.close()
    file.close()
    through.close()
    tap.equal(house.postern.process.wait(20), 0, 'then it ends, with status 0')
    print(f'# drained in {time.monotonic() - begin:.1f} s')
    got = wait_for(lambda: [m for m in house.sink.messages if b'Subject: drained' in m['data']][1:], 20, 'both messages')
    tap.ok(got, 'both are delivered')
    ids = [re.search(rb'id=(\w{16})', m['data']).group(1).decode() for m in house.sink.messages if b'Subject: drained' in m['data']]
    tap.ok(all(house.postern.trace(ident) for ident in ids), 'and traced', ids)
    house.postern.start()
    check_idle(tap, house)


def milter_conversation(sock, data, last):
    """Sends packets and reads answers until one of the commands `last`; all commands."""
    sock.sendall(data)
    said = b''
    while said[-1:] not in last or not said:
        length, = struct.unpack('>I', sock.recv(4, socket.MSG_WAITALL))
        said += sock.recv(length, socket.MSG_WAITALL)[:1]
    return said


def check_idle(tap, house):
    """Whoever is between messages is let go at once, and only who is in one is waited for."""
    def fresh(port):
        sock = socket.create_connection(('127.0.0.1', port), timeout=20)
        idle[sock] = None
        return sock
    idle = {}
    idle[fresh(house.http)] = 'HTTP: nothing asked yet'
    idle[fresh(house.spamd)] = 'spamd: nothing asked yet'
    kept = fresh(house.http)
    kept.sendall(b'GET /ping HTTP/1.1\r\nHost: x\r\n\r\n')
    kept.recv(4096)
    idle[kept] = 'HTTP: kept alive after an answer'
    options, connect = packet(b'O', struct.pack('>III', 6, 0x1ff, 0x1fffff)), packet(b'C', b'host\0004' + struct.pack('>H', 25) + b'192.0.2.1\0')
    one = packet(b'M', b'<a@example.com>\0') + packet(b'R', b'<b@example.org>\0') + packet(b'L', b'Subject\0idle\0') + packet(b'N') + packet(b'B', b'x\r\n') + packet(b'E')
    between = fresh(house.milter)
    tap.equal(milter_conversation(between, options + connect, b'O'), b'O', 'milter: it speaks')
    idle[between] = 'milter: before its first message'
    between = fresh(house.milter)
    said = milter_conversation(between, options + connect + one, b'artd')
    tap.ok(said[-1:] == b'a', 'milter: a message is accepted', said)
    idle[between] = 'milter: after a message'
    proxies = {}
    for name in ('greeted', 'after a message', 'in a message'):
        proxies[name] = smtp = smtplib.SMTP('127.0.0.1', house.smtp, timeout=20)
        smtp.ehlo()
        if name == 'after a message':
            smtp.sendmail('alice@example.com', ['bob@example.org'], message(subject='idle'))
    last = proxies['in a message']
    last.mail('alice@example.com')
    last.rcpt('bob@example.org')
    # One of them belongs to an older configuration.
    old = smtplib.SMTP('127.0.0.1', house.smtp, timeout=20)
    old.ehlo()
    house.reload('')
    begin = time.monotonic()
    house.postern.process.send_signal(signal.SIGTERM)
    for sock, name in idle.items():
        took = closes(sock, 5)
        tap.ok(took is not None and time.monotonic() - begin < 2, f'at the end of all this is closed at once: {name}', took)
        sock.close()
    for name, smtp in {'of an older configuration': old, **proxies}.items():
        if smtp is last:
            continue
        code, text = smtp.getreply()
        tap.ok(code == 421 and time.monotonic() - begin < 2, f'proxy: a session that is {name} is told 421', (code, text))
        tap.ok(closes(smtp.sock, 5) is not None, 'and closed')
        smtp.close()
    tap.ok(house.postern.process.poll() is None, 'a session in a transaction is waited for')
    tap.equal(last.docmd('DATA')[0], 354, 'it goes on')
    last.send(message(subject='last words').encode() + b'.\r\n')
    tap.equal(last.getreply()[0], 250, 'its message is taken')
    tap.equal(last.getreply()[0], 421, 'and then it is told to go')
    last.close()
    tap.equal(house.postern.process.wait(5), 0, 'and all ends')
    took = time.monotonic() - begin
    print(f'# with idle sessions it ended in {took:.1f} s')
    tap.ok(took < 4, 'without waiting for anybody', took)
    house.postern.start()
    # Who is in a message for ever does not keep it from ending.
    smtp = smtplib.SMTP('127.0.0.1', house.smtp, timeout=20)
    smtp.ehlo()
    smtp.mail('alice@example.com')
    begin = time.monotonic()
    tap.equal(house.postern.stop(), 0, 'a transaction that does not go on does not keep it from ending')
    took = time.monotonic() - begin
    tap.ok(5 < took < 15, 'in bounded time', took)
    smtp.close()


def main():
    if os.geteuid() != 0:
        skip_all('Postfix needs root')
    need('postfix', 'postqueue')
    tap = Tap()
    house = House()
    for check in (check_config, check_reload, check_memory, check_user, check_clients, check_next_hop, check_huge, check_drain):
        try:
            check(tap, house)
        except (TimeoutError, OSError, smtplib.SMTPException, KeyError, IndexError, AttributeError, RuntimeError, subprocess.TimeoutExpired):
            import traceback
            tap.ok(False, f'{check.__name__} went through', traceback.format_exc())
            print('# ' + house.postern.log()[-2000:].replace('\n', '\n# '))
    tap.equal(house.postern.stop(), 0, 'it ends well')
    tap.equal(house.postern.reports(), [], 'no sanitizer has anything to say')
    tap.done()


if __name__ == '__main__':
    main()
