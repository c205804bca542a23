#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A small DNS server for tests: UDP and TCP on loopback, answers from a dict, counts what it is asked.

    with DnsServer({'example.com': {'A': ['192.0.2.1'], 'MX': [[10, 'mx.example.com']]}}) as dns:
        ...  # dns.address is '127.0.0.1@PORT', dns.questions counts 'MX example.com' and so on

    dns_server.py [--port N] [--log FILE] ZONE.json     prints its port in a line, serves until it is ended

The zone: a name to its records and its behaviour.

    A AAAA PTR NS   list of texts
    MX              list of [preference, name]
    TXT             list; each row a text (cut into strings of 255 bytes) or a list of strings
    CNAME           a name; followed as far as this zone leads
    DS RRSIG NSEC DNSKEY
                    list of bytes, as they go over the wire (in Python; who signs is test/e2e/dnssec.py)
    SOA             [mname, rname, serial, refresh, retry, expire, minimum]; without it negative answers bring a made-up one
    ttl             seconds, 300 unless told
    delay           seconds before the answer
    timeout servfail refused truncate
                    true: every question for the name; a list of types: these; "rest": the types without records.
                    timeout: no answer. truncate: by UDP an empty answer that says to come by TCP.

"*.example.com" is a wildcard. A name that has only names below it exists without data; what else is not in the dict is
NXDOMAIN. Text is UTF-8, where a lone surrogate \\udc80..\\udcff stands for that one byte; in Python bytes may be given too.
"""
import argparse
import collections
import ipaddress
import json
import signal
import socket
import socketserver
import struct
import sys
import threading

TYPES = {'A': 1, 'NS': 2, 'CNAME': 5, 'SOA': 6, 'PTR': 12, 'MX': 15, 'TXT': 16, 'AAAA': 28, 'DS': 43, 'RRSIG': 46, 'NSEC': 47, 'DNSKEY': 48}
TYPE_NAMES = {number: name for name, number in TYPES.items()}
NOERROR, SERVFAIL, NXDOMAIN, REFUSED = 0, 2, 3, 5
CHAIN_MAX = 16
SO_RCVBUFFORCE = 33  # asm-generic/socket.h


def octets(text):
    return text if isinstance(text, bytes) else str(text).encode('utf-8', 'surrogateescape')


def canonical(name):
    """The key of a name: its bytes in lower case without a dot at the end."""
    name = octets(name).lower()
    return name[:-1] if name.endswith(b'.') else name


def wire_name(name):
    name = octets(name)
    name = name[:-1] if name.endswith(b'.') else name
    labels = name.split(b'.') if name else []
    if any(not 0 < len(label) < 64 for label in labels) or len(name) > 253:
        raise ValueError(f'no name for DNS: {name!r}')
    return b''.join(bytes([len(label)]) + label for label in labels) + b'\0'


def wire_text(row):
    strings = row if isinstance(row, list) else None
    if strings is None:
        text = octets(row)
        strings = [text[at:at + 255] for at in range(0, len(text), 255)]
    strings = [octets(string) for string in strings]
    return b''.join(bytes([len(string)]) + string for string in strings) or b'\0'


def wire_soa(row):
    return wire_name(row[0]) + wire_name(row[1]) + struct.pack('!5I', *row[2:7])


WRITERS = {
    'A': lambda row: ipaddress.IPv4Address(row).packed,
    'AAAA': lambda row: ipaddress.IPv6Address(row).packed,
    'PTR': wire_name,
    'NS': wire_name,
    'CNAME': wire_name,
    'MX': lambda row: struct.pack('!H', int(row[0])) + wire_name(row[1]),
    'TXT': wire_text,
    'SOA': wire_soa,
    'DS': bytes,
    'RRSIG': bytes,
    'NSEC': bytes,
    'DNSKEY': bytes,
}


class Zone:
    """What is to be answered; wire form is made once."""

    def __init__(self, names):
        self.nodes = {}
        self.inner = set()
        for name, rows in names.items():
            node = {key: value for key, value in rows.items() if key not in TYPES}
            for kind in TYPES:
                if kind in rows:
                    records = [rows[kind]] if kind in ('CNAME', 'SOA') else rows[kind]
                    node[kind] = [WRITERS[kind](row) for row in records]
            key = canonical(name)
            node['target'] = canonical(rows['CNAME']) if 'CNAME' in rows else None
            self.nodes[key] = node
            while b'.' in key:
                key = key.partition(b'.')[2]
                self.inner.add(key)

    def find(self, name):
        """The node, {} where it exists without data, None where it does not exist (RFC 1034 4.3.3)."""
        if name in self.nodes:
            return self.nodes[name]
        if name in self.inner:
            return {}
        while b'.' in name:
            name = name.partition(b'.')[2]
            if b'*.' + name in self.nodes:
                return self.nodes[b'*.' + name]
            if name in self.nodes or name in self.inner:
                return None
        return None

    def behaves(self, name, kind, how):
        node = self.find(name) or {}
        value = node.get(how, False)
        if value == 'rest':
            return kind not in node and node.get('target') is None
        return kind in value if isinstance(value, list) else bool(value)

    def delay(self, name):
        return (self.find(name) or {}).get('delay', 0)

    def answer(self, name, kind):
        """(code, answer section, authority section) of (owner, type, ttl, data)."""
        section = []
        for _ in range(CHAIN_MAX):
            node = self.find(name)
            if node is None:
                return NXDOMAIN, section, [self.soa(name)]
            target = node.get('target')
            if kind in node or target is None:
                break
            section.append((name, 'CNAME', node.get('ttl', 300), node['CNAME'][0]))
            name = target
        else:
            return NOERROR, section, []
        rows = node.get(kind, [])
        section += [(name, kind, node.get('ttl', 300), row) for row in rows]
        return NOERROR, section, [] if rows else [self.soa(name)]

    def soa(self, name):
        owner = name
        while owner:
            node = self.nodes.get(owner, {})
            if 'SOA' in node:
                return owner, 'SOA', node.get('ttl', 300), node['SOA'][0]
            owner = owner.partition(b'.')[2]
        top = name.rpartition(b'.')[2]
        return top, 'SOA', 300, wire_soa(['ns.' + top.decode('utf-8', 'surrogateescape'), 'nobody', 1, 3600, 600, 86400, 300])


def read_question(packet):
    """(id, flags, name, type, end of the question, size that the asker takes by UDP); None for what is no question."""
    try:
        number, flags, questions, answers, authorities, extras = struct.unpack_from('!6H', packet)
        if flags & 0xf800 or questions != 1 or answers or authorities:
            return None
        at, labels = 12, []
        while packet[at]:
            labels.append(packet[at + 1:at + 1 + packet[at]])
            at += 1 + packet[at]
        kind, _ = struct.unpack_from('!2H', packet, at + 1)
        end = at + 5
        size = None
        if extras and packet[end:end + 3] == b'\0\0\x29':
            size = max(512, struct.unpack_from('!H', packet, end + 3)[0])
        return number, flags, b'.'.join(labels), kind, end, size
    except (struct.error, IndexError):
        return None


class DnsServer:
    """Serves in threads of its own from start() to stop(); `questions` counts 'TYPE name' (names in lower case)."""

    def __init__(self, zone=None, port=0, host='127.0.0.1', log=None):
        self.zone = Zone(zone or {})
        self.host, self.wanted_port, self.log = host, port, log
        self.questions = collections.Counter()
        self.by_tcp = 0
        self.lock = threading.Lock()
        self.stopped = threading.Event()
        self.servers = []

    def load(self, zone):
        """Another world from now on; the counts start anew."""
        with self.lock:
            self.zone = Zone(zone)
            self.questions.clear()
            self.by_tcp = 0

    @property
    def address(self):
        return f'{self.host}@{self.port}'

    def start(self):
        for attempt in range(50):
            tcp = Tcp((self.host, self.wanted_port), TcpHandler)
            try:
                udp = Udp((self.host, tcp.server_address[1]), None)
                break
            except OSError:
                tcp.server_close()
                if self.wanted_port or attempt == 49:
                    raise
        self.port = tcp.server_address[1]
        self.servers = [udp, tcp]
        for server in self.servers:
            server.dns = self
            threading.Thread(target=server.serve_forever, kwargs={'poll_interval': 0.05}, daemon=True).start()
        return self

    def stop(self):
        self.stopped.set()
        for server in self.servers:
            server.shutdown()
            server.server_close()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def reply(self, packet, tcp):
        """(bytes to send or None, seconds to wait before)."""
        asked = read_question(packet)
        if asked is None:
            return None, 0
        number, flags, spelled, type_number, end, size = asked
        kind, name = TYPE_NAMES.get(type_number, f'TYPE{type_number}'), spelled.lower()
        with self.lock:
            zone = self.zone
            line = f'{kind} {name.decode("utf-8", "surrogateescape")}'
            self.questions[line] += 1
            self.by_tcp += tcp
            if self.log:
                self.log.write(octets(f'{"tcp" if tcp else "udp"} {line}\n'))
                self.log.flush()
        if zone.behaves(name, kind, 'timeout'):
            return None, 0
        code, answers, authorities = NOERROR, [], []
        truncated = not tcp and zone.behaves(name, kind, 'truncate')
        if zone.behaves(name, kind, 'servfail'):
            code = SERVFAIL
        elif zone.behaves(name, kind, 'refused'):
            code = REFUSED
        elif not truncated:
            code, answers, authorities = zone.answer(name, kind)
        extra = b'' if size is None else b'\0' + struct.pack('!HHIH', 41, 4096, 0, 0)

        def write(answers, authorities, truncated):
            head = 0x8480 | (flags & 0x0100) | (0x0200 if truncated else 0) | code
            out = struct.pack('!6H', number, head, 1, len(answers), len(authorities), 1 if extra else 0) + packet[12:end]
            for owner, row_kind, ttl, data in answers + authorities:
                owner = b'\xc0\x0c' if owner == name else wire_name(owner)
                out += owner + struct.pack('!HHIH', TYPES[row_kind], 1, ttl, len(data)) + data
            return out + extra

        out = write(answers, authorities, truncated)
        if not tcp and len(out) > (size or 512):
            out = write([], [], True)
        return out, zone.delay(name)


class Udp(socketserver.UDPServer):
    max_packet_size = 65535

    def server_bind(self):
        try:  # room for a flood, as far as the kernel gives it
            self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 8 << 20)
        except OSError:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        super().server_bind()

    def finish_request(self, request, client_address):
        """A thread only for an answer that is delayed."""
        packet, sock = request
        out, delay = self.dns.reply(packet, False)

        def send_later():
            if not self.dns.stopped.wait(delay):
                sock.sendto(out, client_address)

        if delay and out is not None:
            threading.Thread(target=send_later, daemon=True).start()
        elif out is not None:
            sock.sendto(out, client_address)


class Tcp(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True


class TcpHandler(socketserver.StreamRequestHandler):
    def handle(self):
        try:
            while True:
                head = self.rfile.read(2)
                if len(head) < 2:
                    return
                packet = self.rfile.read(struct.unpack('!H', head)[0])
                out, delay = self.server.dns.reply(packet, True)
                if out is None or len(out) > 65535:
                    continue
                if delay and self.server.dns.stopped.wait(delay):
                    return
                self.wfile.write(struct.pack('!H', len(out)) + out)
        except (ConnectionError, socket.timeout):
            pass


def main():
    parser = argparse.ArgumentParser(description='a DNS server for tests, on loopback')
    parser.add_argument('--port', type=int, default=0, help='the port; a free one unless given')
    parser.add_argument('--log', help='append each question to this file, "udp TXT example.com"')
    parser.add_argument('zone', help='the zone as JSON')
    options = parser.parse_args()
    with open(options.zone, encoding='utf-8') as file:
        zone = json.load(file)
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))
    log = open(options.log, 'ab') if options.log else None
    with DnsServer(zone, options.port, log=log) as server:
        print(server.port, flush=True)
        try:
            signal.pause()
        except KeyboardInterrupt:
            pass


if __name__ == '__main__':
    main()
