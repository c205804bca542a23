# SPDX-License-Identifier: Apache-2.0
"""The mail server's side of the milter protocol, for tests: every command, one method each.

    client = MilterClient(('127.0.0.1', 11340))         # or the path of a unix socket, or a connected socket
    client.negotiate()
    answer = client.message('alice@example.com', ['bob@example.org'], b'Subject: x\\r\\n\\r\\nbody\\r\\n')
    answer.action, answer.code, answer.text, answer.added, answer.inserted, answer.changed, answer.deleted_recipients, ...

`raw()` sends any packet, `bytes()` any bytes, for what a mail server would not do. `replies` holds all packets that came.
"""
import socket
import struct

VERSION = 6
ALL_ACTIONS = 0x1ff
ALL_STEPS = 0x1fffff
NO_REPLY = {'C': 0x1000, 'H': 0x2000, 'M': 0x4000, 'R': 0x8000, 'T': 0x10000, 'U': 0x20000, 'N': 0x40000, 'B': 0x80000,
            'L': 0x80}
NOT_SENT = {'C': 0x1, 'H': 0x2, 'M': 0x4, 'R': 0x8, 'B': 0x10, 'L': 0x20, 'N': 0x40, 'U': 0x100, 'T': 0x200}
SKIP, REJECTED_RECIPIENTS, LEADING_SPACE = 0x400, 0x800, 0x100000
FINAL = {'c': 'continue', 'a': 'accept', 'r': 'reject', 't': 'tempfail', 'd': 'discard', 'y': 'reply', 's': 'skip'}


def packet(command, data=b''):
    return struct.pack('>I', len(data) + 1) + command.encode() + data


def text(value):
    return (value if isinstance(value, bytes) else value.encode()) + b'\0'


class Answer:
    """What the filter wants done with the message."""

    def __init__(self):
        self.action = None
        self.code = 0
        self.text = ''
        self.added, self.inserted, self.changed = [], [], []  # (name, value), (index, name, value) twice
        self.added_recipients, self.deleted_recipients = [], []
        self.sender = None
        self.body = None
        self.quarantine = None
        self.progress = 0

    def take(self, command, data):
        parts = data.split(b'\0')
        if command == 'h':
            self.added.append((parts[0].decode(), parts[1]))
        elif command in 'im':
            index, rest = struct.unpack('>I', data[:4])[0], data[4:].split(b'\0')
            (self.inserted if command == 'i' else self.changed).append((index, rest[0].decode(), rest[1]))
        elif command in '+2':
            self.added_recipients.append(parts[0].decode())
        elif command == '-':
            self.deleted_recipients.append(parts[0].decode())
        elif command == 'e':
            self.sender = parts[0].decode()
        elif command == 'b':
            self.body = (self.body or b'') + data
        elif command == 'q':
            self.quarantine = parts[0].decode()
        elif command == 'p':
            self.progress += 1
        else:
            raise ValueError(f'unknown reply {command!r} {data!r}')


class MilterClient:
    def __init__(self, address, timeout=30):
        if isinstance(address, socket.socket):
            self.socket = address
        else:
            self.socket = socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET)
            self.socket.settimeout(timeout)
            self.socket.connect(address)
        self.socket.settimeout(timeout)
        self.buffer = b''
        self.replies = []
        self.version, self.actions, self.steps = 0, 0, 0

    def close(self):
        self.socket.close()

    def bytes(self, data):
        self.socket.sendall(data)

    def raw(self, command, data=b''):
        self.bytes(packet(command, data))

    def read(self):
        """The next packet as (command, data); None when the filter closed the connection."""
        def more(n):
            while len(self.buffer) < n:
                got = self.socket.recv(65536)
                if not got:
                    return False
                self.buffer += got
            return True
        if not more(4):
            return None
        length = struct.unpack('>I', self.buffer[:4])[0]
        if not more(4 + length):
            return None
        whole, self.buffer = self.buffer[4:4 + length], self.buffer[4 + length:]
        reply = (whole[:1].decode('latin-1'), whole[1:])
        self.replies.append(reply)
        return reply

    def answer(self):
        """Reads up to the packet that decides; ConnectionError when the filter closes instead."""
        answer = Answer()
        while True:
            reply = self.read()
            if reply is None:
                raise ConnectionError('the filter closed the connection')
            if reply[0] not in FINAL:
                answer.take(*reply)
                continue
            answer.action = FINAL[reply[0]]
            if reply[0] == 'y':
                answer.text = reply[1].rstrip(b'\0').replace(b'%%', b'%').decode('utf-8', 'replace')
                answer.code = int(answer.text[:3])
            return answer

    def command(self, command, data=b'', macros=None):
        """Sends a command and reads its answer, as negotiated; 'continue' where none is given, None where none is sent."""
        if self.steps & NOT_SENT.get(command, 0):
            return None
        if macros is not None:
            self.raw('D', command.encode() + b''.join(text(k) + text(v) for k, v in macros.items()))
        self.raw(command, data)
        if self.steps & NO_REPLY.get(command, 0):
            answer = Answer()
            answer.action = 'continue'
            return answer
        return self.answer()

    def negotiate(self, version=VERSION, actions=ALL_ACTIONS, steps=ALL_STEPS):
        self.raw('O', struct.pack('>III', version, actions, steps))
        reply = self.read()
        if reply is None or reply[0] != 'O':
            raise ConnectionError(f'no options: {reply!r}')
        self.version, self.actions, self.steps = struct.unpack('>III', reply[1][:12])
        return self

    def connect(self, host='client.example.com', address='192.0.2.1', port=25000, macros=None):
        family = 'U' if address is None else 'L' if address.startswith('/') else '6' if ':' in address else '4'
        data = text(host) + family.encode()
        if family != 'U':
            data += struct.pack('>H', port) + text(('IPv6:' if family == '6' else '') + address)
        return self.command('C', data, macros)

    def helo(self, name='client.example.com', macros=None):
        return self.command('H', text(name), macros)

    def mail(self, sender, *parameters, macros=None):
        return self.command('M', text(f'<{sender}>') + b''.join(map(text, parameters)), macros)

    def rcpt(self, recipient, *parameters, macros=None):
        return self.command('R', text(f'<{recipient}>') + b''.join(map(text, parameters)), macros)

    def data(self, macros=None):
        return self.command('T', b'', macros)

    def header(self, name, value, macros=None):
        """`value` as in the message, with what follows the colon; its line ends become LF as mail servers make them."""
        value = value if isinstance(value, bytes) else value.encode()
        if not self.steps & LEADING_SPACE and value.startswith(b' '):
            value = value[1:]
        return self.command('L', text(name) + text(value.replace(b'\r\n', b'\n')), macros)

    def end_of_header(self, macros=None):
        return self.command('N', b'', macros)

    def body(self, data, chunk=65535, macros=None):
        """In chunks, until the filter skips the rest."""
        answer = None
        for at in range(0, len(data), chunk):
            answer = self.command('B', data[at:at + chunk], macros)
            if answer is None or answer.action != 'continue':
                break
        return answer

    def end_of_message(self, macros=None):
        return self.command('E', b'', macros)

    def abort(self):
        self.raw('A')

    def quit(self):
        self.raw('Q')
        self.close()

    def quit_and_go_on(self):
        self.raw('K')

    def unknown(self, line):
        return self.command('U', text(line))

    def message(self, sender, recipients, message, macros=None, chunk=65535):
        """A whole transaction; the answer is that of the end, or the first that is not to go on."""
        head, _, body = message.partition(b'\r\n\r\n')
        fields = []
        for line in (head + b'\r\n').split(b'\r\n')[:-1]:
            if line[:1] in (b' ', b'\t') and fields:
                fields[-1] += b'\r\n' + line
            elif b':' in line:
                fields.append(line)

        def steps():
            yield lambda: self.mail(sender, macros=macros)
            for recipient in recipients:
                yield lambda recipient=recipient: self.rcpt(recipient, macros=macros)
            yield self.data
            for field in fields:
                yield lambda field=field: self.header(*(field.split(b':', 1)))
            yield self.end_of_header
            yield lambda: self.body(body, chunk)
        for step in steps():
            answer = step()
            if answer is not None and answer.action not in ('continue', 'skip'):
                return answer
        return self.end_of_message(macros)
