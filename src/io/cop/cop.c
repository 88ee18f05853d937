/* SPDX-License-Identifier: Apache-2.0
 *
 * cop - the .cop file; writing it is in write.c, small networks of encoded weights have a shorter form (pack.c):
 *
 *   coppice 1                     2: the text holds names of classes and the like (graph/about.h)
 *   number epoch 12               of checkpoints; reals carry a point or an exponent
 *   text run 250                  of checkpoints: so many bytes and a line's end follow
 *   graph lenet-5                 the text form, as graph/print.c writes it
 *   ...
 *   blobs 8 1a2b3c4d              how many follow, CRC32C of everything above this line
 *   then for each: which constant, parameter or state (0-based, in the order of the text) and the stored length,
 *   both of variable length, u8 coder, the stored bytes, u32 CRC32C of all these
 *
 * A tensor without a blob is zero. Nothing in a file is trusted: no length is believed before the bytes are
 * there, no tensor is larger than its type, and no type larger than its bytes can stand for.
 */
#include "core/need.h"
#include "enc/range.h"
#include "graph/about.h"
#include "io/cop/bits.h"
#include "io/cop/container.h"
#include "io/cop/pack.h"

#include <stdio.h>
#include <stdlib.h>

enum { MAGIC = sizeof COP_MAGIC + 1, LONGEST_LINE = 64, MOST_FREE = 1 << 26 }; /* bytes of weights a short file may ask for */

static cop_codec codec_of(uint32_t number)
{
	cop_codec c = COP_CODEC_RAW;
	while (c < COP_N_CODEC && cop_codec_number[c] != number) c++;
	return c;
}

typedef struct reader {
	cop_ctx *cx;
	cop_graph *g;
	const char *file;
	const uint8_t *start, *p, *end;
	int64_t budget; /* bytes of weights still allowed */
	cop_contents *whole; /* the file's bytes, if weights may stay in them */
	uint8_t *to;         /* from here to p they are not needed any more */
	size_t kept;         /* how many of them are weights now */
	cop_vid last;        /* the value of the last blob, and its index */
	uint32_t last_index;
} reader;

static cop_status bad(const reader *r, const char *what)
{
	return cop__error(r->cx, COP_FORMAT, "%s, byte %zu: %s", r->file, (size_t)(r->p - r->start), what);
}

/* The line at p without its end, if it is short, and where the next one begins. */
static const uint8_t *line_at(char line[LONGEST_LINE], const uint8_t *p, const uint8_t *end)
{
	const uint8_t *nl = memchr(p, '\n', (size_t)(end - p));
	size_t n = nl ? (size_t)(nl - p) : (size_t)(end - p);

	if (n >= LONGEST_LINE) n = 0;
	memcpy(line, p, n);
	line[n] = 0;
	return nl ? nl + 1 : end;
}

/* One line, or one with its text; *p moves behind it. */
static cop_status get_number(reader *r, cop_number *into, char name[LONGEST_LINE])
{
	char line[LONGEST_LINE], value[LONGEST_LINE];
	const uint8_t *next = line_at(line, r->p, r->end);
	bool text = line[0] == 't';

	if (sscanf(line, "%*s %63s %63s", name, value) != 2) return bad(r, "expected: number NAME VALUE, or text NAME SIZE");
	*into = (cop_number){.name = name, .real = !text && strpbrk(value, ".eni") != NULL, .f = cop__real_parse(value, NULL)}; /* 1.5e0, inf, nan */
	into->i = into->real ? 0 : strtoll(value, NULL, 10);
	if (text) {
		if (into->i < 0 || into->i >= r->end - next || next[into->i] != '\n') return bad(r, "the text has not the size that is told");
		into->text = (const char *)next;
		into->size = (size_t)into->i;
		next += into->size + 1;
	}
	r->p = next;
	return COP_OK;
}

static cop_status get_numbers(reader *r, cop_number *number, int n, int *found)
{
	char name[LONGEST_LINE];
	cop_number got;

	while (r->end - r->p > 7 && (!memcmp(r->p, "number ", 7) || !memcmp(r->p, "text ", 5))) {
		COP_TRY(get_number(r, &got, name));
		for (int i = 0; i < n; i++) {
			if (strcmp(number[i].name, name)) continue;
			got.name = number[i].name;
			number[i] = got;
			if (found) ++*found;
		}
	}
	return COP_OK;
}

/* Finds the line `blobs COUNT CRC`, which ends the text. */
static cop_status get_text(reader *r, uint32_t *blobs)
{
	const uint8_t *text = r->p;
	char line[LONGEST_LINE], rest;
	uint32_t crc;

	for (; r->p < r->end;) {
		const uint8_t *next = line_at(line, r->p, r->end);
		if (sscanf(line, "blobs %u %8x%c", blobs, &crc, &rest) == 2 && next[-1] == '\n') {
			if (cop__crc32c(r->start, (size_t)(r->p - r->start), 0) != crc)
				return bad(r, "the checksum of the text above does not match");
			cop_status st = cop__graph_parse(&r->g, r->cx, (const char *)text, (size_t)(r->p - text));
			if (st) cop__error_in(r->cx, r->file);
			r->p = next;
			return st;
		}
		r->p = next;
	}
	return bad(r, "the text ends without a line 'blobs'");
}

/* The index-th constant, parameter or state: from the last one on, where they come in order. */
static cop_vid leaf(reader *r, uint32_t index)
{
	cop_vid v = r->last && index > r->last_index ? r->last : 0;
	uint32_t left = v ? index - r->last_index - 1 : index;

	for (v++; v <= (cop_vid)r->g->n_value; v++)
		if (r->g->value[v].role >= COP_CONST && left-- == 0) return r->last_index = index, r->last = v;
	return 0;
}

enum { ALIGN = 64, SLACK = 64, SHORT = 4096 }; /* SHORT: what is not worth a place in the file's bytes */

/* Where a weight that is stored as it is may stay: moved towards the file's beginning, to a multiple of 64 bytes, over the text and the
 * heads that have been read. NULL: it has to be copied. */
static uint8_t *place_of(const reader *r, cop_codec codec, size_t bytes, size_t len)
{
	if (!r->whole || codec != COP_CODEC_RAW || bytes != len || len < SHORT) return NULL;
	size_t skip = (size_t)-(uintptr_t)r->to & (ALIGN - 1);
	return skip <= (size_t)(r->p - r->to) && (size_t)(r->end - r->to) >= skip + len + SLACK ? r->to + skip : NULL;
}

static cop_status keep(reader *r, cop_vid v, const char *where, uint8_t *place, size_t len)
{
	const cop_type *t = cop__t(r->g, v);

	memmove(place, r->p, len);
	if (t->enc != COP_DENSE) COP_TRY(cop__blob_check(r->cx, where, t, place));
	cop_contents *c = cop__contents_part(r->whole, place);
	if (!c) return COP_NOMEM;
	cop__put_contents(r->g, v, c);
	r->to = place + len;
	r->kept += len;
	return COP_OK;
}

/* Of a file that is coded for the most part, the few weights that are not are copied after all, so that the rest of it goes. */
static cop_status copy_few(reader *r, size_t size)
{
	for (cop_vid v = 1; r->kept < size / 2 && v <= (cop_vid)r->g->n_value; v++) {
		const cop_value *x = &r->g->value[v];
		size_t bytes = cop_type_bytes(&x->type);
		if (!x->held || x->held->whole != r->whole) continue;
		cop_contents *c = cop__contents_new(r->cx, bytes);
		if (!c) return COP_NOMEM;
		memcpy(c->bytes, x->data, bytes);
		cop__put_contents(r->g, v, c);
	}
	return COP_OK;
}

static cop_status fill(reader *r, cop_vid v, cop_codec codec, uint32_t len)
{
	const cop_value *x = &r->g->value[v];
	char where[200];
	size_t bytes = cop_type_bytes(&x->type);

	snprintf(where, sizeof where, "%.100s, byte %zu: '%.60s'", r->file, (size_t)(r->p - r->start), x->name);
	if (x->data) return cop__error(r->cx, COP_FORMAT, "%s is stored twice", where);
	if (bytes > INT32_MAX || (r->budget -= (int64_t)bytes) < 0)
		return cop__error(
		        r->cx, COP_FORMAT, "%s: so short a file cannot hold a tensor of %zu bytes", where, bytes);
	uint8_t *place = place_of(r, codec, bytes, len);
	if (place) return keep(r, v, where, place, len);
	void *data = cop__own(r->g, v);
	if (codec == COP_N_CODEC && r->p[-1] == 2) return cop__error(r->cx, COP_FORMAT, "%s: stored by a version before the first release, under a coder that is gone; make the file again", where);
	if (codec == COP_N_CODEC) return cop__error(r->cx, COP_FORMAT, "%s: stored under unknown coder %u", where, r->p[-1]);
	return data ? cop__restore(data, r->cx, where, &x->type, codec, r->p, len) : COP_NOMEM;
}

static cop_status get_blob(reader *r)
{
	const uint8_t *head = r->p;
	uint32_t index, len;

	if (!cop__var_get(&r->p, r->end, &index) || !cop__var_get(&r->p, r->end, &len) || r->end - r->p < 5)
		return bad(r, "the file is cut short in the head of a tensor");
	cop_vid v = leaf(r, index);
	cop_codec codec = codec_of(*r->p++);
	if (!v) return bad(r, "a tensor is stored for which the text has no value");
	if ((uint64_t)(r->end - r->p) < (uint64_t)len + 4)
		return cop__error(r->cx, COP_FORMAT, "%s, byte %zu: '%s' claims %u stored bytes, the file has %zu more",
		        r->file, (size_t)(r->p - r->start), r->g->value[v].name, len, (size_t)(r->end - r->p));
	if (cop__crc32c(head, (size_t)(r->p - head) + len, 0) != cop__le32(r->p + len))
		return cop__error(r->cx, COP_FORMAT, "%s, byte %zu: the checksum of '%s' does not match", r->file,
		        (size_t)(r->p - r->start), r->g->value[v].name);
	COP_TRY(fill(r, v, codec, len));
	r->p += len + 4;
	return COP_OK;
}

/* An encoded tensor cannot be zero for want of a blob: its kernels would read nonsense. */
static cop_status all_there(const reader *r)
{
	for (int32_t v = 1; v <= r->g->n_value; v++) {
		const cop_value *x = &r->g->value[v];
		if (x->role >= COP_CONST && x->type.enc != COP_DENSE && !x->data)
			return cop__error(r->cx, COP_FORMAT, "%s: '%s' is %s, but not stored", r->file, x->name,
			        cop__enc_text(x->type.enc));
	}
	return r->p == r->end ? COP_OK : bad(r, "the file goes on behind the last tensor");
}

bool cop__is_cop(const uint8_t *p, size_t size)
{
	return size >= MAGIC && !memcmp(p, COP_MAGIC, sizeof COP_MAGIC - 1) && p[MAGIC - 2] >= '0' && p[MAGIC - 2] <= '9' && p[MAGIC - 1] == '\n';
}

static cop_status read_all(reader *r, cop_number *number, int n_number, int *found)
{
	uint32_t blobs;

	if (!cop__is_cop(r->p, (size_t)(r->end - r->p))) return bad(r, "no .cop file: it must begin with 'coppice 1' or 'coppice 2'");
	if (r->p[MAGIC - 2] < COP_OLDEST || r->p[MAGIC - 2] > COP_NEWEST)
		return cop__error(r->cx, COP_FORMAT, "%s: this is a .cop file of version %c, but this program reads versions %c to %c", r->file, r->p[MAGIC - 2], COP_OLDEST, COP_PACKED);
	r->p += MAGIC;
	COP_TRY(get_numbers(r, number, n_number, found));
	COP_TRY(get_text(r, &blobs));
	for (uint32_t i = 0; i < blobs; i++) COP_TRY(get_blob(r));
	return all_there(r);
}

static reader reader_of(cop_ctx *cx, const char *file, const void *bytes, size_t size)
{
	return (reader){.cx = cx, .file = file, .start = bytes, .p = bytes, .end = (const uint8_t *)bytes + size,
		.budget = MOST_FREE + (int64_t)size * 4 * COP_RANGE_MOST}; /* what cop__stored_enough allows all tensors together */
}

cop_status cop__model_read(cop_graph **out, cop_ctx *cx, const char *file, const void *bytes, size_t size,
        cop_number *number, int n_number, int *found)
{
	reader r = reader_of(cx, file, bytes, size);

	if (found) *found = 0;
	cop_status st = cop__is_packed(bytes, size) ? cop__pack_read(&r.g, cx, file, bytes, size) : read_all(&r, number, n_number, found);
	if (!st) st = cop__check_contents(r.g);
	if (st) cop_graph_free(r.g), r.g = NULL;
	*out = r.g;
	return st;
}

cop_status cop__model_take(cop_graph **out, cop_ctx *cx, const char *file, void *bytes, size_t size)
{
	if (cop__is_packed(bytes, size)) {
		cop_status st = cop__model_read(out, cx, file, bytes, size, NULL, 0, NULL);
		cop__free(cx, bytes);
		return st;
	}
	reader r = reader_of(cx, file, bytes, size);
	cop_status st = (r.whole = cop__contents_adopt(cx, r.to = bytes)) ? COP_OK : COP_NOMEM;

	if (st) cop__free(cx, bytes);
	else st = read_all(&r, NULL, 0, NULL);
	if (!st) st = copy_few(&r, size);
	if (!st) st = cop__check_contents(r.g);
	if (st) cop_graph_free(r.g), r.g = NULL;
	cop__contents_drop(r.whole);
	*out = r.g;
	return st;
}
