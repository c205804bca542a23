#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Nothing is lost: each process is killed under load and every message accounted for; disk full, database locked,
database corrupt."""
import atexit
import json
import os
import re
import signal
import smtplib
import socket
import sqlite3
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from lib import GTUBE, Postern, Postfix, Sink, Tap, free_port, listening, message, need, send, skip_all, wait_for  # noqa: E402

ROUNDS = 2  # of kills
SECOND = 1.0  # within which the service answers again


class House:
    def __init__(self):
        self.sink = Sink()
        self.milter, self.proxy, self.direct, self.back, self.proxied = (free_port() for _ in range(5))
        self.postern = Postern(f'''
milter: {{ listen: 127.0.0.1:{self.milter} }}
http: {{ listen: off }}
smtp: {{ listen: 127.0.0.1:{self.proxy}, next_hop: 127.0.0.1:{self.back} }}
''')
        self.postfix = Postfix(
            {'relay_transport': f'smtp:[127.0.0.1]:{self.sink.port}', 'smtpd_milters': f'inet:127.0.0.1:{self.milter}',
             'milter_default_action': 'tempfail', 'milter_connect_timeout': '5s', 'milter_command_timeout': '20s',
             'milter_content_timeout': '30s', 'notify_classes': '', 'smtpd_client_connection_rate_limit': '0'},
            master=f'127.0.0.1:{self.proxied} inet n - n - - smtpd -o smtpd_milters= '
                   f'-o smtpd_proxy_filter=127.0.0.1:{self.proxy} -o smtpd_proxy_timeout=30s\n'
                   f'127.0.0.1:{self.back} inet n - n - - smtpd -o smtpd_milters= '
                   '-o smtpd_authorized_xforward_hosts=127.0.0.0/8\n')
        for port in (self.back, self.proxied):
            wait_for(lambda p=port: listening(p), 20, 'Postfix')

    def held(self):
        """The raw text of everything in quarantine, by token."""
        found = {}
        out = self.postern.cli('quarantine', 'list', '--json', '--limit', '100000').stdout
        for line in out.splitlines():
            item = json.loads(line)
            token = item['subject']
            if not token:  # its scanners died: it was never read
                raw = self.postern.cli('quarantine', 'show', '--raw', item['id']).stdout
                token = re.search(r'^Subject: (\S+)', raw, re.M).group(1)
            found[token] = found.get(token, 0) + 1
        return found

    def at_sink(self):
        found = {}
        with self.sink.lock:
            for m in self.sink.messages:
                token = re.search(rb'^Subject: (\S+)', m['data'], re.M).group(1).decode()
                found[token] = found.get(token, 0) + 1
        return found


class Load:
    """Senders that go on until they are stopped; what each message was answered is kept by its token."""

    def __init__(self, house):
        self.stopping = threading.Event()
        self.answers = {}
        self.threads = [threading.Thread(target=self.run, args=(name, port, n), daemon=True)
                        for name, port in (('milter', house.postfix.port), ('proxied', house.proxied), ('direct', house.proxy))
                        for n in range(2)]
        for thread in self.threads:
            thread.start()

    def run(self, name, port, n):
        count = 0
        while not self.stopping.is_set():
            count += 1
            spam = count % 4 == 0
            token = f'{"gtube" if spam else "clean"}-{name}-{n}-{count}'
            try:
                code, _ = send(port, message(subject=token, body=(GTUBE if spam else 'x' * 500) + '\n'))
            except (OSError, smtplib.SMTPException):
                code = 0
            self.answers[token] = code
            if code != 250:
                time.sleep(0.02)

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join(90)
        return not any(thread.is_alive() for thread in self.threads)


def time_to_answer(house, round_name):
    """Seconds until a message is answered with 250 again, directly and by the milter."""
    begin = time.monotonic()
    n = 0

    def once(port):
        nonlocal n
        n += 1
        try:
            return send(port, message(subject=f'probe-{round_name}-{n}', body=GTUBE + '\n'))[0] == 250
        except (OSError, smtplib.SMTPException):
            return False
    wait_for(lambda: once(house.proxy), 30, 'an answer after a kill')
    wait_for(lambda: once(house.postfix.port), 30, 'an answer after a kill')
    return time.monotonic() - begin


def kill(house, role):
    """Ends that process, which is there again or soon will be."""
    pid = wait_for(lambda: house.postern.children().get(role), 20, role)[0]
    os.kill(pid, signal.SIGKILL)
    return pid


def kill_each(tap, house, load):
    wait_for(lambda: len(load.answers) > 20, 30, 'load')
    for turn in range(ROUNDS):
        for role in ('gate-0', 'scanner-0', 'vault-0', 'ledger-0', 'scanner-1'):
            before = len(load.answers)
            pid = kill(house, role)
            took = time_to_answer(house, f'{role}-{turn}')
            print(f'# {role} killed: answers again after {took * 1000:.0f} ms')
            tap.ok(took < SECOND, f'{role} killed ({turn + 1}): the service is back within a second', f'{took:.3f} s')
            wait_for(lambda: len(load.answers) > before + 30, 30, 'more load')
            wait_for(lambda: house.postern.children().get(role, [pid]) != [pid], 20, f'a new {role}')
    for role in ('scanner-0', 'scanner-1'):
        kill(house, role)
    took = time_to_answer(house, 'both')
    print(f'# both scanners killed: answers again after {took * 1000:.0f} ms')
    tap.ok(took < SECOND, 'both scanners killed: the service is back within a second', f'{took:.3f} s')


def kill_supervisor(tap, house, load):
    pids = [pid for group in house.postern.children().values() for pid in group]
    house.postern.process.send_signal(signal.SIGKILL)
    house.postern.process.wait()
    begin = time.monotonic()
    wait_for(lambda: not any(runs(pid) for pid in pids), 10, 'end of children')
    wait_for(lambda: not listening(house.proxy) and not listening(house.milter), 10, 'free ports')
    took = time.monotonic() - begin
    print(f'# supervisor killed: children gone, ports free after {took * 1000:.0f} ms')
    tap.ok(took < SECOND, 'the children of a killed supervisor end at once', f'{took:.3f} s')
    house.postern.start()
    took = time_to_answer(house, 'supervisor')
    print(f'# started again: answers after {took * 1000:.0f} ms')
    tap.ok(took < SECOND, 'a new supervisor answers within a second', f'{took:.3f} s')
    before = len(load.answers)
    wait_for(lambda: len(load.answers) > before + 100, 30, 'load')


def killed(tap, house):
    load = Load(house)
    try:
        kill_each(tap, house, load)
        kill_supervisor(tap, house, load)
    finally:
        tap.ok(load.stop(), 'all senders came to an end')
    account(tap, house, load.answers)


def runs(pid):
    """False for what is gone, or ended and was not waited for."""
    try:
        with open(f'/proc/{pid}/stat') as file:
            return file.read().rsplit(')', 1)[1].split()[0] != 'Z'
    except OSError:
        return False


def account(tap, house, answers):
    house.postfix.flush()
    try:
        wait_for(lambda: house.postfix.flush() or not house.postfix.queue(), 40, 'an empty queue')
    except TimeoutError:
        pass
    queued = house.postfix.queue()
    queue_ids = {item['queue_id'] for item in queued}
    tap.equal(queue_ids, set(), 'Postfix has delivered everything that it took')
    sink, held = house.at_sink(), house.held()
    print(f'# {len(answers)} messages: {sum(c == 250 for c in answers.values())} accepted, '
          f'{sum(400 <= c < 500 for c in answers.values())} told to come again, '
          f'{sum(c == 0 for c in answers.values())} disconnected, {len(sink)} delivered, {len(held)} held')
    tap.equal(sorted({c for c in answers.values()} - {250, 0} - set(range(400, 500))), [], 'nothing else was answered')
    lost = [t for t, code in answers.items() if code == 250 and t not in sink and t not in held]
    tap.equal(lost, [], 'each accepted message was delivered or is held')
    tap.equal([t for t, n in sink.items() if n > 1], [], 'none was delivered twice')
    tap.equal([t for t in sink if t in held and answers.get(t) == 250], [], 'none was delivered and is held')
    tap.equal([t for t in sink if t.startswith(('gtube', 'probe'))], [], 'nothing that was to be held was delivered')
    with house.sink.lock:
        bare = [m['data'][:300] for m in house.sink.messages if m['data'].split(b'\r\n\r\n')[0].count(b'X-Postern: ') != 1]
        total = len(house.sink.messages)
    tap.equal(bare, [], 'nothing was delivered unscanned')
    sent = len(re.findall(r'postfix/smtp\[\d+\]: \w+: to=<[^>]*>, .*status=sent', house.postfix.log()))
    tap.equal(sent, total, 'Postfix says the same of what was delivered')


def refused(port, seconds=15):
    """Sends until mail is refused for now; the reply, or None."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        code, text = send(port, message(subject='sick', body=GTUBE + '\n'))
        if 400 <= code < 500:
            return code, text
        time.sleep(0.1)
    return None


def accepted(port, seconds=20):
    begin = time.monotonic()
    wait_for(lambda: send(port, message(subject='well', body=GTUBE + '\n'))[0] == 250, seconds, 'mail accepted again')
    return time.monotonic() - begin


def sick(tap, house, what, make_sick, make_well, said):
    """The vault cannot write: both front ends refuse for now, the log says why, and it goes on by itself."""
    offset = len(house.postern.log())
    make_sick()
    for name, port in (('proxy', house.proxy), ('milter', house.postfix.port)):
        tap.ok(refused(port), f'{what}: mail is refused for now ({name})')
    try:
        wait_for(lambda: all(re.search(word, house.postern.log()[offset:]) for word in
                             ('event=(mail.refused|quarantine.refused|process.cannot_start)', said)), 15, 'the reason')
        tap.ok(refused(house.proxy), f'{what}: the log says so, and why')
    except TimeoutError:
        tap.ok(False, f'{what}: the log says so, and why', house.postern.log()[offset:][-1500:])
    tap.ok(house.postern.process.poll() is None, f'{what}: the daemons run on')
    make_well()
    took = accepted(house.proxy)
    print(f'# {what}: accepted again after {took:.1f} s')
    tap.equal(send(house.postfix.port, message(subject='well', body=GTUBE + '\n'))[0], 250, f'{what}: mail is accepted again by itself')


def disk_full(tap, house):
    state = house.postern.dir + '/state'
    house.postern.stop()
    if subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=12m,mode=0700', 'tmpfs', state], capture_output=True).returncode:
        tap.skip('disk full', 'no tmpfs can be mounted here')
        house.postern.start()
        return
    atexit.register(subprocess.run, ['umount', '-l', state], capture_output=True)
    house.postern.start()

    def fill():
        fd = os.open(state + '/filler', os.O_WRONLY | os.O_CREAT)
        try:
            while True:
                os.write(fd, b'x' * 4096)
        except OSError:
            os.close(fd)
    sick(tap, house, 'disk full', fill, lambda: os.unlink(state + '/filler'), r'full|No space|disk')


def database_locked(tap, house):
    holder = []

    def lock():
        holder.append(sqlite3.connect(house.postern.dir + '/state/postern.db', timeout=30, isolation_level=None))
        holder[0].execute('BEGIN EXCLUSIVE')
    sick(tap, house, 'database locked', lock, lambda: (holder[0].execute('ROLLBACK'), holder[0].close()), r'lock|busy')


def database_corrupt(tap, house):
    state = house.postern.dir + '/state'

    def corrupt():
        for name in ('postern.db', 'postern.db-wal'):
            with open(f'{state}/{name}', 'r+b') as file:
                size = os.fstat(file.fileno()).st_size
                file.write(b'\xa5' * max(size, 4096))
                file.truncate(size)
        kill(house, 'vault-0')  # one that runs has the pages it needs in memory

    def put_away():  # what the log tells to do
        for name in ('postern.db', 'postern.db-wal', 'postern.db-shm'):
            if os.path.exists(f'{state}/{name}'):
                os.rename(f'{state}/{name}', f'{state}/{name}.broken')
    sick(tap, house, 'database corrupt', corrupt, put_away, r'malformed|not a database|damaged')


def main():
    if os.geteuid() != 0:
        skip_all('Postfix needs root')
    need('postfix', 'postqueue')
    tap = Tap()
    house = House()
    for check in (killed, disk_full, database_locked, database_corrupt):
        try:
            check(tap, house)
        except (TimeoutError, OSError, smtplib.SMTPException, KeyError, IndexError, AttributeError, RuntimeError):
            import traceback
            tap.ok(False, f'{check.__name__} went through', traceback.format_exc())
            print('# ' + house.postern.log()[-3000:].replace('\n', '\n# '))
    tap.equal(house.postern.stop(), 0, 'it ends well')
    tap.equal(house.postern.reports(), [], 'no sanitizer has anything to say')
    tap.done()


if __name__ == '__main__':
    main()
