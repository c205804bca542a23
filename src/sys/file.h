/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * sys/file.h: files written so that a crash leaves the old one or the new one, sealed memory files for messages,
 * folders.
 */
#include "base/bytes.h"
#include "base/err.h"

struct arena;

/*
 * All of a file of at most `max` bytes, into the arena; of a pipe or device what comes up to its end. ERR_IO (errno is
 * set), ERR_LIMIT, ERR_NOMEM.
 */
NODISCARD enum err file_read(struct arena *arena, const char *path, size_t max, struct bytes *ret_content);
/*
 * Temporary file beside it, fsync, rename, fsync of the folder. The mode is exact, whatever the umask. ERR_IO with
 * errno.
 */
NODISCARD enum err file_write_atomic(const char *path, struct bytes content, unsigned mode);
/* Has the name of that file or folder last: fsync of the folder it is in. ERR_IO with errno. */
NODISCARD enum err file_sync_folder_of(const char *path);
/* Makes the folder and those above it; an existing one is fine. ERR_IO with errno. */
NODISCARD enum err file_make_folder(const char *path, unsigned mode);
NODISCARD enum err file_write_all(int fd, struct bytes data);

/* An anonymous file in memory, for one message. */
NODISCARD enum err memfd_new(int *ret_fd);
/* No more writing, growing or shrinking: what is handed out now cannot be changed behind the reader's back. */
NODISCARD enum err memfd_seal(int fd);
/*
 * Maps one that came from another process, read only: ERR_DENIED when it is not sealed, ERR_LIMIT when it is not
 * exactly `size` bytes. The mapping ends with memfd_unmap().
 */
NODISCARD enum err memfd_map(int fd, size_t size, struct bytes *ret_content);
/* The same for who reads only a part: pages come when they are touched. */
NODISCARD enum err memfd_map_lazily(int fd, size_t size, struct bytes *ret_content);
void memfd_unmap(struct bytes content);
