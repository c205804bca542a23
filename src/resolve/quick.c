/* SPDX-License-Identifier: Apache-2.0 */
#include "resolve/quick.h"

#include <errno.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/mem.h"
#include "sys/entropy.h"
#include "sys/loop.h"
#include "sys/net.h"

#include "base/banned.h"

#define SERVERS_MAX 16
#define PACKET_MAX  4096 /* we say that we take less */
#define READS       16   /* packets before the loop looks at others */

/* One port. It ends when its last question does. */
struct quick_socket {
	struct quick_socket *next, **link;
	struct quick *quick;
	struct loop_io *io;
	int fd;
	size_t server;
	unsigned asked, open;
	int64_t since;
	struct quick_question *questions[QUICK_PER_SOCKET]; /* NULL: answered, or not asked yet */
};

struct quick {
	struct loop *loop;
	struct loop_timer *timer;
	struct arena *scratch;
	struct net_address servers[SERVERS_MAX];
	size_t n_servers, server;
	unsigned unheard; /* questions in a row */
	struct quick_socket *sockets, *current;
	struct quick_question *first, **last;
	uint16_t ids[64];
	size_t n_ids;
};

/* -- Sockets ---- */

static void socket_free(struct quick_socket *socket)
{
	if (socket->quick->current == socket)
		socket->quick->current = NULL;
	*socket->link = socket->next;
	if (socket->next)
		socket->next->link = socket->link;
	loop_io_free(&socket->io);
	(void)close(socket->fd);
	mem_free(socket);
}

static void on_ready(void *ctx, unsigned events);

static enum err socket_new(struct quick *quick, struct quick_socket **ret_socket)
{
	const struct net_address *server = &quick->servers[quick->server];
	int fd = socket(server->storage.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return ERR_IO;
	struct quick_socket *made = mem_new(struct quick_socket, 1);
	/* The kernel draws the port, and lets in what comes from the server alone. */
	if (!made || connect(fd, (const struct sockaddr *)&server->storage, server->len) != 0 ||
	    loop_io_new(quick->loop, fd, on_ready, made, &made->io) != ERR_OK) {
		mem_free(made);
		(void)close(fd);
		return ERR_IO;
	}
	made->quick = quick;
	made->fd = fd;
	made->server = quick->server;
	made->since = loop_now_ms(quick->loop);
	made->next = quick->sockets;
	made->link = &quick->sockets;
	if (made->next)
		made->next->link = &made->next;
	quick->sockets = made;
	loop_io_want(made->io, LOOP_READ);
	*ret_socket = made;
	return ERR_OK;
}

/* The one that the next question uses. */
static enum err current_socket(struct quick *quick, struct quick_socket **ret_socket)
{
	struct quick_socket *current = quick->current;
	if (current && (current->asked >= QUICK_PER_SOCKET || current->server != quick->server ||
			loop_now_ms(quick->loop) - current->since >= QUICK_SOCKET_MS)) {
		quick->current = NULL;
		if (current->open == 0)
			socket_free(current);
	}
	if (!quick->current)
		TRY(socket_new(quick, &quick->current));
	*ret_socket = quick->current;
	return ERR_OK;
}

/* -- Questions ---- */

/* It waits no longer; the socket may be gone. */
static void question_end(struct quick_question *question)
{
	struct quick_socket *socket = question->socket;
	struct quick *quick = socket->quick;
	*question->link = question->next;
	*(question->next ? &question->next->link : &quick->last) = question->link;
	for (unsigned i = 0; i < socket->asked; i++)
		if (socket->questions[i] == question)
			socket->questions[i] = NULL;
	if (--socket->open == 0 && quick->current != socket)
		socket_free(socket);
}

/* A question was asked there, and nothing came. */
static void not_heard(struct quick *quick, size_t server)
{
	if (server != quick->server || ++quick->unheard < QUICK_PATIENCE)
		return;
	quick->server = (quick->server + 1) % quick->n_servers;
	quick->unheard = 0;
}

static void set_timer(struct quick *quick)
{
	if (quick->first && !loop_timer_running(quick->timer))
		loop_timer_set(quick->timer, quick->first->until - loop_now_ms(quick->loop));
}

static void on_time(void *ctx)
{
	struct quick *quick = ctx;
	int64_t now = loop_now_ms(quick->loop);
	while (quick->first && quick->first->until <= now) {
		struct quick_question *question = quick->first;
		not_heard(quick, question->socket->server);
		question_end(question);
		question->done(question, (struct bytes){0});
	}
	set_timer(quick);
}

/* Numbers that nobody can guess, some at a time. */
static enum err draw_id(struct quick *quick, uint16_t *ret_id)
{
	if (quick->n_ids == 0) {
		if (entropy_fill(quick->ids, sizeof(quick->ids)) != ERR_OK)
			return ERR_IO;
		quick->n_ids = ARRAY_LEN(quick->ids);
	}
	*ret_id = quick->ids[--quick->n_ids];
	return ERR_OK;
}

enum err quick_ask(struct quick *quick, struct quick_question *question)
{
	CLEANUP(buf_done) struct buf buf = BUF_INIT(1024);
	struct quick_socket *socket;
	TRY(draw_id(quick, &question->packet.id));
	TRY(current_socket(quick, &socket));
	quick_packet_write(&buf, &question->packet);
	if (buf_err(&buf) != ERR_OK ||
	    send(socket->fd, buf_bytes(&buf).ptr, buf.len, MSG_NOSIGNAL) != (ssize_t)buf.len) {
		/* Or an earlier packet found nobody, which is said at the next. */
		not_heard(quick, socket->server);
		quick->current = NULL;
		if (socket->open == 0)
			socket_free(socket);
		return ERR_IO;
	}
	question->socket = socket;
	question->until = loop_now_ms(quick->loop) + QUICK_WAIT_MS;
	question->next = NULL;
	question->link = quick->last;
	*quick->last = question;
	quick->last = &question->next;
	socket->questions[socket->asked++] = question;
	socket->open++;
	set_timer(quick);
	return ERR_OK;
}

/* -- Answers ---- */

static struct quick_question *find(const struct quick_socket *socket, struct bytes packet)
{
	for (unsigned i = 0; i < socket->asked; i++) {
		struct quick_question *question = socket->questions[i];
		if (question && quick_packet_answers(&question->packet, packet))
			return question;
	}
	return NULL;
}

/* Nobody listens there: none of its questions will be answered. */
static void give_up(struct quick_socket *socket)
{
	unsigned open = socket->open;
	for (unsigned i = 0, n = socket->asked; open > 0 && i < n; i++) {
		struct quick_question *question = socket->questions[i];
		if (!question)
			continue;
		open--;
		not_heard(socket->quick, socket->server);
		question_end(question);
		question->done(question, (struct bytes){0});
	}
}

static void on_ready(void *ctx, unsigned events)
{
	struct quick_socket *socket = ctx;
	struct quick *quick = socket->quick;
	uint8_t space[PACKET_MAX];
	(void)events;
	for (unsigned reads = 0; reads < READS; reads++) {
		ssize_t len = recv(socket->fd, space, sizeof(space), 0);
		if (len < 0) {
			if (errno != EAGAIN && errno != EINTR) {
				if (quick->current == socket)
					quick->current = NULL;
				if (socket->open > 0)
					give_up(socket);
				else
					socket_free(socket);
			}
			return;
		}
		if (socket->server == quick->server)
			quick->unheard = 0;
		struct bytes packet = bytes_make(space, (size_t)len);
		struct quick_question *question = find(socket, packet);
		if (!question)
			continue; /* somebody guesses, or it comes too late */
		bool whole = quick_packet_is_whole(quick->scratch, &question->packet, packet);
		bool last = socket->open == 1; /* then the socket may be gone */
		question_end(question);
		question->done(question, whole ? packet : (struct bytes){0});
		if (last)
			return;
	}
}

/* -- Life ---- */

/* "192.0.2.1@53" as net_parse() writes it. */
static enum err read_server(struct bytes text, struct net_address *ret_address)
{
	CLEANUP(buf_done) struct buf buf = BUF_INIT(NET_TEXT_MAX);
	size_t at = bytes_find_byte(text, '@');
	struct bytes host = bytes_sub(text, 0, at == BYTES_NONE ? text.len : at);
	bool six = bytes_has(host, ':');
	buf_printf(&buf, "%s%.*s%s:%.*s", six ? "[" : "", BYTES_FMT(host), six ? "]" : "",
		   BYTES_FMT(at == BYTES_NONE ? BYTES_LIT("53") : bytes_from(text, at + 1)));
	TRY(buf_err(&buf));
	return net_parse(buf_bytes(&buf), ret_address, NULL);
}

enum err quick_new(struct loop *loop, const struct bytes *servers, size_t n, struct quick **ret_quick)
{
	struct quick *quick = mem_new(struct quick, 1);
	if (!quick)
		return ERR_NOMEM;
	quick->loop = loop;
	quick->last = &quick->first;
	quick->n_servers = n < SERVERS_MAX ? n : SERVERS_MAX;
	enum err err = (quick->scratch = arena_create((size_t)1 << 20)) ? ERR_OK : ERR_NOMEM;
	for (size_t i = 0; i < quick->n_servers && err == ERR_OK; i++)
		err = read_server(servers[i], &quick->servers[i]);
	if (err == ERR_OK)
		err = loop_timer_new(loop, on_time, quick, &quick->timer);
	if (err != ERR_OK) {
		quick_free(&quick);
		return err;
	}
	*ret_quick = quick;
	return ERR_OK;
}

void quick_free(struct quick **quick)
{
	if (!*quick)
		return;
	while ((*quick)->sockets)
		socket_free((*quick)->sockets);
	loop_timer_free(&(*quick)->timer);
	arena_free(&(*quick)->scratch);
	mem_free(*quick);
	*quick = NULL;
}
