/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/keys.h"

#include <errno.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "sys/file.h"

#include "base/banned.h"

#define SECRET_MAX ((size_t)64 << 10)

static enum err failed(struct error *reterr, enum err err, const char *path)
{
	return error_set(reterr, err, 0, "%.100s: %s", path ? path : "keys",
			 err == ERR_IO && errno ? strerror(errno) : err_name(err));
}

const char *keys_index_path(struct arena *arena, struct bytes state_dir)
{
	return (const char *)arena_printf(arena, "%.*s/keys/index", BYTES_FMT(state_dir)).ptr;
}

const char *keys_secret_path(struct arena *arena, struct bytes state_dir, const struct keyring_key *key)
{
	return (const char *)arena_printf(arena, "%.*s/keys/%.*s/%.*s.pem", BYTES_FMT(state_dir),
					  BYTES_FMT(key->domain), BYTES_FMT(key->selector))
		.ptr;
}

enum err keys_read_index(struct arena *arena, struct bytes state_dir, struct bytes *ret_text, struct error *reterr)
{
	const char *path = keys_index_path(arena, state_dir);
	*ret_text = (struct bytes){0};
	errno = 0;
	enum err err = path ? file_read(arena, path, KEYRING_TEXT_MAX, ret_text) : ERR_NOMEM;
	return err == ERR_OK || (err == ERR_IO && errno == ENOENT) ? ERR_OK : failed(reterr, err, path);
}

enum err keys_read(struct arena *arena, struct bytes state_dir, struct keyring *ret_ring, struct error *reterr)
{
	struct bytes text;
	struct error why;
	*ret_ring = (struct keyring){0};
	TRY(keys_read_index(arena, state_dir, &text, reterr));
	enum err err = keyring_parse(arena, text, ret_ring, &why);
	return err == ERR_OK ? ERR_OK
			     : error_set(reterr, err, why.at, "%.*s/keys/index: %.70s",
					 BYTES_FMT(bytes_sub(state_dir, 0, 60)), why.text);
}

enum err keys_write(struct arena *arena, struct bytes state_dir, const struct keyring *ring, struct error *reterr)
{
	CLEANUP(buf_done) struct buf buf = BUF_INIT(KEYRING_TEXT_MAX);
	const char *path = keys_index_path(arena, state_dir);
	keyring_write(&buf, ring);
	enum err err = path ? buf_err(&buf) : ERR_NOMEM;
	errno = 0;
	if (err == ERR_OK)
		err = file_write_atomic(path, buf_bytes(&buf), 0600);
	return err == ERR_OK ? ERR_OK : failed(reterr, err, path);
}

enum err keys_read_secret(struct bytes state_dir, const struct keyring_key *key, struct crypto_key **ret_key,
			  struct error *reterr)
{
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	const char *path = arena ? keys_secret_path(arena, state_dir, key) : NULL;
	struct bytes pem = {0};
	struct error why = {0};
	*ret_key = NULL;
	errno = 0;
	enum err err = path ? file_read(arena, path, SECRET_MAX, &pem) : ERR_NOMEM;
	if (err != ERR_OK)
		return failed(reterr, err, path);
	err = crypto_key_read_pem(pem, ret_key, &why);
	crypto_wipe((void *)(uintptr_t)pem.ptr, pem.len);
	if (err != ERR_OK)
		return error_set(reterr, err, 0, "%.90s: %.60s", path, why.text);
	if (crypto_key_type(*ret_key) == key->type)
		return ERR_OK;
	crypto_key_free(ret_key);
	return error_set(reterr, ERR_SYNTAX, 0, "%.90s: another type of key than the index says", path);
}

enum err keys_write_secret(struct arena *arena, struct bytes state_dir, const struct keyring_key *key,
			   const struct crypto_key *secret, struct error *reterr)
{
	const char *path = keys_secret_path(arena, state_dir, key);
	uint8_t pem[CRYPTO_PEM_MAX];
	size_t len;
	if (!path)
		return failed(reterr, ERR_NOMEM, path);
	const char *const folders[] = {
		arena_cstr(arena, state_dir), (const char *)arena_printf(arena, "%.*s/keys", BYTES_FMT(state_dir)).ptr,
		(const char *)arena_printf(arena, "%.*s/keys/%.*s", BYTES_FMT(state_dir), BYTES_FMT(key->domain)).ptr};
	errno = 0;
	for (size_t i = 0; i < ARRAY_LEN(folders); i++)
		if (!folders[i] || file_make_folder(folders[i], 0700) != ERR_OK)
			return failed(reterr, ERR_IO, folders[i]);
	enum err err = crypto_key_write_pem(secret, pem, sizeof(pem), &len);
	if (err == ERR_OK)
		err = file_write_atomic(path, bytes_make(pem, len), 0600);
	crypto_wipe(pem, sizeof(pem));
	return err == ERR_OK ? ERR_OK : failed(reterr, err, path);
}
