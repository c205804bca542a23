# SPDX-License-Identifier: Apache-2.0
"""DKIM and ARC once more, as the RFCs say them and as slow as that is: a judge of its own between verifiers that differ.

It shares no code with any of them: what it knows of keys is the table that the test made. Section numbers are those of RFC
6376 unless another is named."""
import base64
import hashlib
import re

import dkim_shapes as shapes

SKEW = 300  # 3.5: a time of signing in the future MAY be refused; this is what we allow clocks to differ by
BITS = range(1024, 4097)  # RFC 8301 3.2; more is our own limit
SHA256 = bytes.fromhex('3031300d060960864801650304020105000420')  # DigestInfo, RFC 8017 9.2


class Refused(Exception):
    pass


def need(good, why):
    if not good:
        raise Refused(why)


# -- Tag lists (3.2) ----

def tags_of(text):
    """Name to value, in order; `text` is bytes."""
    tags, rest = {}, text.split(b';')
    if len(rest) > 1 and not rest[-1].strip(b' \t\r\n'):
        rest.pop()
    for one in rest:
        match = re.fullmatch(rb'[ \t\r\n]*([A-Za-z][A-Za-z0-9_]*)[ \t\r\n]*=([^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*)', one, re.S)
        need(match, 'a tag that is none')
        need(match[1] not in tags, 'a tag is there twice')
        tags[match[1]] = match[2].strip(b' \t\r\n')
    return tags


def without_b(field):
    """The field without the value of b=, and without its line end (3.7)."""
    head, colon, rest = field[:-2].partition(b':')
    parts = [one.partition(b'=') for one in rest.split(b';')]
    return head + colon + b';'.join(name + b'=' if name.strip(b' \t\r\n') == b'b' else name + eq + text
                                    for name, eq, text in parts)


def base64_of(text):
    text = re.sub(rb'[ \t\r\n]', b'', text)
    match = re.fullmatch(rb'([A-Za-z0-9+/]+)(={0,2})', text)
    need(match and len(match[1]) % 4 != 1 and (not match[2] or len(text) % 4 == 0), 'what is no base64')
    return base64.b64decode(match[1] + b'=' * (-len(match[1]) % 4))


def pieces(text):
    return [one.strip(b' \t\r\n') for one in text.split(b':')]


# -- Keys (3.6.1, 6.1.2) ----

def key_of(record, keys):
    """The key of a record, and its flags; `keys` are those that the test made, by their public bytes."""
    tags = tags_of(record)
    if b'v' in tags:
        need(next(iter(tags)) == b'v' and tags[b'v'] == b'DKIM1', 'v= of the key')
    need(tags.get(b'p'), 'no key, or one that was revoked')
    kind = tags.get(b'k', b'rsa').lower()
    need({b'*', b'email'} & {one.lower() for one in pieces(tags.get(b's', b'*'))}, 'a key for another service')
    need(b'sha256' in [one.lower() for one in pieces(tags.get(b'h', b'sha256'))], 'a key for another hash')
    key = keys.get(base64_of(tags[b'p']))
    need(key and key.k.encode() == kind, 'a key that is none')
    need(kind == b'ed25519' or key.bits in BITS, 'a key too short or too long')
    return key, pieces(tags.get(b't', b''))


def verifies(key, algorithm, digest, signature):
    if algorithm != key.algorithm.encode():
        return False
    if key.k == 'ed25519':  # RFC 8463 3
        try:
            key.raw.verify_key.verify(digest, signature)
            return True
        except Exception:  # pylint: disable=broad-except # of any kind: it is not the signature
            return False
    size = (key.n.bit_length() + 7) // 8
    want = b'\0\1' + b'\xff' * (size - len(SHA256) - len(digest) - 3) + b'\0' + SHA256 + digest
    number = int.from_bytes(signature, 'big')
    return len(signature) == size and number < key.n and pow(number, key.e, key.n).to_bytes(size, 'big') == want


class Judge:
    """`zone`: name to key records. `keys`: public bytes to keys."""

    def __init__(self, zone, keys, now):
        self.zone, self.keys, self.now = zone, keys, now

    # -- What DKIM-Signature, ARC-Message-Signature and ARC-Seal have in common ----

    def read(self, field, required):
        tags = tags_of(field.partition(b':')[2])
        for name in required.split():
            need(name.encode() in tags, f'{name}= is missing')
        tags[b'a'] = tags[b'a'].lower()
        need(tags[b'a'] in (b'rsa-sha256', b'ed25519-sha256'), 'a=; RFC 8301 3.1 of rsa-sha1')
        for name in (b't', b'x', b'l'):
            need(re.fullmatch(rb'[0-9]+', tags.get(name, b'0')), 'what is no number')
        for name in (b'd', b's'):
            need(re.fullmatch(rb'[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*', tags[name]), 'what is no name')
        if b'x' in tags:  # 3.5, 6.1.1
            need(int(tags.get(b't', b'-1')) < int(tags[b'x']) and self.now <= int(tags[b'x']), 'it has expired')
        need(int(tags.get(b't', b'0')) <= self.now + SKEW, 'it is from the future')
        return tags

    def check(self, tags, digest, strict):
        """Whether b= is a signature of the digest by one of the keys (6.1.2 step 4: any of several may be tried)."""
        why = 'no key'
        signature = base64_of(tags[b'b'])
        for record in self.zone.get(f"{tags[b's'].decode()}._domainkey.{tags[b'd'].decode()}".lower(), []):
            try:
                key, flags = key_of(record.encode(), self.keys)
                need(not strict or b's' not in flags, 't=s, and i= is in a subdomain')
                need(verifies(key, tags[b'a'], digest, signature), 'the signature is of something else')
                return
            except Refused as error:
                why = error
        raise Refused(why)

    def message(self, tags, fields, body, field):
        """3.7: what the hash of the header is; bh= is checked."""
        forms = (tags.get(b'c', b'simple').lower() + b'/simple').split(b'/')
        need(tags.get(b'c', b'').count(b'/') < 2 and {forms[0], forms[1]} <= {b'simple', b'relaxed'}, 'c=')
        header_form, body_form = forms[0][:1].decode(), forms[1][:1].decode()
        names = pieces(tags[b'h'])
        need(all(re.fullmatch(rb'[!-9;-~]+', name) for name in names), 'h= holds what is no name')
        need(b'from' in [name.lower() for name in names], 'From is not signed')
        body = shapes.canon_body(body_form, body)
        if b'l' in tags:
            need(int(tags[b'l']) <= len(body), 'l= is larger than the body')
            body = body[:int(tags[b'l'])]
        need(base64_of(tags[b'bh']) == hashlib.sha256(body).digest(), 'the body was changed')
        others = [one for one in fields if one is not field]
        return shapes.hash_header(header_form, others, [name.decode('latin-1') for name in names], without_b(field)).digest()

    # -- DKIM (6.1) ----

    def dkim(self, fields, body, field):
        """None where the signature of the field is good, or why it is not."""
        try:
            tags = self.read(field, 'v a b bh d h s')
            need(tags[b'v'] == b'1', 'v=')
            need(b'dns/txt' in [one.lower() for one in pieces(tags.get(b'q', b'dns/txt'))], 'q=')
            host, domain = tags.get(b'i', b'@' + tags[b'd']).lower(), tags[b'd'].lower()
            need(b'@' in host, 'i=')
            host = host.rpartition(b'@')[2]
            need(host == domain or host.endswith(b'.' + domain), 'i= is not within d=')
            self.check(tags, self.message(tags, fields, body, field), host != domain)
        except Refused as error:
            return str(error)
        return None

    # -- ARC (RFC 8617 5.2) ----

    def arc(self, fields, body):
        """None where the chain is good, or why it is not."""
        kinds = (b'arc-authentication-results', b'arc-message-signature', b'arc-seal')
        sets = {}
        try:
            for kind in kinds:
                for field in fields:
                    name, _, text = field.partition(b':')
                    if name.strip().lower() != kind:
                        continue
                    if kind == kinds[0]:
                        match = re.match(rb'[ \t\r\n]*i[ \t\r\n]*=[ \t\r\n]*([0-9]{1,2})[ \t\r\n]*;', text)
                        instance = match and match[1]
                    else:
                        instance = tags_of(text).get(b'i')
                    need(instance and re.fullmatch(rb'[0-9]{1,2}', instance) and 1 <= int(instance) <= 50, 'i=')
                    need((int(instance), kind) not in sets, 'an instance is there twice')
                    sets[int(instance), kind] = field
            last = max((number for number, _ in sets), default=0)
            need(last > 0, 'there is no chain')
            need(len(sets) == 3 * last, 'the sets are not whole')
            for number in range(1, last + 1):
                cv = tags_of(sets[number, kinds[2]].partition(b':')[2]).get(b'cv', b'').lower()
                need(cv == (b'none' if number == 1 else b'pass'), 'cv=')
                # An older message signature need not be good, but in form.
                tags_of(sets[number, kinds[1]].partition(b':')[2])
            newest = sets[last, kinds[1]]
            tags = self.read(newest, 'i a b bh d h s')
            need(b'arc-seal' not in [name.lower() for name in pieces(tags[b'h'])], 'h= holds ARC-Seal (4.1.2)')
            self.check(tags, self.message(tags, fields, body, newest), False)
            for number in range(last, 0, -1):
                tags = self.read(sets[number, kinds[2]], 'i a b d s cv')
                need(b'h' not in tags, 'a seal with h= (4.1.3)')
                digest = hashlib.sha256()
                for one in range(1, number + 1):  # 5.1.1
                    for kind in kinds:
                        if (one, kind) == (number, kinds[2]):
                            digest.update(shapes.canon_field('r', without_b(sets[one, kind]) + b'\r\n')[:-2])
                        else:
                            digest.update(shapes.canon_field('r', sets[one, kind]))
                self.check(tags, digest.digest(), False)
        except Refused as error:
            return str(error)
        return None
