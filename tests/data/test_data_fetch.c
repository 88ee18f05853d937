/* SPDX-License-Identifier: Apache-2.0
 *
 * cop_data_get against a small HTTP server on the loopback: whole, resumed after a cut, from a server without ranges,
 * with wrong bytes, too many bytes, or nothing there. Where COPPICE_DATA has the real file, that is what is served
 * and it must arrive; elsewhere made-up bytes of the same length must get as far as the checksum and fail there.
 */
#include "data/make.h"

#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>

static cop_ctx *cx;
static char *dir;
static uint8_t *room;

/* ---- the server: one connection at a time, closed after its answer ---- */

static struct server {
	int fd, port;
	pthread_t thread;
	const uint8_t *body;   /* what every path holds; NULL: 404 */
	size_t size;
	size_t cut;            /* close after so many bytes of the body, once for each in `cuts` */
	int cuts;
	bool no_range;
	int asked;             /* requests so far */
	size_t sent;
	char range[64];        /* of the last request, "" if none */
} srv;

static void send_all(int fd, const void *p, size_t n)
{
	for (size_t at = 0; at < n;) {
		ssize_t k = send(fd, (const char *)p + at, n - at, MSG_NOSIGNAL);
		if (k <= 0) return;
		at += (size_t)k;
	}
}

static void answer(int fd)
{
	char in[4096] = "", head[256];
	size_t n = 0;
	ssize_t k;

	while (n < sizeof in - 1 && !strstr(in, "\r\n\r\n") && (k = recv(fd, in + n, sizeof in - 1 - n, 0)) > 0)
		n += (size_t)k;
	srv.asked++;
	const char *r = strstr(in, "Range: bytes=");
	unsigned long from = 0;
	snprintf(srv.range, sizeof srv.range, "%.*s", r ? (int)strcspn(r + 13, "\r") : 0, r ? r + 13 : "");
	if (r && !srv.no_range) from = strtoul(r + 13, NULL, 10);
	if (!srv.body || from > srv.size || (from && from == srv.size)) {
		n = (size_t)snprintf(head, sizeof head, "HTTP/1.1 %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
			srv.body ? "416 Range Not Satisfiable" : "404 Not Found");
		send_all(fd, head, n);
		return;
	}
	size_t left = srv.size - from, give = left;
	n = (size_t)snprintf(head, sizeof head, "HTTP/1.1 %s\r\nContent-Length: %zu\r\n",
	        from ? "206 Partial Content" : "200 OK", left);
	if (from)
		n += (size_t)snprintf(head + n, sizeof head - n, "Content-Range: bytes %lu-%zu/%zu\r\n", from,
		        srv.size - 1, srv.size);
	n += (size_t)snprintf(head + n, sizeof head - n, "Connection: close\r\n\r\n");
	send_all(fd, head, n);
	if (srv.cuts > 0 && srv.cut < give) srv.cuts--, give = srv.cut;
	send_all(fd, srv.body + from, give);
	srv.sent += give;
}

static void *serve(void *ud)
{
	(void)ud;
	for (;;) {
		int fd = accept(srv.fd, NULL, NULL);
		if (fd < 0) return NULL;
		answer(fd);
		shutdown(fd, SHUT_WR);
		char rest[64];
		while (recv(fd, rest, sizeof rest, 0) > 0) {}
		close(fd);
	}
}

static int start(void **state)
{
	(void)state;
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof a;
	srv.fd = socket(AF_INET, SOCK_STREAM, 0);
	if (srv.fd < 0 || bind(srv.fd, (struct sockaddr *)&a, sizeof a) || listen(srv.fd, 8) ||
	        getsockname(srv.fd, (struct sockaddr *)&a, &n))
		return 1;
	srv.port = ntohs(a.sin_port);
	return pthread_create(&srv.thread, NULL, serve, NULL);
}
static int stop(void **state)
{
	(void)state;
	shutdown(srv.fd, SHUT_RDWR);
	close(srv.fd);
	int rc = pthread_join(srv.thread, NULL);
	free(room);
	return rc;
}

static int fresh(void **state)
{
	(void)state;
	int fd = srv.fd, port = srv.port;
	pthread_t thread = srv.thread;
	srv = (struct server){.fd = fd, .port = port, .thread = thread};
	dir = temp_folder();
	cop_error_clear(cx);
	return 0;
}
static int clean(void **state)
{
	(void)state;
	remove_folder(dir);
	return 0;
}

/* ---- what is fetched: the one file of fsdd's row, whose length is known ---- */

static const cop_data_row *row(void) { return cop__data_row("fsdd"); }
static size_t length(void) { return (size_t)row()->file[0].size; }
static int64_t last_done, last_total;
static void progress(void *ud, int64_t done, int64_t total)
{
	(void)ud;
	last_done = done, last_total = total;
}
static cop_status get(void)
{
	char url[64];
	snprintf(url, sizeof url, "http://127.0.0.1:%d/some/where", srv.port);
	return cop_data_get(cx, "fsdd", dir, url, progress, NULL);
}
static const char *path(const char *end)
{
	static char p[1024];
	snprintf(p, sizeof p, "%s/fsdd/%s%s", dir, row()->file[0].name, end);
	return p;
}
static long size_of(const char *end)
{
	struct stat s;
	return stat(path(end), &s) ? -1 : (long)s.st_size;
}

/* Room for the file and a byte more. It is freed when the server's thread has ended: that may still be sending what a test has
 * stopped asking for. */
static uint8_t *all_room(void)
{
	if (!room) room = calloc(length() + 1, 1);
	return room;
}

/* The real file if it is at hand; right is false if not, and the sum will not fit. */
static uint8_t *content(bool *right)
{
	char at[1024];
	void *p = NULL;
	size_t n = 0;
	const char *env = getenv("COPPICE_DATA");
	*right = false;
	for (const char *s = env; s && *s; s += strcspn(s, ":"), s += *s == ':') {
		snprintf(at, sizeof at, "%.*s/fsdd/%s", (int)strcspn(s, ":"), s, row()->file[0].name);
		if (access(at, R_OK) == 0 && !cop_file_read(&p, &n, cx, at, 0) && n == length()) *right = true;
	}
	uint8_t *c = all_room();
	if (*right) memcpy(c, p, n);
	else
		for (size_t i = 0; i < length(); i++) c[i] = (uint8_t)(i * 2654435761u >> 13);
	cop_free(cx, p);
	return c;
}

/* Right bytes end as the file; made-up ones get as far as the sum, which names both. */
static void assert_outcome(cop_status st, bool right, const uint8_t *body)
{
	if (!right) {
		assert_int_equal(st, COP_FORMAT);
		assert_says(cx, "SHA-256");
		assert_int_equal(size_of(".part"), -1);
		assert_int_equal(size_of(""), -1);
		return;
	}
	if (st) fail_msg("%s", cop_error_text(cx));
	void *p;
	size_t n;
	assert_int_equal(cop_file_read(&p, &n, cx, path(""), 0), COP_OK);
	assert_int_equal(n, length());
	assert_memory_equal(p, body, n);
	cop_free(cx, p);
	assert_int_equal(size_of(".part"), -1);
	assert_int_equal(last_done, (int64_t)length());
	assert_int_equal(last_total, (int64_t)length());
}

static bool no_curl(cop_status st)
{
	if (!st || !lacking(cx)) return false;
	print_message("skipped: %s\n", cop_error_text(cx));
	return true;
}

static void test_whole(void **state)
{
	(void)state;
	bool right;
	uint8_t *body = content(&right);
	srv.body = body, srv.size = length();
	cop_status st = get();
	if (!no_curl(st)) {
		assert_outcome(st, right, body);
		assert_int_equal(srv.asked, 1);
		if (right) { /* there and right: not asked for again */
			assert_int_equal(get(), COP_OK);
			assert_int_equal(srv.asked, 1);
		}
	}
}

/* Cut twice: the third connection asks for the rest alone. */
static void test_resume(void **state)
{
	(void)state;
	bool right;
	uint8_t *body = content(&right);
	char want[64];
	srv.body = body, srv.size = length(), srv.cut = 5000000, srv.cuts = 2;
	cop_status st = get();
	if (!no_curl(st)) {
		assert_outcome(st, right, body);
		assert_int_equal(srv.asked, 3);
		assert_int_equal(srv.sent, length());
		snprintf(want, sizeof want, "%d-", 10000000);
		assert_string_equal(srv.range, want);
	}
}

/* Cut more often than is tried: what came stays, and the next call goes on from it. */
static void test_resume_later(void **state)
{
	(void)state;
	bool right;
	uint8_t *body = content(&right);
	srv.body = body, srv.size = length(), srv.cut = 1000000, srv.cuts = 4;
	cop_status st = get();
	if (!no_curl(st)) {
		assert_int_equal(st, COP_IO);
		assert_says(cx, "cut off 4 times, after 4000000 bytes");
		assert_int_equal(size_of(".part"), 4000000);
		cop_error_clear(cx);
		assert_outcome(get(), right, body);
		assert_string_equal(srv.range, "4000000-");
		assert_int_equal(srv.sent, length());
	}
}

/* A server that answers 200 to a range sends all: .part begins again instead of growing a second beginning. */
static void test_no_range(void **state)
{
	(void)state;
	bool right;
	uint8_t *body = content(&right);
	srv.body = body, srv.size = length(), srv.cut = 3000000, srv.cuts = 1, srv.no_range = true;
	cop_status st = get();
	if (!no_curl(st)) {
		assert_outcome(st, right, body);
		assert_int_equal(srv.asked, 2);
	}
}

/* The right length and one wrong byte: nothing stays. A wrong .part of an earlier day ends the same way. */
static void test_wrong_sum(void **state)
{
	(void)state;
	bool right;
	uint8_t *body = content(&right);
	body[length() / 2] ^= 1;
	srv.body = body, srv.size = length();
	cop_status st = get();
	if (!no_curl(st)) {
		assert_int_equal(st, COP_FORMAT);
		assert_says(cx, ".part: its SHA-256 is ");
		assert_says(cx, row()->file[0].sha256);
		assert_int_equal(size_of(""), -1);
		assert_int_equal(size_of(".part"), -1);
	}
}

static void test_wrong_length(void **state)
{
	(void)state;
	srv.body = all_room(), srv.size = length() + 1;
	cop_status st = get();
	if (!no_curl(st)) {
		assert_int_equal(st, COP_FORMAT);
		assert_says(cx, "is longer than the 15557934 bytes expected");
		assert_int_equal(size_of(".part"), -1);
		cop_error_clear(cx);
		srv.size = 1000;
		assert_int_equal(get(), COP_FORMAT);
		assert_says(cx, "is 1000 bytes long, 15557934 is expected");
	}
}

/* A .part longer than what the server has: 416, then from the start. */
static void test_bad_part(void **state)
{
	(void)state;
	uint8_t *body = calloc(2000, 1);
	srv.body = body, srv.size = 1000;
	write_at(dir, "fsdd/fsdd_recordings.tar.gz.part", body, 2000);
	cop_status st = get();
	if (!no_curl(st)) {
		assert_int_equal(st, COP_FORMAT);
		assert_says(cx, "is 1000 bytes long");
		assert_int_equal(srv.asked, 2);
		assert_string_equal(srv.range, "");
	}
	free(body);
}

/* A mirror that is a folder: .part is gone on with; of wrong bytes the length is right and the checksum is not. A link in its place is not followed. */
static void test_folder(void **state)
{
	(void)state;
	bool right;
	uint8_t *body = content(&right);
	char url[300], link[300];
	snprintf(url, sizeof url, "file://%s/mirror", dir);
	write_at(dir, "mirror/fsdd_recordings.tar.gz", body, length());
	write_at(dir, "fsdd/fsdd_recordings.tar.gz.part", body, 1000000);
	cop_status st = cop_data_get(cx, "fsdd", dir, url, NULL, NULL);
	if (no_curl(st)) return;
	if (!right) assert_says(cx, "its SHA-256 is ");
	assert_int_equal(st, right ? COP_OK : COP_FORMAT);
	cop_error_clear(cx);
	unlink(path(""));
	snprintf(link, sizeof link, "%s/victim", dir);
	write_at(dir, "victim", "mine", 4);
	assert_int_equal(symlink(link, path(".part")), 0);
	assert_int_equal(cop_data_get(cx, "fsdd", dir, url, NULL, NULL), COP_IO);
	assert_int_equal(unlink(path(".part")), 0);
	struct stat s;
	assert_true(!stat(link, &s) && s.st_size == 4);
}

static void test_refusals(void **state)
{
	(void)state;
	cop_status st = get(); /* 404 */
	if (no_curl(st)) return;
	assert_int_equal(st, COP_IO);
	assert_says(cx, "the server answers 404");
	cop_error_clear(cx);
	assert_int_equal(cop_data_get(cx, "fsdd", dir, NULL, NULL, NULL), COP_ARG);
	assert_says(cx, "give a mirror URL");
	cop_error_clear(cx);
	assert_int_equal(cop_data_get(cx, "no-such", dir, NULL, NULL, NULL), COP_ARG);
	cop_error_clear(cx);
	assert_int_equal(cop_data_get(cx, "synth-digits", dir, NULL, NULL, NULL), COP_ARG);
	cop_error_clear(cx);
	assert_int_equal(cop_data_get(cx, "fsdd", dir, "gopher://127.0.0.1/", NULL, NULL), COP_IO);
	cop_error_clear(cx);
	/* a wrong file that is there is the user's: named, not replaced */
	write_at(dir, "fsdd/fsdd_recordings.tar.gz", "mine", 4);
	int asked = srv.asked;
	assert_int_equal(get(), COP_FORMAT);
	assert_int_equal(srv.asked, asked);
	assert_int_equal(size_of(""), 4);
}

static volatile bool flag;
static void stop_soon(void *ud, int64_t done, int64_t total)
{
	(void)ud, (void)total;
	if (done > 1000) flag = true;
}
static void test_stop(void **state)
{
	(void)state;
	bool right;
	uint8_t *body = content(&right);
	char url[64];
	srv.body = body, srv.size = length();
	snprintf(url, sizeof url, "http://127.0.0.1:%d/", srv.port);
	cop_ctx_stop(cx, &flag);
	cop_status st = cop_data_get(cx, "fsdd", dir, url, stop_soon, NULL);
	cop_ctx_stop(cx, NULL);
	if (!no_curl(st)) {
		assert_int_equal(st, COP_STOPPED);
		assert_true(size_of(".part") > 0);
	}
}

#define T(f) cmocka_unit_test_setup_teardown(f, fresh, clean)
int main(void)
{
	const struct CMUnitTest tests[] = {T(test_whole), T(test_resume), T(test_resume_later), T(test_no_range),
	        T(test_wrong_sum), T(test_wrong_length), T(test_bad_part), T(test_folder), T(test_refusals), T(test_stop)};
	cop_ctx_new(&cx, NULL);
	int rc = cmocka_run_group_tests(tests, start, stop);
	cop_ctx_free(cx);
	return rc;
}
