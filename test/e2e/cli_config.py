#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The command line: exit statuses, one line for a wrong one, check-config and explain-config, bash completion."""
import itertools
import json
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from lib import POSTERN, ROOT, Tap, skip_all, temp_dir  # noqa: E402

COMPLETION = os.path.join(ROOT, 'etc', 'bash-completion', 'postern')


def run(*words, stdin=b''):
    done = subprocess.run([POSTERN, *words], input=stdin, capture_output=True, timeout=60)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def write(folder, name, text):
    path = os.path.join(folder, name)
    with open(path, 'wb') as file:
        file.write(text if isinstance(text, bytes) else text.encode())
    return path


def help_names(text):
    """First words of the indented lines: commands, or options."""
    return [line.split()[0] for line in text.splitlines() if line.startswith('  ')]


def check_help(tap):
    status, out, err = run('--help')
    tap.ok(status == 0 and not err, 'postern --help succeeds', (status, err))
    commands = help_names(out)
    tap.ok({'scan', 'mime', 'check-config', 'explain-config'} <= set(commands), 'it lists the commands', commands)
    for command in commands:
        status, out, err = run(command, '--help')
        tap.ok(status == 0 and not err and out.startswith('usage: postern ' + command) and '\nExample: postern ' in out,
               f'postern {command} --help has usage and an example', out or err)
    if os.path.exists('/dev/full'):
        for words in (['--help'], ['--version'], ['scan', '--help']):
            with open('/dev/full', 'wb') as full:
                done = subprocess.run([POSTERN, *words], stdout=full, stderr=subprocess.PIPE, timeout=60)
            tap.ok(done.returncode == 2 and b'No space left' in done.stderr, f'postern {" ".join(words)}: what cannot be written is no success', done)
    status, out, _ = run('--version')
    tap.ok(status == 0 and out.startswith('postern ') and len(out.split()) == 2, 'postern --version is a name and a number', out)
    return commands


def manual_options():
    """The options that postern(1) names in the entry of each command or verb."""
    with open(os.path.join(ROOT, 'man', 'postern.1'), encoding='utf-8') as file:
        lines = file.read().splitlines()
    entries, depth = [[]], 0
    for line in lines:
        depth += line.startswith('.Bl') - line.startswith('.El')
        if depth == 1 and line.startswith('.It'):
            entries.append([])
        entries[-1].append(line)
    said = {}
    for first, *rest in entries[1:]:
        head = rest[0] if first == '.It Xo' else first
        words = itertools.takewhile(lambda word: word == 'Cm' or word.islower(), head.removeprefix('.It ').lstrip('.').split())
        options = {'-' + flag for flag in re.findall(r'\bFl (-[a-z-]+)', '\n'.join([first, *rest]))}
        said[' '.join(word for word in words if word != 'Cm')] = options | (said['trace'] if 'Ar filter' in first else set())
    return said


def check_manual(tap, commands):
    said = manual_options()
    for command in commands:
        verbs = re.match(r'usage: postern [a-z-]+ ([a-z]+(?:\|[a-z]+)+) ', run(command, '--help')[1])
        for words in [[command, verb] for verb in verbs.group(1).split('|')] if verbs else [[command]]:
            name = ' '.join(words)
            options = {word for word in help_names(run(*words, '--help')[1]) if word.startswith('--')}
            tap.ok(name in said and options <= said[name], f'postern(1) has {name} and its options', options - said.get(name, set()))


def check_wrong(tap, commands):
    cases = [((), 'which command?'), (('scna',), 'did you mean "scan"?'), (('nothing-like-it',), 'there is no command'),
             (('explain-config',), 'which key?'), (('explain-config', 'workers.gats'), 'did you mean "workers.gates"?'),
             (('explain-config', 'actions.dmarc'), 'did you mean "actions.dmarc_reject"?'),
             (('explain-config', 'milter'), 'did you mean "milter.listen"?'),
             (('explain-config', '--jsn', 'user'), 'did you mean --json?'), (('explain-config', '--config'), '--config needs FILE'),
             (('explain-config', '--json=x', 'user'), '--json takes no value'), (('check-config', 'a', 'b'), 'one file'),
             (('explain-config', '--', '--json'), 'there is no key'), (('explain-config', 'a\x1b[31m'), 'there is no key')]
    cases += [((command, '--zzzzzzzz'), 'there is no option') for command in commands if command not in ('quarantine', 'dmarc', 'sign', 'keys')]
    for words, said in cases:
        status, out, err = run(*words)
        tap.ok(status == 2 and not out and err.count('\n') == 1 and said in err and '\x1b' not in err,
               f'{" ".join(("postern",) + words)!r} is one line and exit status 2', (status, out, err))


def check_config_json(tap, folder, good):
    def ask(path):
        status, out, err = run('check-config', '--json', path)
        answer = json.loads(out)
        tap.ok(out.count('\n') == 1 and not err and list(answer) == ['file', 'valid', 'errors'] and answer['file'] == path
               and answer['valid'] == (status == 0) and status in (0, 2), 'check-config --json is one object that says what the status says', (status, out, err))
        return status, answer['errors']
    tap.equal(ask(good), (0, []), 'a good file has no errors')
    path = write(folder, 'json.yaml', 'limits:\n  prts: 5\n  parts: 1\nmiltr: { listen: off }\n"a\\"\u00e9": x\nstate_dir: here\n')
    want = [(2, 'limits.prts', 'limits.parts'), (3, 'limits.parts', None), (4, 'miltr', 'milter'), (5, 'a"\u00e9', None), (6, 'state_dir', None)]
    status, errors = ask(path)
    tap.equal([(e['line'], e['key'], e['nearest']) for e in errors], want, 'each error has its line, its key and the nearest one')
    tap.ok(all(list(e) == ['line', 'key', 'text', 'nearest'] and e['text'] for e in errors), 'and a text', errors)
    status, errors = ask(write(folder, 'values.yaml', 'user: x\nhttp: {listen: "nowhere:25"}\nsmtp:\n  xforward_from: [10.0.0.0/8, x]\n'))
    tap.equal([(e['line'], e['key']) for e in errors], [(2, 'http.listen'), (4, 'smtp.xforward_from')], 'wrong addresses and networks too')
    status, errors = ask(write(folder, 'syntax.yaml', 'user: [x\n'))
    tap.equal([(e['line'], e['key'], e['nearest']) for e in errors], [(2, None, None)], 'an error of syntax is about no key')
    status, errors = ask(os.path.join(folder, 'not-there.yaml'))
    tap.ok([(e['line'], e['key']) for e in errors] == [(None, None)] and 'No such file' in errors[0]['text'], 'a missing file is an error without a line', errors)


def check_config(tap, folder):
    good = write(folder, 'good.yaml', 'smtp: { listen: 127.0.0.1:11341 }\nlimits:\n  message_size: 10M\n')
    status, out, err = run('check-config', good)
    tap.ok(status == 0 and not err, 'a good file is good', (status, out, err))
    for name, text, said in (
            ('unknown', 'milter:\n  lisen: off\n', ':2: unknown key "milter.lisen"; did you mean "milter.listen"?'),
            ('range', 'user: x\n\nlimits: {parts: 1}\n', ':3: limits.parts: "1" is not a number from 10 to 1000000'),
            ('twice', 'user: x\nuser: y\n', ':2: "user" is given twice (first in line 1)'),
            ('anchor', 'user: &u x\n', ':1: anchors and tags are not supported'),
            ('bytes', b'user: x\nhostname: \xff\n', ':2: invalid leading UTF-8 octet'),
            ('escape', 'a\u0085\u001b: x\n'.encode(), ':1: '),
            ('address', 'user: x\nmilter: {listen: "nowhere:25"}\n', ':2: milter.listen: '),
            ('place', 'http:\n  listen: "[::1]:25"\nspamd:\n  listen: "[0::1]:25"\n', ':4: spamd.listen: http.listen has this address already'),
            ('network', '\n\ntrusted_networks: [10.0.0.0/99]\n', ':3: trusted_networks: "10.0.0.0/99" is no network')):
        path = write(folder, name + '.yaml', text)
        status, out, err = run('check-config', path)
        tap.ok(status == 2 and not out and err.startswith(path) and said in err and '\x1b' not in err,
               f'a file that is wrong ({name}) is told with its line', (status, out, err))
    path = write(folder, 'many.yaml', 'a: 1\nb: 2\nlimits: {parts: x}\n')
    status, _, err = run('check-config', path)
    tap.equal((status, err.count('\n')), (2, 3), 'all errors of a file are told')
    check_config_json(tap, folder, good)
    missing = os.path.join(folder, 'missing.yaml')
    status, _, err = run('check-config', missing)
    tap.ok(status == 2 and err.startswith(missing) and err.count('\n') == 1, 'a missing file is told', (status, err))
    status, out, _ = run('check-config', '--sample')
    with open(os.path.join(ROOT, 'etc', 'postern.yaml')) as file:
        tap.equal(out, file.read(), 'check-config --sample prints etc/postern.yaml')
    status, _, err = run('check-config', os.path.join(ROOT, 'etc', 'postern.yaml'))
    tap.ok(status == 0, 'etc/postern.yaml is good', err)
    return good


def check_explain(tap, good):
    status, out, err = run('explain-config', '--config', good, '--json', 'limits.message_size', 'smtp.listen', 'user')
    rows = [json.loads(line) for line in out.splitlines()]
    tap.equal(status, 0, 'explain-config succeeds')
    tap.equal([(row['key'], row['value'], row['origin'], row['default']) for row in rows],
              [('limits.message_size', '10M', good + ':3', '100M'), ('smtp.listen', '127.0.0.1:11341', good + ':1', 'off'),
               ('user', 'postern', 'default', 'postern')], 'it tells value, origin and default')
    tap.ok(all(row['range'] and row['manual'].endswith('.') for row in rows), 'it tells range and meaning', out)
    status, out, _ = run('explain-config', '--config=' + good, 'limits.message_size')
    tap.has(out, 'limits.message_size: 10M\n', 'it reads well')


def complete(*words):
    """What bash would offer for the last word."""
    script = ('source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=(); _postern; '
              'printf "%s\\n" "${COMPREPLY[@]}"')
    done = subprocess.run(['bash', '-c', script, 'bash', COMPLETION, POSTERN, *words], capture_output=True, text=True, timeout=60)
    return set(done.stdout.split()), done.stderr


def check_completion(tap, commands):
    tap.equal(complete(''), (set(commands), ''), 'bash completes the commands')
    tap.equal(complete('check-c'), ({'check-config'}, ''), 'and the beginning of one')
    for command in commands:
        options = {name for name in help_names(run(command, '--help')[1]) if name.startswith('--')}
        tap.equal(complete(command, '--'), (options | {'--help'}, ''), f'bash completes the options of {command}')
    keys, err = complete('explain-config', 'actions.')
    tap.ok('actions.spam' in keys and all(key.startswith('actions.') for key in keys) and not err,
           'bash completes the keys of the configuration', (keys, err))
    tap.equal(complete('quarantine', ''), ({'list', 'show', 'release', 'delete'}, ''), 'bash completes the verbs of the quarantine')
    tap.ok('--raw' in complete('quarantine', 'show', '--')[0], 'and their options')
    tap.equal(complete('dmarc', ''), ({'report', 'read', 'import', 'owed', 'send'}, ''), 'and those of dmarc')
    tap.ok('--days' in complete('dmarc', 'report', '--')[0], 'with their options')
    tap.equal(complete('sign', ''), ({'dkim', 'arc'}, ''), 'and those of sign')
    tap.equal(complete('keys', ''), ({'new', 'list', 'rotate', 'dns'}, ''), 'and those of keys')
    tap.ok('unscannable' in complete('trace', '--class', '')[0], 'bash completes the values that are known')
    tap.equal(complete('quarantine', 'list', '--state', '')[0], {'held', 'released'}, 'and no other word of the help')


def main():
    if not os.path.exists(POSTERN):
        skip_all('there is no ' + POSTERN)
    tap = Tap()
    folder = temp_dir('postern-cli-')
    commands = check_help(tap)
    check_manual(tap, commands)
    check_wrong(tap, commands)
    check_explain(tap, check_config(tap, folder))
    check_completion(tap, commands)
    tap.done()


main()
