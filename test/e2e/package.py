#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The Debian package: what it holds, whose it is, that it is the same each time, that its scripts are sound."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from lib import BUILD, POSTERN, POSTERND, ROOT, Tap, need, skip_all, temp_dir  # noqa: E402


def make(folder):
    done = subprocess.run([os.path.join(ROOT, 'tools', 'deb'), '--build', BUILD, '--output', folder], capture_output=True, text=True)
    return done.stdout.strip(), done.stderr


def read(path):
    with open(path, 'rb') as file:
        return file.read()


def output(*words):
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


def main():
    if not (os.path.exists(POSTERN) and os.path.exists(POSTERND)):
        skip_all('the programs are not built')
    need('dpkg-deb', 'dpkg-shlibdeps')
    tap = Tap()
    folder = temp_dir('postern-deb-')
    path, said = make(folder + '/1')
    if not tap.ok(os.path.exists(path), 'tools/deb makes a package', said):
        tap.done()
    again, _ = make(folder + '/2')
    tap.ok(read(path) == read(again), 'the same tree gives the same bytes')

    listed = output('dpkg-deb', '-c', path).splitlines()
    files = {line.split()[5]: line.split() for line in listed}
    for name in ('./usr/bin/postern', './usr/sbin/posternd', './etc/postern/postern.yaml', './lib/systemd/system/postern.service',
                 './lib/systemd/system/postern-milter.socket', './usr/share/man/man1/postern.1.gz',
                 './usr/share/man/man5/postern.yaml.5.gz', './usr/share/man/man7/postern-milter.7.gz',
                 './usr/share/man/man8/posternd.8.gz', './usr/share/bash-completion/completions/postern',
                 './usr/share/doc/postern/copyright', './usr/share/doc/postern/changelog.gz'):
        tap.ok(name in files, f'it holds {name[1:]}', '\n'.join(files))
    tap.equal([line for line in listed if line.split()[1] != 'root/root'], [], 'all is root\'s')
    tap.equal([line for line in listed if line[8] == 'w' or 's' in line[:10]], [], 'nothing is writable by all or setuid')

    tap.equal(output('dpkg-deb', '-f', path, 'Package', 'Architecture'),
              f'Package: postern\nArchitecture: {output("dpkg", "--print-architecture")}', 'it says what it is')
    depends = output('dpkg-deb', '-f', path, 'Depends')
    tap.ok(all(word in depends for word in ('libc6', 'libsqlite3-0', 'libseccomp2', 'adduser')), 'it says what it needs', depends)
    tap.equal(output('dpkg-deb', '-I', path, 'conffiles'), '/etc/postern/postern.yaml\n', 'the configuration is a conffile')

    subprocess.run(['dpkg-deb', '-R', path, folder + '/tree'], check=True)
    for script in ('postinst', 'prerm', 'postrm'):
        done = subprocess.run(['sh', '-n', f'{folder}/tree/DEBIAN/{script}'], capture_output=True, text=True)
        tap.ok(done.returncode == 0, f'{script} is sound', done.stderr)
    done = subprocess.run(['md5sum', '--quiet', '-c', 'DEBIAN/md5sums'], cwd=folder + '/tree', capture_output=True, text=True)
    tap.ok(done.returncode == 0, 'the sums are right', done.stdout)
    done = subprocess.run([folder + '/tree/usr/bin/postern', 'check-config', folder + '/tree/etc/postern/postern.yaml'],
                          capture_output=True, text=True)
    tap.ok(done.returncode == 0, 'its program takes its configuration', done.stderr)
    tap.done()


main()
