# SPDX-License-Identifier: Apache-2.0
"""A mail server's side of the milter protocol, just enough to hand messages to a milter as Postfix does, many at once."""
import socket
import struct
import threading

STEPS = 0x1fffff


def packet(letter, data=b''):
    return struct.pack('>I', len(data) + 1) + letter + data


class Connection:
    def __init__(self, address):
        if isinstance(address, str):
            self.sock = socket.socket(socket.AF_UNIX)
        else:
            self.sock = socket.socket()
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.settimeout(120)
        self.sock.connect(address)
        self.buffer = b''
        self.sock.sendall(packet(b'O', struct.pack('>III', 6, 0x1ff, STEPS)))
        letter, data = self.read()
        self.steps = struct.unpack('>III', data[:12])[2]

    def read(self):
        while len(self.buffer) < 4 or len(self.buffer) < 4 + struct.unpack('>I', self.buffer[:4])[0]:
            more = self.sock.recv(65536)
            if not more:
                raise ConnectionError('the milter closed the connection')
            self.buffer += more
        length = struct.unpack('>I', self.buffer[:4])[0]
        data, self.buffer = self.buffer[4:4 + length], self.buffer[4 + length:]
        return data[:1], data[1:]

    def step(self, letter, data, no_step, no_reply):
        """Sends unless the milter left the step out; waits for the answer unless it gives none."""
        if self.steps & no_step:
            return
        self.sock.sendall(packet(letter, data))
        if not self.steps & no_reply:
            self.answer()

    def answer(self):
        while True:
            letter, data = self.read()
            if letter in b'cadtry4s':
                return letter, data

    def message(self, header, body):
        """One message in a session of its own; returns the letter of the final answer."""
        self.sock.sendall(packet(b'D', b'C' b'j\0mx.example.org\0'))
        self.step(b'C', b'client.example.net\0' b'4' + struct.pack('>H', 4711) + b'192.0.2.7\0', 0x1, 0x1000)
        self.step(b'H', b'client.example.net\0', 0x2, 0x2000)
        self.step(b'M', b'<sender@example.net>\0', 0x4, 0x4000)
        self.step(b'R', b'<bob@example.org>\0', 0x8, 0x8000)
        self.step(b'T', b'', 0x200, 0x10000)
        for name, value in header:
            self.step(b'L', name + b'\0' + (b' ' if self.steps & 0x100000 else b'') + value + b'\0', 0x20, 0x80)
        self.step(b'N', b'', 0x40, 0x40000)
        if not self.steps & 0x10:
            for at in range(0, len(body), 65535):
                self.step(b'B', body[at:at + 65535], 0x10, 0x80000)
        self.sock.sendall(packet(b'E'))
        letter, _ = self.answer()
        self.sock.sendall(packet(b'A'))
        return letter


def split(raw):
    """Header fields and body, as a mail server sends them."""
    raw = raw.replace(b'\r\n', b'\n')
    if raw.startswith(b'From '):
        raw = raw[raw.index(b'\n') + 1:]
    head, _, body = raw.partition(b'\n\n')
    fields = []
    for line in head.split(b'\n'):
        if line[:1] in (b' ', b'\t') and fields:
            fields[-1][1] += b'\n' + line
        elif b':' in line:
            name, value = line.split(b':', 1)
            fields.append([name, value.lstrip(b' ')])
    return [(name, value.replace(b'\0', b'')) for name, value in fields if name], body.replace(b'\n', b'\r\n')


def load(address, messages, connections):
    """Hands all messages over by so many connections; returns {answer: count}."""
    answers = {}
    lock = threading.Lock()
    errors = []

    def work(share):
        try:
            connection = Connection(address)
            for header, body in share:
                letter = connection.message(header, body)
                with lock:
                    answers[letter] = answers.get(letter, 0) + 1
        except (OSError, ConnectionError) as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(messages[i::connections],)) for i in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return answers
