/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"

#include "base/banned.h"

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

/* A pipe or device says no size: what comes, to its end. */
static enum err read_unsized(struct arena *arena, int fd, size_t max, struct bytes *ret_content)
{
	CLEANUP(buf_done) struct buf buf = BUF_INIT(max);
	for (;;) {
		uint8_t piece[4096];
		ssize_t n = read(fd, piece, sizeof(piece));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return ERR_IO;
		if (n == 0)
			break;
		buf_add(&buf, bytes_make(piece, (size_t)n));
		TRY(buf_err(&buf));
	}
	uint8_t *data = arena_alloc_raw(arena, buf.len + 1);
	if (!data)
		return ERR_NOMEM;
	if (buf.len > 0)
		memcpy(data, buf.ptr, buf.len);
	*ret_content = bytes_make(data, buf.len);
	return ERR_OK;
}

static enum err read_up_to(struct arena *arena, int fd, size_t max, struct bytes *ret_content)
{
	struct stat st;
	if (fstat(fd, &st) != 0)
		return ERR_IO;
	if (!S_ISREG(st.st_mode))
		return read_unsized(arena, fd, max, ret_content);
	if (st.st_size < 0 || (uint64_t)st.st_size > max)
		return ERR_LIMIT;
	size_t size = (size_t)st.st_size, got = 0;
	uint8_t *data = arena_alloc_raw(arena, size + 1);
	if (!data)
		return ERR_NOMEM;
	while (got < size) {
		ssize_t n = read(fd, data + got, size - got);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return ERR_IO;
		if (n == 0)
			break;
		got += (size_t)n;
	}
	*ret_content = bytes_make(data, got);
	return ERR_OK;
}

enum err file_read(struct arena *arena, const char *path, size_t max, struct bytes *ret_content)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return ERR_IO;
	enum err err = read_up_to(arena, fd, max, ret_content);
	int kept = errno;
	(void)close(fd);
	errno = kept;
	return err;
}

enum err file_write_all(int fd, struct bytes data)
{
	while (data.len > 0) {
		ssize_t n = write(fd, data.ptr, data.len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return ERR_IO;
		data = bytes_from(data, (size_t)n);
	}
	return ERR_OK;
}

enum err file_sync_folder_of(const char *path)
{
	char folder[4096];
	size_t slash = bytes_rfind_byte(bytes_from_cstr(path), '/');
	(void)snprintf(folder, sizeof(folder), "%.*s",
		       slash == BYTES_NONE ? 1
		       : slash == 0        ? 1
					   : (int)slash,
		       slash == BYTES_NONE ? "." : path);
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return ERR_IO;
	int rc = fsync(fd);
	(void)close(fd);
	return rc == 0 ? ERR_OK : ERR_IO;
}

enum err file_write_atomic(const char *path, struct bytes content, unsigned mode)
{
	char temporary[4096];
	int len = snprintf(temporary, sizeof(temporary), "%s.%d.new", path, (int)getpid());
	if (len < 0 || (size_t)len >= sizeof(temporary)) {
		errno = ENAMETOOLONG;
		return ERR_IO;
	}
	/*
	 * Root writes into folders of the user that the daemons are: what lies there under this name already may be a
	 * link to anywhere, so it is removed and never opened.
	 */
	const int how = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	int fd = open(temporary, how, (mode_t)mode);
	if (fd < 0 && errno == EEXIST && unlink(temporary) == 0)
		fd = open(temporary, how, (mode_t)mode);
	if (fd < 0)
		return ERR_IO;
	enum err err = file_write_all(fd, content);
	if (err == ERR_OK && fchmod(fd, (mode_t)mode) != 0)
		err = ERR_IO;
	if (err == ERR_OK && fsync(fd) != 0)
		err = ERR_IO;
	if (close(fd) != 0 && err == ERR_OK)
		err = ERR_IO;
	if (err == ERR_OK && rename(temporary, path) != 0)
		err = ERR_IO;
	if (err != ERR_OK) {
		int kept = errno;
		(void)unlink(temporary);
		errno = kept;
		return err;
	}
	return file_sync_folder_of(path);
}

enum err file_make_folder(const char *path, unsigned mode)
{
	char part[4096];
	struct stat st;
	size_t len = strlen(path);
	if (len == 0 || len >= sizeof(part)) {
		errno = ENAMETOOLONG;
		return ERR_IO;
	}
	for (size_t i = 1; i <= len; i++) {
		if (i < len && path[i] != '/')
			continue;
		memcpy(part, path, i);
		part[i] = '\0';
		if (mkdir(part, i == len ? (mode_t)mode : 0755) != 0 && errno != EEXIST)
			return ERR_IO;
	}
	if (stat(path, &st) != 0)
		return ERR_IO;
	if (!S_ISDIR(st.st_mode)) {
		errno = ENOTDIR;
		return ERR_IO;
	}
	return ERR_OK;
}

enum err memfd_new(int *ret_fd)
{
	int fd = memfd_create("message", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return errno == EMFILE || errno == ENFILE ? ERR_LIMIT : ERR_IO;
	*ret_fd = fd;
	return ERR_OK;
}

enum err memfd_seal(int fd)
{
	return fcntl(fd, F_ADD_SEALS, SEALS | F_SEAL_SEAL) == 0 ? ERR_OK : ERR_IO;
}

static enum err map_file(int fd, size_t size, int flags, struct bytes *ret_content)
{
	struct stat st;
	int seals = fcntl(fd, F_GET_SEALS);
	if (seals < 0 || (seals & SEALS) != SEALS)
		return ERR_DENIED;
	if (fstat(fd, &st) != 0 || st.st_size < 0 || (size_t)st.st_size != size)
		return ERR_LIMIT;
	if (size == 0) {
		*ret_content = (struct bytes){0};
		return ERR_OK;
	}
	void *map = mmap(NULL, size, PROT_READ, MAP_PRIVATE | flags, fd, 0);
	if (map == MAP_FAILED)
		return ERR_NOMEM;
	*ret_content = bytes_make(map, size);
	return ERR_OK;
}

enum err memfd_map(int fd, size_t size, struct bytes *ret_content)
{
	return map_file(fd, size, MAP_POPULATE, ret_content);
}

enum err memfd_map_lazily(int fd, size_t size, struct bytes *ret_content)
{
	return map_file(fd, size, 0, ret_content);
}

void memfd_unmap(struct bytes content)
{
	union {
		const uint8_t *in;
		void *out;
	} memory = {.in = content.ptr};
	if (content.len > 0)
		(void)munmap(memory.out, content.len);
}
