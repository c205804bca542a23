#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Whether the differential tests would see a mistake: builds the program with one at a time in a scratch copy, and runs them.

sabotage.py FOLDER [dkim|spf|dmarc] [WORD...]: FOLDER is for the copy; WORDs choose the mistakes that have one in their names.
POSTERN_DIFFERENTIAL is the number of messages, 400 unless told. Not run by the suite: one mistake takes some seconds."""
import os
import re
import shutil
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
COUNT = os.environ.get('POSTERN_DIFFERENTIAL', '400')

# What is done wrong, the file (of src/auth), the text there, and what comes in its place.
DKIM = [
    ('relaxed field: a blank at the end stays', 'canon.c', '''	relaxed_text(sink, &state, bytes_from(raw, to));
''', '''	relaxed_text(sink, &state, bytes_from(raw, to));
	if (state.blank && state.any)
		sink_byte(sink, ' ');
'''),
    ('relaxed field: the name keeps its case', 'canon.c', 'sink_byte(sink, ascii_lower(raw.ptr[i]));', 'sink_byte(sink, raw.ptr[i]);'),
    ('relaxed field: a tab counts as a letter', 'canon.c', '''		if (ascii_is_blank(c)) {
			state->blank''', '''		if (c == ' ') {
			state->blank'''),
    ('simple body: an empty line at the end stays', 'canon.c', '''		empty = 0;
		any = true;
	}
''', '''		empty = 0;
		any = true;
	}
	if (empty > 0 && any && canon == CANON_SIMPLE)
		sink_crlf(sink);
'''),
    ('simple body: an empty body stays empty', 'canon.c', 'if (!any && canon == CANON_SIMPLE)', 'if (!any && body.len > 0 && canon == CANON_SIMPLE)'),
    ('relaxed body: an empty body becomes a line', 'canon.c', 'if (!any && canon == CANON_SIMPLE)', 'if (!any)'),
    ('relaxed body: blanks at the end of a line stay', 'canon.c', 'while (end > 0 && ascii_is_blank(text.ptr[end - 1]))',
     'while (end > 0 && text.ptr[end - 1] == \'\\t\')'),
    ('relaxed body: a lone tab stays', 'canon.c', "(text.ptr[i] == ' ' && !ascii_is_blank(text.ptr[i + 1])", "(!ascii_is_blank(text.ptr[i + 1])"),
    ('l= is ignored', 'dkim.c', '{signature->body, signature->length};', '{signature->body, CANON_ALL};'),
    ('l= may be more than the body', 'dkim.c', 'check->signature.length > bodies[i].length;', 'false;'),
    ('h= counts from the top', 'canon.c', '''message->fields[name->fields[(*next)++]].raw''', '''message->fields[name->fields[name->count - 1 - (*next)++]].raw'''),
    ('h= takes one field again and again', 'canon.c', 'name->fields[(*next)++]', 'name->fields[*next]'),
    ('h= need not name From', 'signature.c', 'return from || broken(reader, tag, "From is not signed");', 'return true;'),
    ('x= is not checked', 'signature.c', 'now > sig->expires_at)', 'now > sig->expires_at && false)'),
    ('x= may be t=', 'signature.c', 'sig->expires_at <= sig->signed_at)', 'sig->expires_at < sig->signed_at)'),
    ('t= may lie in the future', 'signature.c', 'sig->signed_at > now &&', 'false && sig->signed_at > now &&'),
    ('a= of rsa-sha512 is taken for rsa-sha256', 'signature.c', 'if (sig->type == CRYPTO_RSA && !bytes_eq(sig->algorithm, BYTES_LIT("rsa-sha256")))',
     'if (sig->type == CRYPTO_RSA && !bytes_starts(sig->algorithm, BYTES_LIT("rsa")))'),
    ('v= is not checked', 'signature.c', 'if (!bytes_eq(version->value, BYTES_LIT("1")))', 'if (bytes_empty(version->value))'),
    ('q= is not checked', 'signature.c', 'if (query && !tag', 'if (false && !tag'),
    ('i= may be outside of d=', 'signature.c', 'if (!good || !bytes_ends_nocase(host, sig->domain) ||', 'if (!good ||'),
    ('i= may end in d= without a dot', 'signature.c', "host.ptr[host.len - sig->domain.len - 1] != '.'", "host.ptr[host.len - sig->domain.len - 1] == '!'"),
    ('bh=: the last byte is not compared', 'dkim.c', '!bytes_eq(check->signature.body_hash, bytes_make(bodies[i].digest, sizeof(bodies[i].digest)))',
     '!bytes_eq(bytes_sub(check->signature.body_hash, 0, 31), bytes_make(bodies[i].digest, 31))'),
    ('bh=: blanks are not removed', 'tags.c', '''		if (tag_is_blank(c))
			continue;
		if (c == '=' && digits''', '''		if (c == '=' && digits'''),
    ('b= is not taken out', 'signature.c', 'reader->sig->to = reader->value_at + tag->to;', 'reader->sig->to = reader->value_at + tag->from;'),
    ('b=: the blanks around it stay', 'signature.c', 'reader->sig->from = reader->value_at + tag->from;', 'reader->sig->from = reader->value_at + tag->value_at;'),
    ('a tag may be there twice', 'tags.c', 'if (bytes_eq(ret_tags->items[i].name, tag.name))', 'if (bytes_empty(tag.name))'),
    ('a key that was revoked makes it pass', 'signature.c', '''	if (err == ERR_NOMEM)
		return err;
	if (err != ERR_OK) {
		ret->reason''', '''	if (err == ERR_NOMEM)
		return err;
	if (err == ERR_DENIED) {
		say(ret, DKIM_PASS, "");
		return ERR_OK;
	}
	if (err != ERR_OK) {
		ret->reason'''),
    ('rsa-sha1 is taken for rsa-sha256', 'signature.c', 'if (bytes_eq(sig->algorithm, BYTES_LIT("rsa-sha1")))', 'if (false)',
     '!bytes_eq(sig->algorithm, BYTES_LIT("rsa-sha256")))', '!bytes_starts(sig->algorithm, BYTES_LIT("rsa-sha")))'),
    ('a key for another service is taken', 'dkim_key.c', 'if (!allows(&tags, "s", BYTES_LIT("*")) &&', 'if (false &&'),
    ('a key for another hash is taken', 'dkim_key.c', 'if (!allows(&tags, "h", BYTES_LIT("sha256")))', 'if (false)'),
    ('t=s is ignored', 'dkim_key.c', 'ret_key->strict = tag_has', 'ret_key->strict = false && tag_has'),
    ('a key of another version is taken', 'dkim_key.c', '!bytes_eq(version->value, BYTES_LIT("DKIM1"))', '!bytes_starts(version->value, BYTES_LIT("DKIM"))'),
    ('v= of a key may come later', 'dkim_key.c', 'version != tags.items ||', ''),
    ('k= is not compared with a=', 'signature.c', 'if (key.type != signature->type) {', 'if (false) {'),
    ('an RSA key of 768 bits is taken', 'crypto.h', '#define CRYPTO_RSA_MIN       1024', '#define CRYPTO_RSA_MIN       768'),
    ('an Ed25519 key of 33 bytes is taken', 'crypto.c', 'if (data.len != ED25519_LEN)', 'if (data.len < ED25519_LEN)', '"ED25519", NULL, data.ptr, data.len);', '"ED25519", NULL, data.ptr, ED25519_LEN);'),
    ('an RSA key may have more behind it', 'crypto.c', '!cursor_end(&outer) || ', ''),
    ('only the first key record is tried', 'signature.c', 'i < answer->n_records && used', 'i < 1 && used'),
    ('blanks before the colon are not allowed for', '../mail/header.c', '''	while (len > 0 && ascii_is_blank(line.ptr[len - 1]))
		len--;
''', ''),
    ('a signature may be signed by itself', 'canon.c', '''		if (*next < name->count && name->fields[*next] == skip)
			++*next;
''', ''),
    ('ARC: a gap in the instances', 'arc.c', '''		for (size_t kind = 0; kind < ARRAY_LEN(kinds); kind++)
			if (*place(set, (enum kind)kind) == SIZE_MAX)''', '''		if (set->results == SIZE_MAX && set->signature == SIZE_MAX && set->seal == SIZE_MAX)
			continue;
		for (size_t kind = 0; kind < ARRAY_LEN(kinds); kind++)
			if (*place(set, (enum kind)kind) == SIZE_MAX)''', '''		wants[i] = ''', '''		if (arc->sets[i].seal == SIZE_MAX)
			continue;
		wants[i] = ''', '''		struct arc_check *check = &arc->checks[i];
		canon_field''', '''		struct arc_check *check = &arc->checks[i];
		if (set->seal == SIZE_MAX)
			continue;
		canon_field''', '''		TRY(check(arc, i, SEAL, host, &verdict));''', '''		if (arc->sets[i - 1].seal == SIZE_MAX)
			continue;
		TRY(check(arc, i, SEAL, host, &verdict));'''),
    ('ARC: cv=fail passes', 'arc.c', 'if (newest && bytes_eq(newest->seal.cv, BYTES_LIT("fail"))) {', 'if (newest && false) {',
     '!bytes_eq(checks[i - 1].seal.cv, i', '!bytes_eq(checks[i - 1].seal.cv, BYTES_LIT("fail")) && !bytes_eq(checks[i - 1].seal.cv, i'),
    ('ARC: cv= of the first set is not checked', 'arc.c', 'i == 1 ? BYTES_LIT("none") : BYTES_LIT("pass")))', 'i == 1 ? checks[i - 1].seal.cv : BYTES_LIT("pass")))'),
    ('ARC: cv= of later sets is not checked', 'arc.c', 'i == 1 ? BYTES_LIT("none") : BYTES_LIT("pass")))', 'i == 1 ? BYTES_LIT("none") : checks[i - 1].seal.cv))'),
    ('ARC: a field may be there twice', 'arc.c', 'fail(arc, "%s: instance %u is there twice", kinds[kind].name, instance);', ';'),
    ('ARC: the body is not checked', 'arc.c', 'if (!arc->checks[arc->chain - 1].body_changed)', 'if (true)', 'if (kind == MESSAGE && set->body_changed', 'if (false && set->body_changed'),
    ('ARC: only the newest seal is checked', 'arc.c', 'for (unsigned i = arc->chain; i > 0; i--) {', 'for (unsigned i = arc->chain; i == arc->chain; i--) {'),
    ('ARC: the newest message signature is not checked', 'arc.c', '''	if (verdict.result != DKIM_PASS)
		return refuse(arc, MESSAGE, arc->chain, &verdict);
''', ''),
    ('ARC: a broken older message signature fails the chain', 'arc.c', '			arc->oldest_pass = i + 1;\n			break;', '			return refuse(arc, MESSAGE, i, &verdict);'),
    ('ARC: a seal may have h=', 'signature.c', 'return !tag || broken(reader, tag, "a seal may have no h=");', 'return true;'),
    ('ARC: h= may hold ARC-Seal', 'signature.c', 'bytes_eq(lower, BYTES_LIT("arc-seal")))', 'false)'),
    ('ARC: the seal is hashed in another order', 'arc.c', '''		canon_field_hash(hash, CANON_RELAXED, fields[set->results].raw);
		canon_field_hash(hash, CANON_RELAXED, fields[set->signature].raw);''', '''		canon_field_hash(hash, CANON_RELAXED, fields[set->signature].raw);
		canon_field_hash(hash, CANON_RELAXED, fields[set->results].raw);'''),
]
SPF = [
    ('include matches by softfail', 'spf.c', 'if (code != SPF_PASS)', 'if (code != SPF_PASS && code != SPF_SOFTFAIL)'),
    ('redirect keeps the first exp=', 'spf.c', '	*from = *top(c);', '	top(c)->record.exp = from->record.exp;\n	*from = *top(c);'),
    ('three terms may be void', 'spf.h', '#define SPF_VOID_MAX    2', '#define SPF_VOID_MAX    3'),
    ('eleven terms may ask', 'spf.h', '#define SPF_LOOKUPS_MAX 10', '#define SPF_LOOKUPS_MAX 11'),
    ('nine names of MX and PTR', 'spf.h', '#define SPF_NAMES_MAX   10', '#define SPF_NAMES_MAX   9'),
    ('names of an address are believed', 'spf.c', 'if (holds_client(c, addresses[i], 32, 128))', 'if (true)'),
    ('ptr matches by a part of a label', 'spf.c', "(name.len == domain.len || name.ptr[name.len - domain.len - 1] == '.')", 'true'),
    ('prefixes are rounded down to bytes', 'spf.c', 'return bits % 8 == 0 || (a[whole] ^ b[whole]) >> (8 - bits % 8) == 0;', 'return true;'),
    ('exists asks for AAAA', 'spf.c', 'term->kind == SPF_EXISTS ? DNS_A : address_type(c)', 'address_type(c)'),
    ('ip6 matches IPv4', 'spf.c', '!c->v4 && prefix_eq(term.ip,', 'prefix_eq(term.ip,'),
    ('a takes a failure for no address', 'spf.c', "		return stop_failed(c, term, type, name, answer);", '		return NEXT;'),
    ('of two records the last is taken', 'spf.c', 'if (found > 1)', 'if (found > 2)'),
    ('a text that is there twice explains', 'spf.c', 'answer->n_records != 1', 'answer->n_records < 1'),
    ('no local part is not postmaster', 'spf.c', 'BYTES_LIT("postmaster")', 'BYTES_LIT("")'),
    ('%{p} is the first name', 'spf.c', 'if (is_within(c->names[i], c->values.domain))', 'if (false)'),
    ('an error behind a match is not seen', 'spf_record.c', 'TRY(spf_term_next(text, &at, &term, reterr));', 'if (spf_term_next(text, &at, &term, reterr) != ERR_OK)\n			break;'),
    ('exp= may be there twice', 'spf_record.c', 'if (once->kind != SPF_END)', 'if (false)'),
    ('v=spf10 is a record', 'spf_record.c', "text.ptr[sizeof(VERSION) - 1] == ' '", 'true'),
    ('a prefix may begin with 0', 'spf_record.c', " || (digits.len > 1 && digits.ptr[0] == '0'))", ')'),
    ('a qualifier before a modifier', 'spf_record.c', 'if (qualified)', 'if (false)'),
    ('r does not turn parts round', 'spf_macro.c', 'ret_piece->reverse = true;', 'ret_piece->reverse = false;'),
    ('parts are kept from the left', 'spf_macro.c', 'for (size_t skip = parts - keep; skip > 0; from++)', 'for (size_t skip = 0; skip > 0; from++)'),
    ('upper case does not escape', 'spf_macro.c', 'ret_piece->escape = ascii_is_upper(text.ptr[at]);', 'ret_piece->escape = false;'),
    ('~ is escaped', 'spf_macro.c', 'BYTES_LIT("-._~")', 'BYTES_LIT("-._")'),
    ('dots alone part', 'spf_macro.c', 'piece->delimiters.len > 0 ? piece->delimiters : BYTES_LIT(".")', 'BYTES_LIT(".")'),
    ('no part may be kept', 'spf_macro.c', 'if (err != ERR_SYNTAX && ret_piece->keep == 0)', 'if (false)'),
    ('digits are a top label', 'spf_macro.c', 'return alpha || dash;', 'return true;'),
    ('%{c} may stand in a domain', 'spf_macro.c', 'bytes_has(BYTES_LIT("crt"), piece.letter)', 'false'),
    ('a long name is not cut', 'spf_macro.c', 'while (name.len > DNS_NAME_MAX) {', 'while (name.len > 2 * DNS_NAME_MAX) {'),
    ('%- is a space', 'spf_macro.c', 'BYTES_LIT("%20")', 'BYTES_LIT(" ")'),
    ('a local part outside ASCII is expanded', 'spf_macro.c', "(piece.letter == 's' || piece.letter == 'l') && !utf8_is_ascii(value)", 'false && utf8_is_ascii(value)'),
]
DMARC = [
    ('strict is relaxed', 'dmarc.c', 'if (strict)', 'if (false)'),
    ('relaxed is strict', 'dmarc.c', 'if (strict)', 'if (true)'),
    ('what failed is aligned', 'dmarc.c', 'if (!identifier->passed && !identifier->temporary)', 'if (false)',
     'outcome->passed = identifier->passed;', 'outcome->passed = true;'),
    ('sp= is ignored', 'dmarc.c', 'if (record->sp != DMARC_POLICY_ABSENT) {', 'if (false) {'),
    ('sp= counts for the domain itself', 'dmarc.c', 'if (bytes_eq(source->domain, result->domain))', 'if (false)'),
    ('np= is for names that exist', 'dmarc.c', 'answer->state == DNS_NO_NAME ? EXISTS_NOT : EXISTS', 'answer->state == DNS_NO_NAME ? EXISTS : EXISTS_NOT'),
    ('of two records the last counts', 'dmarc.c', 'lookup->state == LOOKUP_NONE ? LOOKUP_FOUND : LOOKUP_SEVERAL', 'LOOKUP_FOUND'),
    ('psd=n does not end the walk', 'dmarc.c', 'if (lookup->record.psd != DMARC_PSD_U)', 'if (lookup->record.psd == DMARC_PSD_Y)'),
    ('psd=y is an organization', 'dmarc.c', 'if (lookup->record.psd == DMARC_PSD_Y && step > 0)', 'if (false)'),
    ('the walk has nine steps', 'dmarc.h', '#define DMARC_STEPS_MAX   8', '#define DMARC_STEPS_MAX   9'),
    ('the first record of the walk is the organization', 'dmarc.c', '			top = lookup;', '			top = top ? top : lookup;'),
    ('a record on the way counts as a policy', 'dmarc.c', 'walk.upper = top && bytes_eq(top->domain, walk.organizational) ? top : suffix;', 'walk.upper = top ? top : suffix;'),
    ('t=y does not lower', 'dmarc.c', 'record->testing || (judge', 'false || (judge'),
    ('t=y lowers to none', 'dmarc.c', 'policy == DMARC_POLICY_REJECT ? DMARC_POLICY_QUARANTINE : DMARC_POLICY_NONE', 'DMARC_POLICY_NONE'),
    ('pct=0 does not lower', 'dmarc.c', 'judge->mode == DMARC_RFC7489 && record->pct == 0', 'false'),
    ('a policy in error is none without rua=', 'dmarc.c', 'if (source->record.unusable) {', 'if (false) {'),
]
MISTAKES = {'dkim': DKIM, 'spf': SPF, 'dmarc': DMARC}
TESTS = {'dkim': ('dkim_differential.py', 'signature_driver'), 'spf': ('spf_differential.py', 'world_driver'),
         'dmarc': ('dmarc_differential.py', 'world_driver')}


def run(folder, test):
    """After how many messages the test found a difference that nothing explains; 0 for never."""
    script, driver = TESTS[test]
    built = subprocess.run(['ninja', '-C', os.path.join(folder, 'build'), '-j2', f'test/conform/{driver}'], capture_output=True,
                           text=True, check=False)
    if built.returncode:
        sys.exit(built.stdout[-3000:])
    done = subprocess.run([sys.executable, os.path.join(folder, 'test/conform', script),
                           os.path.join(folder, 'build/test/conform', driver)], capture_output=True, text=True, check=False,
                          env={**os.environ, 'POSTERN_DIFFERENTIAL': COUNT, 'POSTERN_DIFFERENTIAL_FIRST': '1'})
    found = re.search(r'(\d+) messages|(\d+) worlds', done.stdout)
    if not found:
        return (done.stderr or done.stdout)[-200:].strip().replace('\n', ' ')
    return int(found[1] or found[2]) if done.returncode else 0


def main():
    folder, test, words = sys.argv[1], (sys.argv[2:] or ['dkim'])[0], sys.argv[3:]
    folder = os.path.join(folder, 'copy')
    shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns('build*', '.git'), dirs_exist_ok=True,
                    copy_function=shutil.copy)  # with a time of now, so that what an ended run left is built anew
    if not os.path.exists(os.path.join(folder, 'build')):
        subprocess.run(['meson', 'setup', os.path.join(folder, 'build'), folder, '-Dbuildtype=release'], check=True,
                       stdout=subprocess.DEVNULL)
    missed = 0
    for name, file, *changes in [('none', None)] + MISTAKES[test]:
        if words and file and not any(word in name for word in words):
            continue
        if file:
            path = os.path.join(folder, 'src/auth', file)
            with open(path, encoding='utf-8') as source:
                before = text = source.read()
            pairs = list(zip(changes[::2], changes[1::2]))
            if any(text.count(old) != 1 for old, _ in pairs):
                print(f'STALE {name}: {file} has changed', flush=True)
                missed += 1
                continue
            for old, new in pairs:
                text = text.replace(old, new)
            with open(path, 'w', encoding='utf-8') as source:
                source.write(text)
        found = run(folder, test)
        if file:
            with open(path, 'w', encoding='utf-8') as source:
                source.write(before)
        good = (found == 0) == (not file)
        missed += not good
        print(f"{'' if good else 'MISSED '}{name}: {f'seen after {found}' if found else 'nothing seen'}", flush=True)
    print(f'{missed} missed or stale')
    return 1 if missed else 0


if __name__ == '__main__':
    sys.exit(main())
