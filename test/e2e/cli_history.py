#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""postern trace and postern quarantine over a small store: filters, stories, foreign text, release by SMTP, deletion."""
import json
import os
import pty
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from lib import BUILD, POSTERN, Postern, Sink, Tap  # noqa: E402

FILL = os.path.join(BUILD, 'test', 'e2e', 'fill_store')


def no_escapes(text):
    return not any(ord(c) < 32 and c != '\n' or 0x202a <= ord(c) <= 0x202e for c in text)


def check_trace(tap, postern):
    for words, want in ((('--address', 'alice@example.com'), ['id1']), (('--address', '*@example.com'), ['id2', 'id1']),
                        (('--recipient', 'carol'), ['id2']), (('--subject', '請求'), ['id2']), (('--ip', '192.0.2.0/24'), ['id1']),
                        (('--status', 'quarantined'), ['id2']), (('--class', 'clean', '--sender', 'alice'), ['id1']),
                        (('--message-id', '<one@example.com>'), ['id1']), (('--limit', '1'), ['id2']),
                        (('--before', 'id2'), ['id1']), (('--until', '1790000060'), ['id1']), (('--since', '1790000060'), ['id2'])):
        tap.equal([row['id'] for row in postern.trace(*words)], want, 'trace ' + ' '.join(words))
    tap.equal(postern.cli('trace', '--address', 'nobody@example.com').returncode, 1, 'nothing found is exit status 1')
    wrong = postern.cli('trace', '--ip', 'here')
    tap.ok(wrong.returncode == 2 and wrong.stderr.count('\n') == 1, 'a network that is none is exit status 2', wrong)
    for words in (('trace', '--status', 'gone'), ('trace', '--class', 'spa'), ('quarantine', 'list', '--state', 'deleted')):
        wrong = postern.cli(*words)
        tap.ok(wrong.returncode == 2 and wrong.stderr.count('\n') == 1 and words[-1] in wrong.stderr,
               ' '.join(words) + ': a word that there is not is exit status 2', wrong)
    row = postern.trace('--id', 'id2')[0]
    tap.ok(row['time'] == '2026-09-21T14:14:20Z' and row['recipients'][1] == {'address': 'carol@example.org', 'fate': 'quarantined'}
           and row['evidence'][0]['id'] == 'FROM_NAME' and 0.95 < row['probability'] < 0.96, 'the JSON holds all of it', row)
    story = postern.cli('trace', '--utc', 'id2', env=dict(os.environ, LC_ALL='C.UTF-8'))
    for part in ('2026-09-21 14:14:20Z', 'bank@example.com', 'carol@example.org: quarantined', 'It pretends to come from a bank.',
                 'The name lies. [FROM_NAME]', '請求書', '<U+202E>'):
        tap.has(story.stdout, part, f'the story says {part!r}')
    tap.ok(no_escapes(story.stdout), 'foreign text steers no terminal', repr(story.stdout))
    tap.has(postern.cli('trace', 'id2', env=dict(os.environ, LC_ALL='ja_JP.UTF-8')).stdout, '名前が偽りです。', 'in Japanese in a Japanese locale')


def check_terminal(tap, postern):
    main, side = pty.openpty()
    subprocess.run(['stty', 'cols', '60'], stdin=side, check=True)
    subprocess.run([POSTERN, 'trace', '--config', postern.config], stdout=side, check=True)
    lines = os.read(main, 10000).decode().splitlines()
    os.close(main)
    os.close(side)
    tap.ok(len(lines) == 2 and all(len(line) <= 60 for line in lines), 'on a terminal each line fits its width', lines)


def check_quarantine(tap, postern, sink):
    rows = [json.loads(line) for line in postern.cli('quarantine', 'list', '--json', '--subject', '請求書').stdout.splitlines()]
    tap.ok([row['id'] for row in rows] == ['id3', 'id2'] and rows[0]['state'] == 'held', 'list finds items by words', rows)
    shown = postern.cli('quarantine', 'show', 'id2')
    tap.ok('It pretends' in shown.stdout and 'Pay now' in shown.stdout and no_escapes(shown.stdout), 'show is safe and says why', shown)
    raw = postern.cli('quarantine', 'show', '--raw', 'id2').stdout
    tap.ok(raw.startswith('From: Bank') and raw.endswith('End without a line end'), 'show --raw is the message', repr(raw))
    tap.equal(postern.cli('quarantine', 'show', 'none').returncode, 1, 'an item that is not there is exit status 1')
    for words in (('show',), ('release',), ('delete', '--yes')):
        tap.equal(postern.cli('quarantine', *words, '').returncode, 1, f'an empty id is none for {words[0]}, and not any')
    tap.equal((postern.cli('trace', '').returncode, postern.cli('trace', '--id', '').returncode), (2, 2), 'nor for trace')
    tap.ok(not sink.messages and postern.cli('quarantine', 'list').stdout.count('id') >= 2, 'nothing was released or deleted')

    sink.answer = lambda stage, what: '451 4.3.0 come back later' if stage == 'DATA' else None
    failed = postern.cli('quarantine', 'release', 'id2')
    tap.ok(failed.returncode == 2 and '451 4.3.0 come back later' in failed.stderr, 'a refused release says what the server said', failed)
    tap.equal(postern.cli('quarantine', 'list', '--state', 'released').returncode, 1, 'and the item stays held')
    sink.answer = lambda stage, what: None
    done = postern.cli('quarantine', 'release', 'id2')
    tap.ok(done.returncode == 0 and len(sink.messages) == 1, 'a release is delivered', done)
    got = sink.messages[0]
    first, rest = got['data'].split(b'\r\n', 1)
    tap.ok(first.startswith(b'X-Postern-Release: v1 id2 ') and len(first.split()[3]) == 32, 'with one field on top', first)
    tap.equal(rest, raw.replace('\n', '\r\n').encode() + b'\r\n', 'and otherwise as it was')
    tap.ok(got['from'] == 'x@evil.example.net' and got['to'] == ['bob@example.org', 'carol@example.org'], 'for its envelope', got)
    tap.has(postern.cli('quarantine', 'list', '--state', 'released').stdout, 'id2', 'the item is marked as released')
    twice = postern.cli('quarantine', 'release', 'id2')
    tap.ok(twice.returncode == 2 and '--again' in twice.stderr and len(sink.messages) == 1, 'nobody gets it twice by mistake', twice)
    more = postern.cli('quarantine', 'release', '--again', 'id2')
    tap.ok(more.returncode == 0 and len(sink.messages) == 2, 'but when it is asked for', more)
    postern.cli('quarantine', 'release', '--to', 'audit@example.org', 'id3')
    tap.equal(sink.messages[-1]['to'], ['audit@example.org'], 'release --to sends it elsewhere')
    tap.equal(postern.cli('quarantine', 'release', 'none').returncode, 1, 'releasing what is not there is exit status 1')

    asked = postern.cli('quarantine', 'delete', 'id3', stdin=subprocess.DEVNULL)
    tap.ok(asked.returncode == 2 and 'nothing was deleted' in asked.stderr, 'delete does nothing without a yes', asked)
    tap.equal(postern.cli('quarantine', 'delete', '--yes', 'id3').returncode, 0, 'delete --yes deletes')
    tap.equal(postern.cli('quarantine', 'show', 'id3').returncode, 1, 'and then it is gone')
    files = [name for _, _, names in os.walk(postern.dir + '/state/quarantine') for name in names]
    tap.equal(files, ['id2.zst'], 'with its body')


def main():
    tap = Tap()
    sink = Sink()
    postern = Postern(f'quarantine: {{ release_to: 127.0.0.1:{sink.port} }}\n', start=False)
    tap.equal(postern.cli('trace').returncode, 2, 'a store that is not there is exit status 2')
    subprocess.run([FILL, postern.dir + '/state'], check=True)
    check_trace(tap, postern)
    check_terminal(tap, postern)
    check_quarantine(tap, postern, sink)
    tap.done()


main()
