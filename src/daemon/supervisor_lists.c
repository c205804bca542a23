/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/supervisor_lists.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/escape.h"
#include "sys/file.h"
#include "sys/log.h"
#include "wire/lists.h"

#include "base/banned.h"

#define REASON_MAX 200

struct zone_status {
	enum zone_state state;
	int64_t since;
	size_t reason_len;
	uint8_t reason[REASON_MAX];
};

struct lists_status {
	const struct settings *settings;
	const char *path;
	size_t count;
	struct zone_status zones[];
};

struct lists_status *lists_status_new(struct arena *arena, const struct settings *settings)
{
	size_t count = settings->list_zones.count;
	struct lists_status *status = arena_alloc(arena, sizeof(*status) + count * sizeof(status->zones[0]));
	struct bytes path = arena_printf(arena, "%.*s/" LISTS_STATUS_FILE, BYTES_FMT(settings->run_dir));
	if (!status || !path.ptr || !(status->path = arena_cstr(arena, path)))
		return NULL;
	status->settings = settings;
	status->count = count;
	return status;
}

void lists_status_set(struct lists_status *status, const struct wire_zone *zone)
{
	if (zone->index >= status->count || zone->state > ZONE_OFF)
		return;
	struct zone_status *kept = &status->zones[zone->index];
	struct bytes reason = bytes_sub(zone->reason, 0, REASON_MAX);
	kept->state = (enum zone_state)zone->state;
	kept->since = zone->since;
	kept->reason_len = reason.len;
	if (reason.len > 0)
		memcpy(kept->reason, reason.ptr, reason.len);
}

void lists_status_write(const struct lists_status *status)
{
	const struct settings_list_zone *zones = status->settings->list_zones.items;
	CLEANUP(buf_done) struct buf buf = BUF_INIT((size_t)1 << 20);
	for (size_t i = 0; i < status->count; i++) {
		const struct zone_status *zone = &status->zones[i];
		static const char *const names[] = {"unknown", "on", "off"};
		buf_printf(&buf, "%.*s\t%.*s\t%s\t%lld\t", BYTES_FMT(zones[i].name), BYTES_FMT(zones[i].zone),
			   names[zone->state], (long long)zone->since);
		escape_plain(&buf, bytes_make(zone->reason, zone->reason_len));
		buf_add_byte(&buf, '\n');
	}
	if (buf_err(&buf) != ERR_OK || file_write_atomic(status->path, buf_bytes(&buf), 0644) != ERR_OK)
		log_event(LOG_WARNING, "lists.unwritten", log_cstr("file", status->path),
			  log_cstr("why", strerror(errno)));
}

void lists_status_remove(const struct lists_status *status)
{
	(void)unlink(status->path);
}
