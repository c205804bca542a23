#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The openspf.org test suite for RFC 7208 through `postern spf`, the resolver and a DNS server on loopback."""
import json
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

from spf import ROOT, SUITE, cases, octets
from dns_server import DnsServer
from lib import Tap

POSTERN = os.path.join(os.environ.get('POSTERN_BUILD') or os.path.join(ROOT, 'build'), 'postern')


def ask(case, address, config):
    """What the command says of the case."""
    words = ['--dns', address, '--config', config, '--ip', case.ip, '--helo', octets(case.helo), '--from', octets(case.sender)]
    done = subprocess.run([POSTERN, 'spf', *words], capture_output=True, timeout=60)
    return json.loads(done.stdout) if done.returncode == 0 else {'result': done.stderr.decode(errors='replace')}


def main():
    tap = Tap()
    try:
        import yaml  # noqa: F401
    except ImportError:
        tap.skip('the openspf.org suite by network', 'python3-yaml is not installed')
        tap.done()
    if not os.path.exists(SUITE):
        tap.skip('the openspf.org suite by network', 'the suite is not there; POSTERN_SHARED names its folder')
        tap.done()
    count, servers = 0, {}
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(4) as pool:
        config = os.path.join(folder, 'postern.yaml')
        with open(config, 'w', encoding='ascii') as file:
            file.write('dns:\n  timeout: 1s\n')
        jobs = []
        for case in cases():
            if id(case.zone) not in servers:
                servers[id(case.zone)] = DnsServer(case.zone).start()
            jobs.append((case, pool.submit(ask, case, servers[id(case.zone)].address, config)))
        for case, job in jobs:
            said = job.result()
            good = said['result'] in case.results
            if case.explanation is not None:
                good = good and said['explanation'] == ('' if case.explanation == 'DEFAULT' else case.explanation)
            tap.ok(good, f'{case.section}: {case.name}', f'{said}\nwanted {case.results} {case.explanation}')
            count += 1
        for server in servers.values():
            server.stop()
    tap.ok(count == 203, 'the whole suite was run', f'{count} cases')
    tap.done()


if __name__ == '__main__':
    sys.exit(main())
