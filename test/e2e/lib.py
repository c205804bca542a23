# SPDX-License-Identifier: Apache-2.0
"""What the end-to-end tests share: private instances of Postfix and of Postern, an SMTP sink, TAP output.

Everything lives below one temporary folder and on loopback; every process that a test starts is ended by it.
"""
import atexit
import json
import os
import re
import shutil
import signal
import smtplib
import socket
import socketserver
import subprocess
import sys
import tempfile
import threading
import time

ROOT = os.environ.get('POSTERN_ROOT') or os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get('POSTERN_BUILD', os.path.join(ROOT, 'build'))
POSTERN = os.path.join(BUILD, 'postern')
POSTERND = os.path.join(BUILD, 'posternd')


# A test that takes too long is told to end: what it started must end with it.
signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(1))


class Tap:
    """Counts and prints: one line a check, with what was seen when it fails."""

    def __init__(self):
        self.number = 0
        self.failed = 0

    def ok(self, good, name, seen=None):
        self.number += 1
        if not good:
            self.failed += 1
        print(f'{"ok" if good else "not ok"} {self.number} - {name}', flush=True)
        if not good and seen is not None:
            for line in str(seen).splitlines()[:40]:
                print(f'# {line}', flush=True)
        return good

    def equal(self, got, want, name):
        return self.ok(got == want, name, f'got {got!r}, want {want!r}')

    def has(self, text, part, name):
        return self.ok(part in text, name, f'{part!r} is not in {text!r}')

    def skip(self, name, why):
        self.number += 1
        print(f'ok {self.number} - {name} # SKIP {why}', flush=True)

    def done(self):
        print(f'1..{self.number}', flush=True)
        sys.exit(1 if self.failed else 0)


def skip_all(why):
    print(f'1..0 # SKIP {why}', flush=True)
    sys.exit(0)


def need(*programs):
    """Ends the test as skipped when a program is not installed."""
    for program in programs:
        if not shutil.which(program, path=os.environ['PATH'] + ':/usr/sbin:/sbin'):
            skip_all(f'{program} is not installed')


def free_port():
    with socket.socket() as sock:
        sock.bind(('127.0.0.1', 0))
        return sock.getsockname()[1]


def wait_for(test, seconds=20, what='it'):
    """Polls until test() is true; the only way in which these tests wait."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = test()
        if value:
            return value
        time.sleep(0.02)
    raise TimeoutError(f'{what} did not happen within {seconds} s')


def listening(port, host='127.0.0.1'):
    try:
        with socket.create_connection((host, port), timeout=0.5):
            return True
    except OSError:
        return False


def temp_dir(prefix='postern-test-'):
    path = tempfile.mkdtemp(prefix=prefix)
    os.chmod(path, 0o755)
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path


class Sink:
    """An SMTP (or LMTP) server that keeps what it is given; it can be told to refuse."""

    class Handler(socketserver.StreamRequestHandler):
        timeout = 60

        def say(self, text):
            self.wfile.write(text.encode() + b'\r\n')

        def handle(self):
            sink = self.server.sink
            try:
                self.say('220 sink ESMTP')
                sender, recipients, params = None, [], ''
                while True:
                    line = self.rfile.readline()
                    if not line:
                        return
                    command = line.decode('utf-8', 'replace').strip()
                    word = command.split(' ')[0].upper()
                    with sink.lock:
                        sink.commands.append(command)
                    if word in ('EHLO', 'LHLO'):
                        self.wfile.write(b''.join(b'250-%s\r\n' % k.encode() for k in sink.keywords) + b'250 HELP\r\n')
                    elif word == 'HELO' or word == 'NOOP' or word in ('XFORWARD', 'XCLIENT'):
                        self.say('250 2.0.0 Ok')
                    elif word == 'MAIL':
                        sender, recipients, params = command[10:], [], command
                        self.say(sink.answer('MAIL', command) or '250 2.1.0 Ok')
                    elif word == 'RCPT':
                        reply = sink.answer('RCPT', command) or '250 2.1.5 Ok'
                        if reply.startswith('2'):
                            recipients.append(re.sub(r'^RCPT TO: *<([^>]*)>.*', r'\1', command, flags=re.I))
                        self.say(reply)
                    elif word == 'DATA':
                        if not recipients:
                            self.say('503 5.5.1 no recipients')
                            continue
                        self.say('354 go on')
                        sink.slow.wait()
                        if sink.early:
                            self.say(sink.early)
                            sink.unread.append(self.rfile.read())
                            return
                        lines = []
                        while True:
                            line = self.rfile.readline()
                            if not line:
                                return
                            if line == b'.\r\n':
                                break
                            lines.append(line[1:] if line.startswith(b'.') else line)
                        reply = sink.answer('DATA', b''.join(lines)) or '250 2.0.0 Ok: queued as SINK'
                        if reply.startswith('2'):
                            with sink.lock:
                                sink.messages.append({'from': re.sub(r'^<([^>]*)>.*', r'\1', sender), 'to': recipients,
                                                      'data': b''.join(lines), 'params': params})
                        sender, recipients = None, []
                        self.say(reply)
                    elif word == 'RSET':
                        sender, recipients = None, []
                        self.say('250 2.0.0 Ok')
                    elif word == 'QUIT':
                        self.say('221 2.0.0 Bye')
                        return
                    else:
                        self.say('502 5.5.2 what?')
            except (OSError, ValueError):
                return

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = True
        request_queue_size = 200

    def __init__(self, port=None, keywords=('PIPELINING', 'SIZE 104857600', '8BITMIME', 'SMTPUTF8', 'DSN',
                                            'ENHANCEDSTATUSCODES', 'XFORWARD NAME ADDR PROTO HELO')):
        self.port = port or free_port()
        self.keywords = keywords
        self.messages = []
        self.commands = []
        self.lock = threading.Lock()
        self.answer = lambda stage, what: None
        self.slow = threading.Event()  # clear: messages are not read
        self.slow.set()
        self.early = None  # said instead of reading the message
        self.unread = []   # all that came after that
        self.server = self.Server(('127.0.0.1', self.port), self.Handler)
        self.server.sink = self
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        atexit.register(self.close)

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def wait(self, n, seconds=20):
        wait_for(lambda: len(self.messages) >= n, seconds, f'message {n} at the sink (there are {len(self.messages)})')
        return self.messages


class Postfix:
    """A private Postfix: its own queue and configuration, on its own port; needs root, as Postfix does."""

    def __init__(self, main=None, master='', smtpd_options=''):
        self.dir = temp_dir('postern-postfix-')
        self.port = free_port()
        self.conf = os.path.join(self.dir, 'conf')
        for name in ('conf', 'queue', 'data'):
            os.mkdir(os.path.join(self.dir, name))
        shutil.chown(os.path.join(self.dir, 'data'), 'postfix')
        settings = {
            'compatibility_level': '3.6', 'queue_directory': self.dir + '/queue', 'data_directory': self.dir + '/data',
            'maillog_file': self.dir + '/log', 'maillog_file_prefixes': self.dir, 'myhostname': 'mx.example.org',
            'mydestination': '', 'relay_domains': 'example.org', 'mynetworks': '127.0.0.0/8', 'inet_interfaces': '127.0.0.1',
            'inet_protocols': 'ipv4', 'alias_maps': '', 'alias_database': '', 'local_recipient_maps': '',
            'smtpd_relay_restrictions': 'permit_mynetworks,reject_unauth_destination', 'smtputf8_enable': 'yes',
            'smtp_dns_support_level': 'disabled', 'disable_dns_lookups': 'yes', 'smtpd_peername_lookup': 'no',
            'maximal_queue_lifetime': '1h', 'minimal_backoff_time': '2s', 'maximal_backoff_time': '4s',
            'queue_run_delay': '2s', 'smtpd_client_connection_count_limit': '0', 'smtpd_client_message_rate_limit': '0',
            'message_size_limit': '104857600', 'mailbox_size_limit': '0', 'local_header_rewrite_clients': '',
            'default_process_limit': '100', 'smtp_address_preference': 'ipv4', 'setgid_group': 'postdrop',
            'mail_owner': 'postfix',
        }
        settings.update(main or {})
        with open(self.conf + '/main.cf', 'w') as file:
            file.writelines(f'{key} = {value}\n' for key, value in settings.items())
        with open(self.conf + '/master.cf', 'w') as file:
            file.write(f'127.0.0.1:{self.port} inet n - n - - smtpd{smtpd_options}\n')
            for name, rest in (('pickup', 'unix n - n 60 1 pickup'), ('cleanup', 'unix n - n - 0 cleanup'),
                               ('qmgr', 'unix n - n 300 1 qmgr'), ('rewrite', 'unix - - n - - trivial-rewrite'),
                               ('bounce', 'unix - - n - 0 bounce'), ('defer', 'unix - - n - 0 bounce'),
                               ('trace', 'unix - - n - 0 bounce'), ('verify', 'unix - - n - 1 verify'),
                               ('flush', 'unix n - n 1000? 0 flush'), ('proxymap', 'unix - - n - - proxymap'),
                               ('smtp', 'unix - - n - - smtp'), ('relay', 'unix - - n - - smtp'),
                               ('lmtp', 'unix - - n - - lmtp'),
                               ('showq', 'unix n - n - - showq'), ('error', 'unix - - n - - error'),
                               ('retry', 'unix - - n - - error'), ('discard', 'unix - - n - - discard'),
                               ('anvil', 'unix - - n - 1 anvil'), ('scache', 'unix - - n - 1 scache'),
                               ('postlog', 'unix-dgram n - n - 1 postlogd')):
                file.write(f'{name} {rest}\n')
            file.write(master)
        atexit.register(self.stop)
        self.command('start')
        wait_for(lambda: listening(self.port), 30, 'Postfix listening')

    def command(self, *words):
        return subprocess.run(['postfix', '-c', self.conf, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, env=dict(os.environ, PATH=os.environ['PATH'] + ':/usr/sbin:/sbin')).stdout

    def stop(self):
        if os.path.exists(self.dir + '/queue/pid/master.pid'):
            self.command('stop')

    def queue(self):
        out = subprocess.run(['postqueue', '-c', self.conf, '-j'], capture_output=True, text=True,
                             env=dict(os.environ, PATH=os.environ['PATH'] + ':/usr/sbin:/sbin')).stdout
        return [json.loads(line) for line in out.splitlines() if line.startswith('{')]

    def flush(self):
        subprocess.run(['postqueue', '-c', self.conf, '-f'], env=dict(os.environ, PATH=os.environ['PATH'] + ':/usr/sbin:/sbin'))

    def log(self):
        try:
            with open(self.dir + '/log', errors='replace') as file:
                return file.read()
        except FileNotFoundError:
            return ''


class Postern:
    """The daemons with a state of their own. `settings` is YAML text beside state_dir and run_dir."""

    def __init__(self, settings='', start=True, user=None):
        self.dir = temp_dir('postern-state-')
        self.config = self.dir + '/postern.yaml'
        self.log_path = self.dir + '/log'
        self.process = None
        self.user = user
        for name in ('state', 'run'):
            os.mkdir(os.path.join(self.dir, name))
        self.write(settings)
        atexit.register(self.stop)
        if start:
            self.start()

    def write(self, settings):
        # A test that does not bring a DNS server of its own has none to ask.
        dns = '' if 'dns:' in settings else 'dns: { enabled: false }\n'
        with open(self.config, 'w') as file:
            file.write(f'state_dir: {self.dir}/state\nrun_dir: {self.dir}/run\n{dns}{settings}\n')

    def start(self):
        self.log_file = open(self.log_path, 'ab')
        offset = self.log_file.tell()
        if self.user:
            for name in ('', '/state', '/run'):
                shutil.chown(self.dir + name, self.user)
        self.process = subprocess.Popen([POSTERND, '--config', self.config], stdin=subprocess.DEVNULL,
                                        stdout=self.log_file, stderr=self.log_file, user=self.user,
                                        extra_groups=[] if self.user else None)

        def ready():
            if self.process.poll() is not None:
                raise RuntimeError('posternd ended: ' + self.log()[-3000:])
            return 'postern.ready' in self.log()[offset:]
        wait_for(ready, 60, 'posternd ready')

    def log(self):
        with open(self.log_path, errors='replace') as file:
            return file.read()

    def stop(self, how=signal.SIGTERM):
        if self.process and self.process.poll() is None:
            self.process.send_signal(how)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        return self.process.returncode if self.process else None

    def reports(self):
        """What a sanitizer said in the log, where the programs are built with one."""
        return [line for line in self.log().splitlines() if 'runtime error:' in line or 'ERROR: AddressSanitizer' in line]

    def children(self):
        """{role: [pid]} of the daemons, by the names they give themselves."""
        found = {}
        for pid in os.listdir('/proc'):
            if not pid.isdigit():
                continue
            try:
                with open(f'/proc/{pid}/stat') as file:
                    stat = file.read()
                if int(stat.rsplit(')', 1)[1].split()[1]) == self.process.pid:
                    name = stat[stat.index('(') + 1:stat.rindex(')')]
                    found.setdefault(name, []).append(int(pid))
            except (OSError, ValueError, IndexError):
                continue
        return found

    def cli(self, *words, **kwargs):
        command = [POSTERN, words[0], '--config', self.config, *words[1:]]
        return subprocess.run(command, capture_output=True, text=True, errors='replace', **kwargs)

    def trace(self, *words):
        out = self.cli('trace', '--json', *words)
        return [json.loads(line) for line in out.stdout.splitlines() if line.startswith('{')]


GTUBE = 'XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X'
EICAR = 'X5O!P%@AP[4\\PZX54(P^)7CC)7}$' + 'EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*'


def message(subject='Hello', body='Good morning.\n', sender='alice@example.com', to='bob@example.org', extra=''):
    return (f'From: Alice <{sender}>\nTo: <{to}>\nSubject: {subject}\n'
            f'Date: {time.strftime("%a, %d %b %Y %H:%M:%S +0000", time.gmtime())}\n'
            f'Message-ID: <{time.time_ns()}@example.com>\n{extra}\n{body}').replace('\n', '\r\n')


def send(port, text, sender='alice@example.com', recipients=('bob@example.org',), helo='client.example.com', host='127.0.0.1'):
    """Sends one message; returns (code, text) of the reply that decided its fate."""
    if isinstance(text, str):
        text = text.encode('utf-8', 'surrogateescape')
    try:
        with smtplib.SMTP(host, port, local_hostname=helo, timeout=60) as smtp:
            smtp.ehlo()
            code, reply = smtp.mail(sender)
            if code != 250:
                return code, reply.decode('utf-8', 'replace')
            accepted = 0
            for recipient in recipients:
                code, reply = smtp.rcpt(recipient)
                accepted += code in (250, 251)
            if not accepted:
                return code, reply.decode('utf-8', 'replace')
            code, reply = smtp.data(text)
            return code, reply.decode('utf-8', 'replace')
    except smtplib.SMTPResponseException as error:
        return error.smtp_code, error.smtp_error.decode('utf-8', 'replace')
    except smtplib.SMTPServerDisconnected as error:
        return 0, str(error)
