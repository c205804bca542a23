# SPDX-License-Identifier: Apache-2.0
"""DMARC once more, from the text of RFC 9989 and, with the public suffix list, of RFC 7489: the judge of the differential test.

A zone is {name: [record]}, without "_dmarc."; `failing` are the names whose question fails."""
import re

# The rules of the list that the names of the test meet.
SUFFIXES = {'com', 'org', 'uk', 'co.uk', '*.ck'}
POLICIES = ('none', 'quarantine', 'reject')


def organizational(domain):
    """RFC 7489 3.2."""
    labels = domain.split('.')
    for count in range(len(labels), 0, -1):
        name = '.'.join(labels[-count:])
        if name in SUFFIXES or (count > 1 and '*.' + name.partition('.')[2] in SUFFIXES):
            return '.'.join(labels[-count - 1:])
    return '.'.join(labels[-2:])


class Record:
    """7489 6.3, 9989 4.7: None-like (good is False) where it is none."""

    def __init__(self, text, mode):
        pieces = [piece.partition('=') for piece in text.split(';')]
        rows = [(name.strip(' \t').lower(), value.strip(' \t')) for name, _, value in pieces]
        self.good = rows[0][0] == 'v' and rows[0][1] == 'DMARC1'
        self.tags = {}
        for name, value in rows:  # of a tag that comes again the first counts; one without a value is wrong, and not absent
            if re.fullmatch('[a-z]+', name):
                self.tags.setdefault(name, value or '?')
        known = {name: self.tags.get(name, '').lower() for name in ('p', 'sp', 'np', 'adkim', 'aspf', 'psd', 't', 'pct')}
        if mode == 7489:
            known.update(np='', psd='', t='')
        uris = [uri.strip(' \t') for uri in self.tags.get('rua', '').split(',')]
        has_uri = any(re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*:(?:%[0-9A-Fa-f]{2}|[A-Za-z0-9._~:/?#\[\]@$&'()*+;=-])+",
                                   re.sub(r'![0-9]+[kmgtKMGT]?$', '', uri)) for uri in uris)
        wrong = known['p'] not in POLICIES or any(known[name] and known[name] not in POLICIES for name in ('sp', 'np'))
        self.unusable = wrong and not has_uri
        if wrong:
            known.update(p='none', sp='', np='')
        self.p, self.sp, self.np, self.psd = known['p'], known['sp'], known['np'], known['psd']
        self.strict = {'dkim': known['adkim'] == 's', 'spf': known['aspf'] == 's'}
        self.lowered = known['t'] == 'y' or (mode == 7489 and re.fullmatch('0+', known['pct']) is not None)


class Failed(Exception):
    pass


class Judge:
    def __init__(self, mode, zone, failing, existing):
        self.mode, self.zone, self.failing, self.existing = mode, zone, failing, existing

    def record(self, name):
        """The one record of a name, 'several', or None."""
        if name in self.failing:
            raise Failed
        found = [record for record in (Record(text, self.mode) for text in self.zone.get(name, [])) if record.good]
        return (found[0] if len(found) == 1 else 'several') if found else None

    def walk(self, domain):
        """RFC 9989 4.10: [(name, record)] from the domain up."""
        labels, found = domain.split('.'), []
        names = [domain] + ['.'.join(labels[-count:]) for count in range(min(len(labels) - 1, 7), 0, -1)]
        for name in names:
            try:
                record = self.record(name)
            except Failed:
                if '.' not in name and name != domain:
                    continue  # ours to decide: no record is taken from a top-level domain that does not answer
                raise
            if record and record != 'several':
                found.append((name, record))
                if record.psd in ('y', 'n'):
                    break
        return found

    def organization(self, domain):
        if self.mode == 7489:
            return organizational(domain)
        found = self.walk(domain)
        if not found:
            return domain
        name, last = found[-1]
        if last.psd == 'y' and name != domain:  # 4.10.2
            count = name.count('.') + 2
            return '.'.join(domain.split('.')[-count:])
        return name

    def policy(self, author):
        if self.mode == 7489:  # 6.6.3
            own = self.record(author)
            if own == 'several':
                return None
            upper = organizational(author)
            if own or upper == author:
                return (author, own) if own else None
            found = self.record(upper)
            return (upper, found) if found and found != 'several' else None
        found = dict(self.walk(author))
        organization = self.organization(author)
        for name in (author, organization):
            if name in found:
                return name, found[name]
        suffix = [(name, record) for name, record in found.items() if record.psd == 'y']
        return suffix[0] if suffix else None

    def judge(self, author, spf, dkim):
        """Code, domain of the record, tag, policy, disposition, what is aligned; None where a failure makes it open."""
        try:
            found = self.policy(author)
            if not found:
                return 'none', '-', '-', '-', 'none', ''
            where, record = found
            if record.unusable:
                return 'none', where, '-', '-', 'none', ''  # 4.10.1; 7489 6.6.3 step 6
            tag, policy = 'p', record.p
            if where != author:
                if record.sp:
                    tag, policy = 'sp', record.sp
                if record.np and author not in self.existing:
                    tag, policy = 'np', record.np
            aligned = ''
            for method, domains in (('spf', [spf] if spf else []), ('dkim', dkim)):
                if any(domain == author or (not record.strict[method] and self.organization(domain) == self.organization(author))
                       for domain in map(str.lower, domains)):
                    aligned += method
        except Failed:
            return None
        if aligned:
            return 'pass', where, tag, policy, 'none', aligned
        lower = {'reject': 'quarantine'}.get(policy, 'none')
        return 'fail', where, tag, policy, lower if record.lowered else policy, ''
