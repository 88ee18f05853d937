/* SPDX-License-Identifier: Apache-2.0
 *
 * fetch - cop_data_get: the files of a set from its home, or from a mirror, into <folder>/<name>/.
 *
 * A file is received as <file>.part and renamed only when its length and its SHA-256 are right, so that a name without
 * .part is always whole. A .part left by a cut connection is gone on with (Range); a server that does not know ranges
 * makes it begin again. What is there and right is not fetched twice.
 */
#include "core/need.h"
#include "data/data.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#ifdef COP_HAVE_CURL
#include <curl/curl.h>

enum { TRIES = 4, URL = 2048 };
static const int64_t max_bytes = (int64_t)4 << 30; /* of a file whose length is not known */

typedef struct fetch {
	cop_ctx *cx;
	CURL *curl;
	const cop_data_file *file;
	char url[URL], path[COP_DATA_PATH], part[COP_DATA_PATH];
	FILE *out;
	int64_t start, have;     /* bytes of .part when this try began, and now */
	bool begun, failed_write, too_long;
	int64_t before, total;   /* of all files, for the progress */
	cop_progress_fn *fn;
	void *ud;
} fetch;

static bool restart(fetch *f)
{
	if (fflush(f->out) || ftruncate(fileno(f->out), 0)) return false;
	rewind(f->out);
	f->start = f->have = 0;
	return true;
}

/* A mirror in a folder answers without a code, and always from where it is asked. */
static bool heeds_range(const fetch *f, long code) { return code == 206 || !strncmp(f->url, "file:", 5); }

/* The first piece tells whether the server heeded the range: 206 goes on, anything else is the whole file. */
static size_t on_bytes(char *p, size_t size, size_t n, void *ud)
{
	fetch *f = ud;
	long code = 0;

	(void)size; /* 1, by the interface */
	if (!f->begun) {
		curl_easy_getinfo(f->curl, CURLINFO_RESPONSE_CODE, &code);
		if (f->start && !heeds_range(f, code) && !restart(f)) {
			f->failed_write = true;
			return 0;
		}
		f->begun = true;
	}
	if (f->have + (int64_t)n > (f->file->size ? f->file->size : max_bytes)) {
		f->too_long = true;
		return 0;
	}
	if (fwrite(p, 1, n, f->out) != n) {
		f->failed_write = true;
		return 0;
	}
	f->have += (int64_t)n;
	return n;
}

static int on_progress(void *ud, curl_off_t total, curl_off_t now, curl_off_t up_total, curl_off_t up_now)
{
	fetch *f = ud;

	(void)now, (void)up_total, (void)up_now;
	if (f->fn) f->fn(f->ud, f->before + f->have, f->total ? f->total : total > 0 ? f->start + total : 0);
	return cop__stopped(f->cx);
}

static void set_options(fetch *f)
{
	char range[32];
	CURL *c = f->curl;

	curl_easy_reset(c);
	curl_easy_setopt(c, CURLOPT_URL, f->url);
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_FAILONERROR, 1L);
	curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 1L);
	curl_easy_setopt(c, CURLOPT_MAXREDIRS, 8L);
#if LIBCURL_VERSION_NUM >= 0x075500
	curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "https,http,file");
	curl_easy_setopt(c, CURLOPT_REDIR_PROTOCOLS_STR, "https,http");
#else
	curl_easy_setopt(c, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTPS | CURLPROTO_HTTP | CURLPROTO_FILE));
	curl_easy_setopt(c, CURLOPT_REDIR_PROTOCOLS, (long)(CURLPROTO_HTTPS | CURLPROTO_HTTP));
#endif
	curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, 30L);
	curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, 64L);
	curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, 60L);
	curl_easy_setopt(c, CURLOPT_USERAGENT, "coppice/" COP_VERSION);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_bytes);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, f);
	curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, on_progress);
	curl_easy_setopt(c, CURLOPT_XFERINFODATA, f);
	if (!f->start) return;
	snprintf(range, sizeof range, "%lld-", (long long)f->start);
	curl_easy_setopt(c, CURLOPT_RANGE, range);
}

/* Its name is known, since a later run goes on with it: no link is followed, and one program at a time writes there. */
static cop_status open_part(fetch *f)
{
	struct stat s;
	int fd = open(f->part, O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0666);

	if (fd < 0) return cop__error(f->cx, COP_IO, "%s: %s", f->part, strerror(errno));
	cop_status st = COP_OK;
	if (fstat(fd, &s) || !S_ISREG(s.st_mode)) st = cop__error(f->cx, COP_IO, "%s: is not a plain file, so it is left alone", f->part);
	else if (flock(fd, LOCK_EX | LOCK_NB) && errno == EWOULDBLOCK) st = cop__error(f->cx, COP_IO, "%s: another program is fetching it", f->part);
	else if (!(f->out = fdopen(fd, "ab+"))) st = cop__error(f->cx, COP_IO, "%s: %s", f->part, strerror(errno));
	if (st) close(fd);
	return st;
}

/* One connection. *again: worth another, from where this one ended. */
static cop_status attempt(fetch *f, bool *again)
{
	long code = 0;

	*again = f->begun = false;
	COP_TRY(open_part(f));
	fseeko(f->out, 0, SEEK_END);
	f->start = f->have = (int64_t)ftello(f->out);
	if (f->file->size && f->have == f->file->size) { /* all was there but the last step */
		fclose(f->out);
		return COP_OK;
	}
	set_options(f);
	CURLcode rc = curl_easy_perform(f->curl);
	curl_easy_getinfo(f->curl, CURLINFO_RESPONSE_CODE, &code);
	bool closed = !fflush(f->out) && !fsync(fileno(f->out));
	closed = !fclose(f->out) && closed;
	if (rc == CURLE_OK && closed) return COP_OK;
	if (cop__stopped(f->cx))
		return cop__error(f->cx, COP_STOPPED, "%s: stopped after %lld bytes; the next try goes on from there",
		        f->url, (long long)f->have);
	if (f->failed_write || !closed)
		return cop__error(f->cx, COP_IO, "%s: could not be written (%s)", f->part, strerror(errno));
	if (f->too_long) {
		remove(f->part);
		return cop__error(f->cx, COP_FORMAT, "%s: is longer than the %lld bytes expected", f->url,
		        (long long)(f->file->size ? f->file->size : max_bytes));
	}
	if (code == 416 || rc == CURLE_BAD_DOWNLOAD_RESUME || rc == CURLE_RANGE_ERROR) { /* .part is no beginning of what the server has */
		remove(f->part);
		*again = true;
		return COP_OK;
	}
	*again = rc == CURLE_PARTIAL_FILE || rc == CURLE_RECV_ERROR || rc == CURLE_GOT_NOTHING ||
	         rc == CURLE_OPERATION_TIMEDOUT;
	if (*again) return COP_OK;
	if (code >= 400) return cop__error(f->cx, COP_IO, "%s: the server answers %ld", f->url, code);
	return cop__error(f->cx, COP_IO, "%s: %s", f->url, curl_easy_strerror(rc));
}

static cop_status receive(fetch *f)
{
	bool again = true;

	for (int i = 0; i < TRIES && again; i++) COP_TRY(attempt(f, &again));
	if (again)
		return cop__error(f->cx, COP_IO,
		        "%s: cut off %d times, after %lld bytes; the next try goes on from there", f->url, TRIES,
		        (long long)f->have);
	return COP_OK;
}

static cop_status one_file(fetch *f, const char *folder, const char *home)
{
	bool slash = home[strlen(home) - 1] == '/';

	COP_TRY(cop__path(f->path, f->cx, folder, f->file->name));
	int n = snprintf(f->part, sizeof f->part, "%s.part", f->path);
	int m = snprintf(f->url, sizeof f->url, "%s%s%s", home, slash ? "" : "/", f->file->name);
	if (n >= (int)sizeof f->part || m >= (int)sizeof f->url)
		return cop__error(f->cx, COP_ARG, "%s: the path or URL is too long", f->path);
	if (cop__is_file(f->path, "")) return cop__data_file_check(f->cx, f->path, f->file);
	COP_TRY(receive(f));
	if (!f->file->sha256)
		cop__log(f->cx, COP_LOG_WARN,
		        "%s: no checksum is known for it; its format is checked when it is opened", f->path);
	cop_status st = cop__data_file_check(f->cx, f->part, f->file);
	if (st) {
		remove(f->part); /* going on from wrong bytes would never end */
		return st;
	}
	if (rename(f->part, f->path))
		return cop__error(f->cx, COP_IO, "%s: could not be renamed (%s)", f->part, strerror(errno));
	return cop__sync_folder(f->cx, f->path) ? COP_OK : cop__error(f->cx, COP_IO, "%s: may not be safe on the disk yet (%s)", f->path, strerror(errno));
}

static cop_status make_folders(cop_ctx *cx, const char *folder)
{
	char path[COP_DATA_PATH];

	snprintf(path, sizeof path, "%s", folder);
	for (char *p = path + 1;; p++) {
		if (*p && *p != '/') continue;
		char was = *p;
		*p = 0;
		if (mkdir(path, 0777) && errno != EEXIST)
			return cop__error(cx, COP_IO, "%s: %s", path, strerror(errno));
		*p = was;
		if (!was) return COP_OK;
	}
}

static cop_status all_files(fetch *f, const cop_data_row *row, const char *folder, const char *home)
{
	int n = 0;

	for (; n < LEN(row->file) && row->file[n].name; n++) f->total += row->file[n].size;
	for (int i = 0; i < n; i++) {
		f->file = &row->file[i];
		f->have = 0;
		COP_TRY(one_file(f, folder, home));
		f->before += f->file->size;
	}
	if (f->fn) f->fn(f->ud, f->before, f->total);
	return COP_OK;
}

static cop_status get(
        cop_ctx *cx, const cop_data_row *row, const char *folder, const char *home, cop_progress_fn *fn, void *ud)
{
	fetch *f = cop__alloc(cx, sizeof *f);
	char base[COP_DATA_PATH], into[COP_DATA_PATH];
	cop_status st;

	if (!f) return COP_NOMEM;
	*f = (fetch){.cx = cx, .fn = fn, .ud = ud, .curl = curl_easy_init()};
	if (!f->curl) COP_GO(cop__error(cx, COP_IO, "libcurl does not start"));
	if (!folder) COP_GO(cop__data_default_folder(base, cx));
	COP_GO(cop__path(into, cx, folder ? folder : base, row->name));
	COP_GO(make_folders(cx, into));
	COP_GO(all_files(f, row, into, home));
done:
	if (f->curl) curl_easy_cleanup(f->curl);
	cop__free(cx, f);
	return st;
}
#else
static cop_status get(
        cop_ctx *cx, const cop_data_row *row, const char *folder, const char *home, cop_progress_fn *fn, void *ud)
{
	(void)folder, (void)fn, (void)ud;
	return cop__error(cx, COP_IO, "%s is available at %s, but this build has no libcurl to fetch it", row->name, home);
}
#endif

cop_status cop_data_get(
        cop_ctx *cx, const char *name, const char *folder, const char *mirror, cop_progress_fn *fn, void *ud)
{
	COP_NEED(cx, name);
	const cop_data_row *row = cop__data_row(name);
	const char *home = mirror ? mirror : row ? row->home : NULL;

	if (!row)
		return cop__error(cx, COP_ARG, "there is no data set '%s'; `coppice data list` shows those that can be fetched", name);
	if (row->made) return cop__error(cx, COP_ARG, "%s is made by this program, there is nothing to fetch", name);
	if (!home || !*home)
		return cop__error(
		        cx, COP_ARG, "%s has no public home: give a mirror URL under which its files lie", name);
	return get(cx, row, folder, home, fn, ud);
}
