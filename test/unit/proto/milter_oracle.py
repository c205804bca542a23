#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The same sessions with a filter on libmilter and with the same filter on our codec: the replies must be the same bytes."""
import os
import socket
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '..', '..', 'e2e'))
import lib  # noqa: E402
from milter_client import MilterClient  # noqa: E402

MESSAGE = b'From: a@example.com\r\nSubject: x\r\n\r\nbody\r\n'
SENDERS = ['plain', 'accept', 'discard', 'tempfail', 'refuse', 'words', 'lines', 'change', 'change-accept', 'change-lines']
# libmilter closes where it is not offered all that its filter may do; a filter of ours goes on with less.
OFFERS = [(6, 0x1ff, 0x1fffff), (6, 0x1ff, 0x3ff), (4, 0x1ff, 0x3ff)]


def ours(program):
    mine, theirs = socket.socketpair()
    process = subprocess.Popen([program], stdin=theirs, stdout=theirs)
    theirs.close()
    return mine, process


def session(address, offer, sender, helo_twice):
    """All packets that came back; an end of the connection counts as one."""
    client = MilterClient(address)
    try:
        client.negotiate(*offer)
        client.connect(macros={'j': 'mx.example.org', '_': 'client [192.0.2.1]'})
        client.helo()
        if helo_twice:
            client.helo()
            client.mail('gone@example.com')
            client.rcpt('x@example.org')
            client.abort()
        client.message(f'{sender}@example.com', ['b@example.org', 'c@example.org'], MESSAGE, macros={'i': 'Q1'})
        client.message('plain@example.com', ['b@example.org'], MESSAGE)
        client.quit()
    except (ConnectionError, OSError) as error:
        client.replies.append(('closed', type(error).__name__))
    return client.replies


def main():
    tap = lib.Tap()
    oracle, program = sys.argv[1:3]
    path = os.path.join(lib.temp_dir(), 'oracle')
    process = subprocess.Popen([oracle, 'local:' + path])
    try:
        lib.wait_for(lambda: os.path.exists(path), 20, 'libmilter listening')
        for offer in OFFERS:
            for sender in SENDERS:
                want = session(path, offer, sender, True)
                mine, child = ours(program)
                got = session(mine, offer, sender, True)
                child.wait(10)
                tap.equal(got, want, f'version {offer[0]}, steps {offer[2]:x}, {sender}')
    finally:
        process.terminate()
        process.wait(10)
    tap.done()


main()
