# SPDX-License-Identifier: Apache-2.0
"""Worlds for SPF from a seed: records from the grammar of RFC 7208, some with an error, and the names, addresses and failures
of DNS that they meet. Written from the RFC, not from the checker."""
import ipaddress

NAMES = ['example.com', 'a.example.com', 'b.example.org', '_spf.example.net', 'x-y.example.net', 'mail.example.com',
         'mx1.example.org', 'mx2.example.org', 'host.example.com', 'deep.er.example.com', 'badexample.com', 'exp.example.com',
         'none.example.net']
POLICIES = NAMES[:5]
IPV4 = ['192.0.2.1', '192.0.2.77', '192.0.3.5', '198.51.100.130', '10.0.0.1']
IPV6 = ['2001:db8::1', '2001:db8::77', '2001:db8:0:1::5', '2001:db8:f::130']
HELOS = ['example.com', 'mail.example.com', 'a.example.com', 'B.Example.ORG', 'localhost', '[192.0.2.1]', 'none.example.net',
         'example.com.', 'x..example.com']
LOCALS = ['someone', 'strong-bad', 'A.b-c+d', 'user=x/y', '"quoted"', 'UPPER', 'one.two.three', '~tilde_!', 'a%b', 'f\u00f6']
LETTERS = 'sslllooddiiippvvhh'
# With a domain behind it, too long for a name by its first label.
LONG = '.'.join(['z' * 60, 'a' * 63, 'b' * 63, 'c' * 63])
DELIMITERS = '.-+,/_='


def macro(rng, letters=LETTERS):
    letter = rng.choice(letters)
    letter = letter.upper() if rng.random() < 0.15 else letter
    digits = rng.choice(['', '', '', '1', '2', '3', '10', '99', '128']) if rng.random() < 0.97 else '0'
    turned = rng.choice(['', '', 'r', 'r', 'R'])
    return '%{' + letter + digits + turned + ''.join(rng.choices(DELIMITERS, k=rng.choice([0, 0, 0, 1, 2]))) + '}'


def spec(rng):
    """A domain-spec: plain as a rule, so that what it names is there."""
    kind = rng.randrange(10)
    if kind < 6:
        name = rng.choice(NAMES)
        return rng.choice([name, name, name, name.upper(), name + '.'])
    if kind == 6:
        return '%{' + rng.choice('dohDOH') + rng.choice(['', '', '2', '3']) + '}'
    if kind == 7:
        return (macro(rng, 'crt') if rng.random() < 0.05 else macro(rng)) + rng.choice(['.', '._spf.', '-', '']) + rng.choice(['example.com', '%{d}', '%{d2}', 'b.example.org'])
    if kind == 8:
        return '.'.join(rng.choice(['%{ir}', '%{i}', '%{v}', '%{l}', '%{l1r-}', '%%', '%_x', '%-', 'a', '%{p}'])
                        for _ in range(rng.randrange(1, 4))) + '.' + rng.choice(['example.com', '%{o}', 'example.org.'])
    if rng.random() < 0.5:
        return rng.choice(['a%-b', 'a%_b', 'a%%b', LONG, LONG]) + '.%{d}'
    return 'long-label-' * rng.choice([1, 4, 5]) + '.%{l}' * rng.choice([1, 20]) + '.example.com'


def cidr(rng):
    four, six = rng.choice([0, 1, 8, 16, 23, 24, 25, 30, 31, 32]), rng.choice([0, 1, 32, 48, 64, 112, 120, 127, 128])
    return rng.choice(['', '', '', f'/{four}', f'//{six}', f'/{four}//{six}'])


def mechanism(rng):
    name = rng.choices(['all', 'include', 'a', 'mx', 'ptr', 'ip4', 'ip6', 'exists'], weights=[2, 4, 4, 4, 2, 3, 2, 3])[0]
    text = rng.choice(['', '', '+', '-', '-', '~', '?']) + rng.choice([name, name, name, name.upper(), name.capitalize()])
    if name in ('include', 'exists'):
        return text + ':' + spec(rng)
    if name in ('a', 'mx'):
        return text + rng.choice(['', ':' + spec(rng)]) + cidr(rng)
    if name == 'ptr':
        return text + rng.choice(['', ':' + spec(rng)])
    if name == 'ip4':
        return text + ':' + rng.choice(IPV4) + rng.choice(['', f'/{rng.choice([0, 1, 16, 24, 25, 30, 32])}'])
    if name == 'ip6':
        address = rng.choice(IPV6 + ['2001:DB8::', '::ffff:192.0.2.1', '::', '2001:db8:0:0:0:0:0:77'])
        return text + ':' + address + rng.choice(['', f'/{rng.choice([0, 1, 32, 64, 120, 127, 128])}'])
    return text


def modifier(rng):
    kind = rng.randrange(8)
    if kind < 3:
        return rng.choice(['redirect=', 'Redirect=']) + spec(rng)
    if kind < 6:
        return 'exp=' + rng.choice(['exp.example.com', 'exp.example.com', '%{d}', spec(rng)])
    return rng.choice(['moo=', 'x-1.y_z=', 'default=', 'Op=']) + rng.choice(['', '%{d}', 'a/b:c', macro(rng), '%%'])


def spoil(rng, text):
    """One letter other than it should be."""
    at = rng.randrange(6, len(text) + 1)
    kind = rng.randrange(3)
    letter = rng.choice(list(':/=%{}.-+ ,;_0aR\t') + ['//', '\u00e9', '%{', '/0', '/33', '/032', '/129'])
    if kind == 0:
        return text[:at] + letter + text[at:]
    return text[:at] + (letter if kind == 1 else '') + text[at + 1:]


ODD = ['-exp=exp.example.com', '+redirect=example.com', '?moo=x', 'a:192.0.2.1', 'a:example.123', 'a:example.1-2', 'a:a.b-', 'a:a.-b',
       'ip4:192.0.2.1/08', 'ip4:192.0.2.1/00', 'a/024', 'a//064', 'a/33', 'a//129', 'a/24/64', 'a///64', 'ip6:2001:db8::/032', 'all:x',
       'all/8', 'ptr/24', 'ptr:', 'include', 'include:', 'exists', 'a:', 'mx:/24', 'ip4:192.0.2', 'ip4:192.0.2.1.', 'ip4:01.2.3.4',
       'ip4:192.0.2.256', 'ip4', 'ip6:2001', 'ip6:1:2:3:4:5:6:7:8:9', 'ip6:::1.2.3.4', 'ip6:::ffff:1.2.3', 'ip4:1.2.3.4//32',
       'a:example', '-', '--all', 'foo', 'foo:bar', 'foo/1', 'a:%{x}.com', 'a:%', 'a:%{d', 'a:%{dd}', 'a:%(d)', 'a:%%', 'exp=', 'exp=com',
       'redirect=', 'redirect=%{d}.', '=x', '1x=y', 'a:.com', 'exists:%{d}/24', 'mx=x', 'all=', '?all.', '-all,', 'a:b.com,c.com',
       'a:%{d}.', 'a:%{d}.com.', 'a:%{d}..', 'moo=%{q}', 'moo=%', 'exp=%{c}', 'a:%{d2r-+}', 'a:%{d-r}', 'exists:a%-b.%{d}',
       f'exists:{LONG}.%{{d}}', f'-a:{LONG}.%{{d}}', f'include:{LONG}.%{{d}}']


def long_record(rng):
    """About as many terms as may ask DNS."""
    terms = [rng.choice(['a:far.example.net', 'mx:far.example.net', 'include:far.example.net', '-ip4:10.9.8.7'])
             for _ in range(rng.randrange(6, 13))]
    return 'v=spf1 ' + ' '.join(terms) + rng.choice([' -all', ' ?all', ' redirect=far.example.net', ''])


def record(rng):
    if rng.random() < 0.04:
        return long_record(rng)
    terms = [mechanism(rng) for _ in range(rng.choice([0, 1, 1, 2, 2, 3, 3, 4, 6]))]
    if rng.random() < 0.5:
        terms.append(rng.choice(['-all', '-all', '-all', '~all', '?all', '+all']))
    for _ in range(rng.choice([0, 0, 1, 1, 2])):
        terms.insert(rng.randrange(len(terms) + 1), modifier(rng))
    if rng.random() < 0.2:
        terms.insert(rng.randrange(len(terms) + 1), rng.choice(ODD))
    text = rng.choice(['v=spf1', 'v=spf1', 'v=spf1', 'V=SPF1']) + ''.join(rng.choice([' ', ' ', ' ', '  ']) + term for term in terms)
    text += rng.choice(['', '', '', ' ', '  '])
    return spoil(rng, text) if rng.random() < 0.1 else text


def explanation(rng):
    words = [rng.choice(['No.', '%{c}', '%{i}', '%{r}', '%{s}', '%{S}', '%{l} at %{o}', '%{dr}', '%{h}', '%_%%%-', 'see http://%{d}/',
                         '%{p}', '%{p}', '%{p2r}', '%{L}', '%{v}']) for _ in range(rng.randrange(1, 5))]
    text = ' '.join(words)
    return rng.choice([text] * 8 + [text + '%', '%{x} ' + text, text + ' \u00e9', '', '%{d0}'])


def say(rng, zone):
    """A domain that fails what it does not know, and says why in macros."""
    known = rng.choice(['', 'ip4:192.0.3.5 ', 'exists:%{l}.none.example.net ', 'a:far.example.net '])
    zone['say.example.net'] = {'TXT': [f'v=spf1 {known}exp=why.%{{d}} -all']}
    words = [rng.choice([macro(rng, LETTERS + 'cr'), macro(rng, 'slodhSLODH'), '%{p}', '%%', '%_', '%-', 'words', 'http://%{d}/?s=%{S}'])
             for _ in range(rng.randrange(1, 6))]
    zone['why.say.example.net'] = {'TXT': [' '.join(words)] + (['another'] if rng.random() < 0.1 else [])}


def texts(rng, name):
    if name == 'exp.example.com':
        return [explanation(rng)] + ([explanation(rng)] if rng.random() < 0.1 else [])
    rows = [record(rng)] if rng.random() < (0.92 if name in POLICIES else 0.15) else []
    if rng.random() < 0.05:
        rows.append(rng.choice([record(rng), 'v=spf10 -all', 'v=spf1-all', 'other', 'spf2.0/pra -all', 'v=spf1']))
    rng.shuffle(rows)
    return rows


def world(rng):
    """{name: {type: [data]}}, texts still str of Latin-1; 'fail' names the types that nobody answers."""
    zone = {'far.example.net': {'A': ['203.0.113.9'], 'AAAA': ['2001:db8:ffff::9'], 'MX': [[10, 'far.example.net']],
                                'TXT': ['v=spf1 a:far.example.net -ip4:203.0.113.9']}}
    say(rng, zone)
    for name in NAMES[:-1]:
        node = zone.setdefault(name, {})
        if texts_of_it := texts(rng, name):
            node['TXT'] = texts_of_it
        if rng.random() < 0.6:
            node['A'] = rng.sample(IPV4, rng.choice([1, 1, 2, 3]))
        if rng.random() < 0.5:
            node['AAAA'] = rng.sample(IPV6, rng.choice([1, 2]))
        if rng.random() < 0.5:
            count = rng.choice([1, 2, 2, 3, 10, 11]) if rng.random() < 0.3 else rng.choice([1, 2])
            hosts = (NAMES * 2)[:count] if count > 3 else rng.sample(NAMES, count)
            node['MX'] = [[10 * (at + 1), host] for at, host in enumerate(dict.fromkeys(hosts + [f'h{n}.example.com' for n in range(
                max(0, count - len(set(hosts))))]))]
        if rng.random() < 0.06:
            node['fail'] = rng.sample(['A', 'AAAA', 'MX', 'TXT'], rng.choice([1, 2]))
        if not node and rng.random() < 0.5:
            del zone[name]
    for domain in POLICIES:
        for odd in ('a%20b', 'a b', 'a%b', LONG.partition('.')[2]):
            if rng.random() < 0.5:
                zone[f'{odd}.{domain}'] = {'A': rng.sample(IPV4, 2)}
    for address in IPV4 + IPV6:
        if rng.random() < 0.7:
            count = rng.choice([1, 1, 2, 3, 12])
            names = rng.sample(NAMES, min(count, len(NAMES)))
            zone[reverse(address)] = {'PTR': names} if rng.random() < 0.95 else {'fail': ['PTR']}
    for address in rng.sample(IPV4, 2):  # names that lead back to their address
        names = rng.choice([['badexample.com'], rng.sample(NAMES[:-1], 3), ['mx1.example.org', 'host.example.com', 'mail.example.com'],
                            ['mx1.example.org', 'mx.say.example.net'], ['notsay.example.net', 'say.example.net']])
        zone[reverse(address)] = {'PTR': names}
        for name in names:
            zone.setdefault(name, {}).setdefault('A', []).append(address)
    return zone


def reverse(address):
    return ipaddress.ip_address(address).reverse_pointer


def question(rng):
    """Address, HELO name, sender."""
    domain = rng.choice(['example.com'] * 8 + ['say.example.net'] * 6 + ['a.example.com', 'b.example.org', 'A.Example.Com'] * 2 + ['none.example.net', 'host.example.com'])
    sender = rng.choice([rng.choice(LOCALS) + '@' + domain] * 8 + ['', '@' + domain, 'x@localhost'])
    address = rng.choice(IPV4 + IPV4 + IPV6 + ['::ffff:192.0.2.1'])
    return address, rng.choice(HELOS), sender
