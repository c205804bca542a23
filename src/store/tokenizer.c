/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The words of a text, as the index knows them: folded by NFKC_Casefold, runs of letters and digits as one word, runs
 * of Han, kana and hangul as overlapping pairs, so that a word of two characters is found inside a longer one. The only
 * file that knows ICU in store/.
 */
#include <unicode/uchar.h>
#include <unicode/unorm2.h>
#include <unicode/uscript.h>
#include <unicode/ustring.h>

#include "base/ascii.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "store/private.h"

#include "base/banned.h"

#define WORD_MAX 64 /* bytes; longer words are cut, here and in queries alike */

static bool is_cjk(uint32_t code)
{
	if (code < 0x1100)
		return false;
	UErrorCode status = U_ZERO_ERROR;
	UScriptCode script = uscript_getScript((UChar32)code, &status);
	/* The long-vowel mark and the iteration marks are of no one script, and part of Japanese words. */
	return script == USCRIPT_HAN || script == USCRIPT_HIRAGANA || script == USCRIPT_KATAKANA ||
	       script == USCRIPT_HANGUL || script == USCRIPT_BOPOMOFO || code == 0x30fc || code == 0x3005;
}

struct state {
	int (*word)(void *ctx, struct bytes token);
	void *ctx;
	int rc;
	uint8_t run[WORD_MAX + 4];
	size_t run_len;
	uint8_t last[4]; /* the CJK character before */
	size_t last_len;
	bool paired; /* the character before was told in a pair */
};

static void tell(struct state *state, struct bytes token)
{
	if (state->rc == 0)
		state->rc = state->word(state->ctx, token);
}

static void end_run(struct state *state)
{
	if (state->run_len > 0)
		tell(state, bytes_make(state->run, state->run_len));
	state->run_len = 0;
	if (state->last_len > 0 && !state->paired)
		tell(state, bytes_make(state->last, state->last_len));
	state->last_len = 0;
	state->paired = false;
}

static void on_cjk(struct state *state, const uint8_t *raw, size_t len)
{
	if (state->run_len > 0)
		end_run(state);
	if (state->last_len > 0) {
		uint8_t pair[8];
		memcpy(pair, state->last, state->last_len);
		memcpy(pair + state->last_len, raw, len);
		tell(state, bytes_make(pair, state->last_len + len));
		state->paired = true;
	}
	memcpy(state->last, raw, len);
	state->last_len = len;
}

static void on_code(struct state *state, uint32_t code)
{
	uint8_t raw[4];
	if (code < 0x80 ? !ascii_is_alnum(code) : !u_isalnum((UChar32)code) && !is_cjk(code)) {
		end_run(state);
		return;
	}
	size_t len = utf8_encode(code, raw);
	if (is_cjk(code)) {
		on_cjk(state, raw, len);
		return;
	}
	if (state->last_len > 0)
		end_run(state);
	if (state->run_len + len <= WORD_MAX) {
		memcpy(state->run + state->run_len, raw, len);
		state->run_len += len;
	}
}

static void tokenize_ascii(struct state *state, struct bytes text)
{
	for (size_t i = 0; i < text.len && state->rc == 0; i++)
		on_code(state, ascii_lower(text.ptr[i]));
}

static void tell_wide(struct state *state, const UChar *text, int32_t n)
{
	for (int32_t i = 0; i < n && state->rc == 0;) {
		uint32_t code = text[i++];
		if (U16_IS_LEAD(code) && i < n && U16_IS_TRAIL(text[i]))
			code = (uint32_t)U16_GET_SUPPLEMENTARY(code, text[i++]);
		on_code(state, code);
	}
}

/* NFKC_Casefold over UTF-16, which is what ICU folds. One character may become 18 (U+FDFA): so it is asked how many. */
static bool tokenize_folded(struct state *state, struct bytes text)
{
	UErrorCode status = U_ZERO_ERROR;
	const UNormalizer2 *folder = unorm2_getNFKCCasefoldInstance(&status);
	int32_t room = (int32_t)text.len + 1, len = 0, folded_room = 2 * room;
	UChar *wide = mem_calloc((size_t)room, sizeof(UChar));
	UChar *folded = mem_calloc((size_t)folded_room, sizeof(UChar));
	bool good = wide && folded && U_SUCCESS(status);
	if (good) {
		(void)u_strFromUTF8WithSub(wide, room, &len, (const char *)text.ptr, (int32_t)text.len, 0xfffd, NULL,
					   &status);
		int32_t n = unorm2_normalize(folder, wide, len, folded, folded_room, &status);
		if (status == U_BUFFER_OVERFLOW_ERROR) {
			status = U_ZERO_ERROR;
			folded_room = n + 1;
			mem_free(folded);
			folded = mem_calloc((size_t)folded_room, sizeof(UChar));
			n = folded ? unorm2_normalize(folder, wide, len, folded, folded_room, &status) : 0;
		}
		good = folded && U_SUCCESS(status);
		if (good)
			tell_wide(state, folded, n);
	}
	mem_free(wide);
	mem_free(folded);
	return good;
}

bool store_tokenize(struct bytes text, int (*word)(void *ctx, struct bytes token), void *ctx)
{
	struct state state = {.word = word, .ctx = ctx};
	bool good = true;
	text = utf8_prefix(text, STORE_TEXT_MAX);
	if (utf8_is_ascii(text))
		tokenize_ascii(&state, text);
	else
		good = tokenize_folded(&state, text);
	end_run(&state);
	return good && state.rc == 0;
}

/* -- As a tokenizer of FTS5 ---- */

struct fts_call {
	void *ctx;
	int (*token)(void *ctx, int flags, const char *text, int len, int begin, int end);
	int length;
};

static int on_word(void *ctx, struct bytes token)
{
	struct fts_call *call = ctx;
	/* Offsets are for highlighting, which is not done. */
	return call->token(call->ctx, 0, (const char *)token.ptr, (int)token.len, 0, call->length);
}

static int fts_tokenize(Fts5Tokenizer *tokenizer, void *ctx, int flags, const char *text, int len,
			int (*token)(void *ctx, int flags, const char *text, int len, int begin, int end))
{
	struct fts_call call = {ctx, token, len};
	(void)tokenizer;
	(void)flags;
	return store_tokenize(bytes_make(text, (size_t)len), on_word, &call) ? SQLITE_OK : SQLITE_NOMEM;
}

static int fts_create(void *ctx, const char **args, int n_args, Fts5Tokenizer **ret)
{
	static int one; /* it keeps nothing */
	(void)ctx;
	(void)args;
	(void)n_args;
	*ret = (Fts5Tokenizer *)&one;
	return SQLITE_OK;
}

static void fts_delete(Fts5Tokenizer *tokenizer)
{
	(void)tokenizer;
}

static int warm_up(void *ctx, struct bytes token)
{
	(void)ctx;
	(void)token;
	return 0;
}

enum err store_tokenizer_register(sqlite3 *db)
{
	fts5_api *api = NULL;
	sqlite3_stmt *statement = NULL;
	fts5_tokenizer tokenizer = {fts_create, fts_delete, fts_tokenize};
	if (sqlite3_prepare_v2(db, "SELECT fts5(?1)", -1, &statement, NULL) != SQLITE_OK)
		return ERR_UNSUPPORTED;
	(void)sqlite3_bind_pointer(statement, 1, &api, "fts5_api_ptr", NULL);
	(void)sqlite3_step(statement);
	(void)sqlite3_finalize(statement);
	if (!api || api->xCreateTokenizer(api, "postern", NULL, &tokenizer, NULL) != SQLITE_OK)
		return ERR_UNSUPPORTED;
	/* ICU reads its tables now, before any sandbox. */
	(void)store_tokenize(BYTES_LIT("\xe8\xab\x8b\xe6\xb1\x82"), warm_up, NULL);
	return ERR_OK;
}
