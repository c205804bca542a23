# SPDX-License-Identifier: Apache-2.0
"""check_host() of RFC 7208 once more, as the text says it and as slow as that is: the judge where checkers differ.

Section numbers are those of RFC 7208. A zone is {name: {type: [data]}}; data of MX is (preference, name), of TXT bytes, of
A and AAAA an address, of PTR a name; the type 'fail' is a set of types that cannot be asked."""
import ipaddress
import re
import string

LITERAL = r'[\x21-\x24\x26-\x7e]'
EXPAND = r'%(?:\{[slodiphcrtvSLODIPHCRTV][0-9]*r?[-.+,/_=]*\}|[%_-])'
EXPAND = EXPAND.replace('*r?', '*[rR]?')  # literals of the grammar are of either case (RFC 5234 2.3)
TOPLABEL = r'(?:[A-Za-z0-9]*[A-Za-z][A-Za-z0-9]*|[A-Za-z0-9]+-[A-Za-z0-9-]*[A-Za-z0-9])'
MACRO_STRING = rf'(?:{EXPAND}|{LITERAL})*'
DOMAIN_SPEC = rf'(?:{EXPAND}|{LITERAL})*(?:\.{TOPLABEL}\.?|{EXPAND})'
CIDR4, CIDR6 = r'/(?:0|[1-9][0-9]?)', r'/(?:0|[1-9][0-9]{0,2})'
NUMBER = r'(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])'
RESULTS = {'+': 'pass', '-': 'fail', '~': 'softfail', '?': 'neutral'}


class Ended(Exception):
    """The whole check ends with this result."""


class Undefined(Exception):
    """4.8: the outcome for names that are none is undefined."""


class Term:
    def __init__(self, text):
        self.text, self.spec, self.cidr4, self.cidr6, self.network = text, None, 32, 128, None


def modifier(text):
    match = re.fullmatch(r'([A-Za-z][A-Za-z0-9_.-]*)=(.*)', text, re.S)
    if not match:
        return None
    name = match[1].lower()
    if not re.fullmatch(DOMAIN_SPEC if name in ('redirect', 'exp') else MACRO_STRING, match[2]) or \
            not digits_good(match[2], name not in ('redirect', 'exp')):
        raise Ended('permerror')
    return name, match[2]


def digits_good(spec, of_exp):
    """7.1, 7.2: a number of labels is not 0, and c, r and t are for exp= texts only."""
    for letter, digits in re.findall(r'(?<!%)(?:%%)*%\{(.)([0-9]*)', spec):
        if (digits and int(digits) == 0) or (letter.lower() in 'crt' and not of_exp):
            return False
    return True


def mechanism(text):
    match = re.fullmatch(r'([-+~?]?)([A-Za-z0-9]+)(.*)', text, re.S)
    if not match:
        raise Ended('permerror')
    term = Term(text)
    term.result, term.name, rest = RESULTS[match[1] or '+'], match[2].lower(), match[3]
    good = False
    if term.name == 'all':
        good = rest == ''
    elif term.name in ('include', 'exists'):
        found = re.fullmatch(rf':({DOMAIN_SPEC})', rest)
        good, term.spec = bool(found), found and found[1]
    elif term.name == 'ptr':
        found = re.fullmatch(rf'(?::({DOMAIN_SPEC}))?', rest)
        good, term.spec = bool(found), found and found[1]
    elif term.name in ('a', 'mx'):
        # The domain may hold "/": what looks like a length at the end is one.
        found = re.fullmatch(rf'(?::({DOMAIN_SPEC}))?({CIDR4})?(?:/({CIDR6}))?', rest)
        if found:
            good, term.spec = True, found[1]
            term.cidr4, term.cidr6 = int((found[2] or '/32')[1:]), int((found[3] or '/128')[1:])
    elif term.name == 'ip4':
        found = re.fullmatch(rf':({NUMBER}(?:\.{NUMBER}){{3}})({CIDR4})?', rest)
        if found:
            good, term.network, term.cidr4 = True, ipaddress.ip_address(found[1]), int((found[2] or '/32')[1:])
    elif term.name == 'ip6':
        found = re.fullmatch(rf':([0-9A-Fa-f:.]+)({CIDR6})?', rest)
        try:
            if found:
                good, term.network, term.cidr6 = True, ipaddress.IPv6Address(found[1]), int((found[2] or '/128')[1:])
        except ValueError:
            good = False
    if not good or term.cidr4 > 32 or term.cidr6 > 128 or not digits_good(term.spec or '', False):
        raise Ended('permerror')
    return term


def parse(text):
    """4.6: the terms, and the modifiers by name; any error anywhere is one of the whole."""
    terms, modifiers = [], {}
    if not all(0x20 <= byte <= 0x7e for byte in text):
        raise Ended('permerror')
    for word in text.decode('ascii')[6:].split(' '):
        if not word:
            continue
        found = modifier(word)
        if not found:
            terms.append(mechanism(word))
            continue
        if found[0] in ('redirect', 'exp') and found[0] in modifiers:
            raise Ended('permerror')  # 6
        modifiers[found[0]] = found[1]
    return terms, modifiers


def is_name(name):
    labels = name[:-1].split('.') if name.endswith('.') else name.split('.')
    return name.isascii() and all(0 < len(label) < 64 for label in labels) and len('.'.join(labels)) <= 253


def within(address, network, length):
    if address.version != network.version:
        return False
    return ipaddress.ip_network((network, length), strict=False).supernet_of(ipaddress.ip_network(address))


class Check:
    def __init__(self, zone, ip, helo, sender, receiver):
        self.zone, self.receiver = zone, receiver
        self.helo = helo[:-1] if helo.endswith('.') else helo  # no clause; a domain either way
        self.ip = ipaddress.ip_address(ip)
        if self.ip.version == 6 and self.ip.ipv4_mapped:
            self.ip = self.ip.ipv4_mapped
        self.address = 'A' if self.ip.version == 4 else 'AAAA'
        self.helo_scope, self.dot = not sender, helo.endswith('.')
        self.sender = sender or 'postmaster@' + helo  # 2.4
        local, at, self.sender_domain = self.sender.rpartition('@')
        self.sender_domain = self.sender_domain[:-1] if self.sender_domain.endswith('.') else self.sender_domain
        self.no_local = not sender or not local
        if not at or not local:
            local = 'postmaster'  # 4.3
        self.local = local
        self.sender = local + '@' + self.sender_domain
        self.terms = self.voids = 0
        self.records = []  # (domain, record) that were read
        self.exp = None  # the explanation that was read, as it stands
        self.flags = set()  # what happened that checkers see differently

    def has(self, pattern):
        """Whether one of the records that were read has it."""
        return any(re.search(pattern, record.decode('latin-1')) for _, record in self.records)

    def ask(self, name, kind):
        """The data, or None where the question failed."""
        name = name.rstrip('.').lower()
        if not is_name(name):
            self.flags.add('no name')
            raise Undefined
        node = self.zone.get(name, {})
        return None if kind in node.get('fail', ()) else node.get(kind, [])

    def count(self):
        self.terms += 1
        if self.terms > 10:
            raise Ended('permerror')

    def void(self, rows):
        """4.6.4: of terms that have questions without an answer there may be two; so one such question of a term counts."""
        if rows == []:
            self.voids += 1
            if self.voids > 2:
                self.flags.add('voids')
                raise Ended('permerror')

    # -- Macros (7) ----

    def names_of_host(self):
        """5.5: the names of the address that have it, and None where DNS did not answer."""
        rows = self.ask(self.ip.reverse_pointer, 'PTR')
        good = []
        for name in (rows or [])[:10]:
            if not is_name(name):
                self.flags.add('no name')
                continue
            if any(ipaddress.ip_address(row) == self.ip for row in self.ask(name, self.address) or []):
                good.append(name.rstrip('.').lower())
        return rows, good

    def macro(self, letter, domain):
        low = letter.lower()
        if low == 'i':
            return str(self.ip) if self.ip.version == 4 else '.'.join(f'{int(self.ip):032X}')
        if low == 'p':
            self.flags.add('p')
            names, domain = self.names_of_host()[1], domain.lower()
            best = [name for name in names if name == domain] or [name for name in names if name.endswith('.' + domain)] or names
            return best[0] if best else 'unknown'
        return {'s': self.sender, 'l': self.local, 'o': self.sender_domain, 'd': domain, 'h': self.helo,
                'v': 'in-addr' if self.ip.version == 4 else 'ip6', 'c': str(self.ip), 'r': self.receiver, 't': '0'}[low]

    def expand(self, text, domain):
        out, at = '', 0
        for match in re.finditer(EXPAND, text):
            out, at = out + text[at:match.start()], match.end()
            whole = match[0]
            if whole in ('%%', '%_', '%-'):
                out += {'%%': '%', '%_': ' ', '%-': '%20'}[whole]
                continue
            letter, digits, turned, delimiters = re.fullmatch(r'%\{(.)([0-9]*)([rR]?)(.*)\}', whole).groups()
            parts = re.split('[' + re.escape(delimiters or '.') + ']', self.macro(letter, domain))
            if turned:
                parts.reverse()
            if digits:
                parts = parts[-int(digits):]
            value = '.'.join(parts)
            if letter.isupper():  # 7.3: as RFC 3986 2.3 has them
                value = ''.join(char if char in string.ascii_letters + string.digits + '-._~' else
                                ''.join(f'%{byte:02X}' for byte in char.encode()) for char in value)
            out += value
        return out + text[at:]

    def foreign(self, text):
        """RFC 8616 4: a term with the local part in it matches nothing where that is not in ASCII."""
        return not self.local.isascii() and re.search(r'%\{[slSL]', text or '')

    def target(self, spec, domain):
        if spec is None:
            return domain
        name = self.expand(spec, domain)
        name = name[:-1] if name.endswith('.') else name
        while len(name) > 253 and '.' in name:  # 7.3
            name = name.partition('.')[2]
        return name

    # -- Mechanisms (5) ----

    def rows(self, name, kind):
        rows = self.ask(name, kind)
        if rows is None:
            raise Ended('temperror')
        return rows

    def matches(self, term, domain, depth):
        if term.name == 'all':
            return True
        if term.name in ('ip4', 'ip6'):
            return within(self.ip, term.network, term.cidr4 if term.name == 'ip4' else term.cidr6)
        self.count()
        if self.foreign(term.spec):
            return False
        target = self.target(term.spec, domain)
        length = term.cidr4 if self.ip.version == 4 else term.cidr6
        if term.name == 'include':
            result = self.host(target, depth + 1, True)[0]
            if result in ('temperror', 'permerror', 'none'):
                raise Ended('temperror' if result == 'temperror' else 'permerror')  # 5.2
            return result == 'pass'
        if term.name == 'exists':
            rows = self.rows(target, 'A')
            self.void(rows)
            return rows != []
        if term.name == 'a':
            rows = self.rows(target, self.address)
            self.void(rows)
            return any(within(self.ip, ipaddress.ip_address(row), length) for row in rows)
        if term.name == 'mx':
            hosts = sorted(self.rows(target, 'MX'))
            self.void(hosts)
            empty = False
            for number, (_, host) in enumerate(hosts):
                if number == 10:
                    self.flags.add('many mx')
                    raise Ended('permerror')  # 4.6.4
                rows = self.rows(host, self.address)
                empty = empty or rows == []
                if any(within(self.ip, ipaddress.ip_address(row), length) for row in rows):
                    return True
            self.void([] if empty and hosts else None)
            return False
        rows, names = self.names_of_host()  # ptr
        self.void(rows)
        target = target.lower()
        return any(name == target or name.endswith('.' + target) for name in names)

    # -- check_host() (4) ----

    def host(self, domain, depth, again=False):
        """The result, and the domain and exp= of the record that has it."""
        domain = domain[:-1] if domain.endswith('.') else domain
        if again and not is_name(domain):
            raise Undefined  # 4.8
        if not is_name(domain) or '.' not in domain:
            return 'none', None, None  # 4.3
        if depth > 20:
            raise Ended('permerror')
        rows = self.ask(domain, 'TXT')
        if rows is None:
            raise Ended('temperror')
        if again:
            self.void(rows)
        records = [row for row in rows if re.match(rb'(?i)v=spf1( |$)', row)]
        if len(records) != 1:
            return ('permerror' if records else 'none'), None, None
        self.records.append((domain, records[0]))
        try:
            terms, modifiers = parse(records[0])
        except Ended:
            self.flags.add('syntax')
            raise
        for term in terms:
            if self.matches(term, domain, depth):
                return term.result, domain, modifiers.get('exp')
        if 'redirect' in modifiers and not any(term.name == 'all' for term in terms):
            self.count()
            if self.foreign(modifiers['redirect']):
                raise Undefined
            result, where, exp = self.host(self.target(modifiers['redirect'], domain), depth, True)
            return ('permerror' if result == 'none' else result), where, exp  # 6.1
        return 'neutral', domain, modifiers.get('exp')

    def run(self):
        """Result and explanation; Undefined where the RFC leaves it open."""
        try:
            result, domain, exp = self.host(self.sender_domain, 0)
        except Ended as ended:
            return str(ended), ''
        if result != 'fail' or exp is None:
            return result, ''
        try:
            return result, self.explanation(exp, domain)
        except (Ended, Undefined):
            return result, ''

    def explanation(self, spec, domain):
        """6.2; '' where anything is wrong with it."""
        rows = [] if self.foreign(spec) else self.ask(self.target(spec, domain), 'TXT')
        self.exp = rows and rows[0].decode('latin-1')
        if not rows or len(rows) != 1 or not all(0x20 <= byte <= 0x7e for byte in rows[0]):
            self.flags.add('exp syntax')
            return ''
        text = rows[0].decode('ascii')
        if not re.fullmatch(rf'(?:{EXPAND}|{LITERAL}| )*', text) or not digits_good(text, True):
            self.flags.add('exp syntax')
            return ''
        if self.foreign(text):
            return ''
        text = self.expand(text, domain)
        return text if all(0x20 <= ord(char) <= 0x7e for char in text) else ''
