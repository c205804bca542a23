/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/sources.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/escape.h"
#include "base/num.h"

#include "base/banned.h"

#define DEPTH_MAX 100 /* folders in folders; links are not followed, so this is only against the absurd */

static void complain(struct source_list *list, const char *file, const char *why)
{
	CLEANUP(buf_done) struct buf shown = BUF_INIT(65536);
	escape_plain(&shown, bytes_from_cstr(file));
	(void)fprintf(stderr, "postern: %.*s: %s\n", BYTES_FMT(buf_bytes(&shown)), why);
	list->failed = true;
}

static enum err add(struct arena *arena, struct source_list *list, const char *file)
{
	struct source *grown = arena_grow(arena, list->items, &list->capacity, list->count, sizeof(*grown));
	char *kept = arena_cstr(arena, bytes_from_cstr(file));
	if (!grown || !kept)
		return ERR_NOMEM;
	list->items = grown;
	grown[list->count++] = (struct source){kept, bytes_from_cstr(kept)};
	return ERR_OK;
}

/* Folders still to be read, and where the names found so far lie. */
struct walk {
	struct arena *arena;
	char **folders;
	size_t count, capacity;
	size_t hidden, links, special; /* skipped */
};

static enum err push_folder(struct walk *walk, const char *path)
{
	char **grown = arena_grow(walk->arena, walk->folders, &walk->capacity, walk->count, sizeof(*grown));
	char *kept = arena_cstr(walk->arena, bytes_from_cstr(path));
	if (!grown || !kept)
		return ERR_NOMEM;
	walk->folders = grown;
	grown[walk->count++] = kept;
	return ERR_OK;
}

static size_t slashes(const char *path)
{
	size_t n = 0;
	for (; *path; path++)
		n += *path == '/';
	return n;
}

static enum err read_folder(struct walk *walk, const char *folder, size_t depth_max, struct source_list *list)
{
	DIR *dir = opendir(folder);
	if (!dir) {
		complain(list, folder, strerror(errno));
		return ERR_OK;
	}
	enum err err = ERR_OK;
	for (struct dirent *entry; err == ERR_OK && (entry = readdir(dir)) != NULL;) {
		struct stat st;
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (entry->d_name[0] == '.') { /* Maildir++ folders come by their own argument */
			walk->hidden++;
			continue;
		}
		struct bytes path = arena_printf(walk->arena, "%s/%s", folder, entry->d_name);
		if (!path.ptr) {
			err = ERR_NOMEM;
			break;
		}
		const char *name = (const char *)path.ptr;
		if (lstat(name, &st) != 0)
			complain(list, name, strerror(errno));
		else if (S_ISDIR(st.st_mode) && slashes(name) > depth_max)
			complain(list, name, "folders are nested too deep");
		else if (S_ISDIR(st.st_mode))
			err = push_folder(walk, name);
		else if (S_ISREG(st.st_mode))
			err = add(walk->arena, list, name);
		else if (S_ISLNK(st.st_mode))
			walk->links++; /* it might lead round in circles, or out of here */
		else
			walk->special++;
	}
	(void)closedir(dir);
	return err;
}

/* Nobody should take for clean what was not looked at. */
static void say_skipped(const struct walk *walk, const char *folder)
{
	CLEANUP(buf_done) struct buf shown = BUF_INIT(65536);
	const struct {
		const char *what;
		size_t count;
	} kinds[] = {{"hidden names", walk->hidden},
		     {"symbolic links", walk->links},
		     {"neither files nor folders", walk->special}};
	const char *before = "skipped";
	if (walk->hidden + walk->links + walk->special == 0)
		return;
	escape_plain(&shown, bytes_from_cstr(folder));
	buf_add_cstr(&shown, ": ");
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (kinds[i].count == 0)
			continue;
		buf_printf(&shown, "%s %zu (%s)", before, kinds[i].count, kinds[i].what);
		before = ",";
	}
	(void)fprintf(stderr, "postern: %.*s\n", BYTES_FMT(buf_bytes(&shown)));
}

static int by_path(const void *left, const void *right)
{
	return bytes_cmp(((const struct source *)left)->path, ((const struct source *)right)->path);
}

static enum err add_folder(struct arena *arena, const char *folder, struct source_list *list)
{
	struct walk walk = {.arena = arena};
	size_t first = list->count;
	size_t depth_max = slashes(folder) + DEPTH_MAX;
	size_t len = strlen(folder);
	/* "folder/" is shown as "folder" + "/" + path. */
	while (len > 1 && folder[len - 1] == '/')
		len--;
	char *trimmed = arena_cstr(arena, bytes_make(folder, len));
	if (!trimmed)
		return ERR_NOMEM;
	TRY(push_folder(&walk, trimmed));
	while (walk.count > 0) {
		const char *next = walk.folders[--walk.count];
		TRY(read_folder(&walk, next, depth_max, list));
	}
	say_skipped(&walk, trimmed);
	if (list->count > first)
		qsort(list->items + first, list->count - first, sizeof(list->items[0]), by_path);
	return ERR_OK;
}

enum err sources_expand(struct arena *arena, char **paths, size_t n, struct source_list *ret_list)
{
	*ret_list = (struct source_list){0};
	for (size_t i = 0; i < n; i++) {
		struct stat st;
		if (strcmp(paths[i], "-") == 0)
			TRY(add(arena, ret_list, "-"));
		else if (stat(paths[i], &st) != 0)
			complain(ret_list, paths[i], strerror(errno));
		else if (S_ISDIR(st.st_mode))
			TRY(add_folder(arena, paths[i], ret_list));
		else
			TRY(add(arena, ret_list, paths[i]));
	}
	return ERR_OK;
}

/* -- Files ---- */

static enum err read_all(int fd, struct source_file *ret_file)
{
	CLEANUP(buf_done) struct buf buf = BUF_INIT(SOURCE_MAX_BYTES);
	for (;;) {
		uint8_t *room = buf_reserve(&buf, 65536);
		if (!room)
			return buf_err(&buf);
		ssize_t got = read(fd, room, 65536);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return ERR_IO;
		if (got == 0)
			break;
		buf_commit(&buf, (size_t)got);
	}
	ret_file->content = buf_bytes(&buf);
	buf.ptr = NULL; /* moved */
	return ERR_OK;
}

enum err source_open(const struct source *source, struct source_file *ret_file)
{
	bool standard_input = strcmp(source->file, "-") == 0;
	int fd = standard_input ? STDIN_FILENO : open(source->file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	struct stat st;
	enum err err = ERR_OK;
	*ret_file = (struct source_file){0};
	if (fd < 0 || fstat(fd, &st) != 0) {
		err = ERR_IO;
	} else if (S_ISREG(st.st_mode) && (uint64_t)st.st_size > SOURCE_MAX_BYTES) {
		err = ERR_LIMIT;
	} else if (S_ISREG(st.st_mode) && st.st_size > 0 && !standard_input) {
		void *map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
		if (map != MAP_FAILED)
			*ret_file = (struct source_file){bytes_make(map, (size_t)st.st_size), true};
		else
			err = read_all(fd, ret_file);
	} else {
		err = read_all(fd, ret_file);
	}
	int kept = errno;
	if (fd > STDIN_FILENO)
		(void)close(fd);
	errno = kept;
	return err;
}

void source_close(struct source_file *file)
{
	union {
		const uint8_t *in;
		void *out;
	} memory = {.in = file->content.ptr};
	struct buf owner = {.ptr = memory.out};
	if (file->mapped)
		(void)munmap(memory.out, file->content.len);
	else
		buf_done(&owner);
	*file = (struct source_file){0};
}

/* -- mbox ---- */

/* Whether `word` is one of the three-letter words that `list` is made of. */
static bool one_of(struct bytes word, const char *list)
{
	size_t at = word.len == 3 ? bytes_find(bytes_from_cstr(list), word) : BYTES_NONE;
	return at != BYTES_NONE && at % 3 == 0;
}

/* "From " SENDER " Tue Aug  6 11:52:20 2002" with anything after it: what mail programs write, and people do not. */
static bool is_from_line(struct bytes line)
{
	struct bytes word, rest = bytes_from(line, 5);
	static const char days[] = "MonTueWedThuFriSatSun";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	if (!bytes_starts(line, BYTES_LIT("From ")))
		return false;
	bool after_day = false;
	while (bytes_split(&rest, ' ', &word)) {
		if (after_day && one_of(word, months))
			return true;
		after_day = one_of(word, days);
	}
	return false;
}

/* A field name and a colon: what follows a "From " line in an mbox. */
static bool is_field_line(struct bytes line)
{
	size_t n = 0;
	while (n < line.len && n < 80 && line.ptr[n] > ' ' && line.ptr[n] < 0x7f && line.ptr[n] != ':')
		n++;
	return n > 0 && n < line.len && line.ptr[n] == ':';
}

static struct bytes line_at(struct bytes file, size_t at)
{
	struct bytes rest = bytes_from(file, at);
	size_t end = bytes_find_byte(rest, '\n');
	return end == BYTES_NONE ? rest : bytes_sub(rest, 0, end + 1);
}

/* True when a message begins at `at` (its "From " line). */
static bool begins(struct bytes file, size_t at)
{
	struct bytes line = line_at(file, at);
	return is_from_line(bytes_chomp(line)) && is_field_line(line_at(file, at + line.len));
}

/* The next "From " line after an empty line at or after `at`; file.len when there is none. */
static size_t next_message(struct bytes file, size_t at)
{
	for (;;) {
		size_t hit = bytes_find(bytes_from(file, at), BYTES_LIT("\nFrom "));
		if (hit == BYTES_NONE)
			return file.len;
		at += hit + 1;
		bool after_empty = (at >= 2 && file.ptr[at - 2] == '\n') ||
				   (at >= 3 && file.ptr[at - 2] == '\r' && file.ptr[at - 3] == '\n');
		if (after_empty && begins(file, at))
			return at;
	}
}

bool mbox_next(struct bytes file, size_t *at, struct bytes *ret_message)
{
	if (*at >= file.len)
		return false;
	size_t end = next_message(file, *at);
	size_t first = *at + (begins(file, *at) ? line_at(file, *at).len : 0);
	struct bytes message = bytes_sub(file, first, end - first);
	/* The empty line behind each message, the last one included, belongs to the mbox. */
	if (end < file.len || bytes_ends(message, BYTES_LIT("\n\n")) || bytes_ends(message, BYTES_LIT("\n\r\n")))
		message = bytes_chomp(message);
	*ret_message = message;
	*at = end;
	return true;
}

size_t mbox_count(struct bytes file)
{
	size_t n = 0, at = 0;
	struct bytes message;
	if (file.len == 0 || !begins(file, 0))
		return 1;
	while (mbox_next(file, &at, &message))
		n++;
	return n;
}

void source_walk_init(struct source_walk *walk, const struct source *source, struct bytes file)
{
	walk->source = source;
	walk->file = file;
	walk->at = walk->number = 0;
	walk->mbox = mbox_count(file) > 1;
}

bool source_walk_next(struct source_walk *walk, struct bytes *ret_message, struct bytes *ret_path)
{
	walk->number++;
	if (!walk->mbox) {
		*ret_message = walk->file;
		*ret_path = walk->source->path;
		return walk->number == 1;
	}
	if (!mbox_next(walk->file, &walk->at, ret_message))
		return false;
	int len = snprintf(walk->path, sizeof(walk->path), "%.*s#%zu", BYTES_FMT(walk->source->path), walk->number);
	*ret_path = bytes_make(walk->path, MIN((size_t)len, sizeof(walk->path) - 1));
	return true;
}
