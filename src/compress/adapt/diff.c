/* SPDX-License-Identifier: Apache-2.0
 *
 * diff - what training changed, as a file, and the network of that file and the one that it began with. The file has a few lines of text, and then a record as devices keep it
 * (kernel/keep.h); a slot that was read out of a device's flash is such a record without the lines.
 *
 *   coppice difference 1
 *   apply to_infer fuse head:classes=5,seed=1     what the network went through before it was trained
 *   class NAME                                    of each class, where there are names
 *   samples ...                                   how samples are scaled: words of 32 bits, hexadecimal
 *   sum ...                                       CRC-32C of all lines before this one
 *   (an empty line)
 */
#include "compress/adapt/adapt.h"
#include "core/need.h"
#include "kernel/keep.h"
#include "pass/parts.h"
#include "pass/pass.h"

#include <stdio.h>
#include <stdlib.h>

#define FIRST_LINE "coppice difference 1\n"
enum { MOST_PARTS = 4096 };

/* ---- a record in memory: slot 0 of a flash that has no other ---- */

static int erase(void *ud, int slot)
{
	(void)ud;
	return slot;
}

static int write(void *ud, int slot, uint32_t at, const void *bytes, uint32_t n)
{
	cop_text *t = ud;

	if (slot) return 1;
	while (!t->status && t->len < at + n) cop__text_bytes(t, "", 1);
	if (!t->status) memcpy(t->data + at, bytes, n);
	return t->status != COP_OK;
}

static int read(void *ud, int slot, uint32_t at, void *bytes, uint32_t n)
{
	const cop_text *t = ud;

	if (slot || at >= t->len) return 1;
	memset(bytes, 0xff, n);
	memcpy(bytes, t->data + at, COP_MIN(n, t->len - at));
	return 0;
}

static cop_flash memory(cop_text *t, size_t size) { return (cop_flash){t, (uint32_t)COP_MIN(size, UINT32_MAX - 64), erase, write, read}; }

/* ---- its parts ---- */

static int by_hash(const void *a, const void *b)
{
	const cop_kept *x = a, *y = b;
	return (x->hash > y->hash) - (x->hash < y->hash);
}

static uint32_t width_of(const cop_type *t) { return t->enc ? 0 : t->dtype == COP_I8 ? 1 : t->dtype == COP_I32 || t->dtype == COP_F32 ? 4 : 0; }

static cop_kept part_of(const cop_graph *g, cop_vid v, const cop_graph *was)
{
	const cop_type *t = cop__t(g, v);
	return (cop_kept){cop__hash_text(g->value[v].name), (uint32_t)cop_type_count(t), width_of(t), (void *)(uintptr_t)g->value[v].data, was->value[cop__find(was, g->value[v].name)].data};
}

/* Integers that are parameters are trained; of floats, those that changed. */
static bool is_part(const cop_graph *g, cop_vid v, const cop_graph *was)
{
	const cop_value *x = &g->value[v], *old = x->name ? &was->value[cop__find(was, x->name)] : NULL;

	if (x->role != COP_PARAM || !old || !x->data || !width_of(&x->type)) return false;
	return x->type.dtype != COP_F32 || !old->data || memcmp(x->data, old->data, cop_type_bytes(&x->type));
}

static cop_status write_text(cop_text *t, const cop_graph *g, const char *passes)
{
	const cop_samples *s = &g->samples;
	uint32_t word[3 + 2 * COP_MOST_CHANNELS];
	const int n = s->channels;

	cop__text_add(t, FIRST_LINE "apply %s\n", passes);
	for (int32_t i = 0; cop_graph_class(g, i); i++)
		if (!strpbrk(cop_graph_class(g, i), "\n\r")) cop__text_add(t, "class %s\n", cop_graph_class(g, i));
	memcpy(word, &s->times, 4);
	word[1] = (uint32_t)n, word[2] = (uint32_t)s->layout;
	memcpy(word + 3, s->mean, 4 * (size_t)n);
	memcpy(word + 3 + n, s->std, 4 * (size_t)n);
	cop__text_add(t, "samples");
	for (int i = 0; i < 3 + 2 * n; i++) cop__text_add(t, " %08x", word[i]);
	cop__text_add(t, "\n");
	cop__text_add(t, "sum %08x\n\n", t->status ? 0 : cop__crc32c(t->data, t->len, 0));
	return t->status;
}

/* The parts of g in the order of records; *n is -1 where `was` is another network. */
static void gather(cop_kept *part, int32_t *n, const cop_graph *g, const cop_graph *was)
{
	*n = 0;
	for (int32_t v = 1; v <= g->n_value; v++) {
		const cop_value *x = &g->value[v];
		const cop_vid old = x->name && x->role == COP_PARAM ? cop__find(was, x->name) : 0;
		if (x->role != COP_PARAM) continue;
		if (!old || cop_type_bytes(&x->type) != cop_type_bytes(cop__t(was, old))) {
			*n = -1;
			return;
		}
		if (is_part(g, (cop_vid)v, was)) part[(*n)++] = part_of(g, (cop_vid)v, was);
	}
	qsort(part, (size_t)*n, sizeof *part, by_hash);
}

static cop_status record(cop_text *to, const cop_graph *g, const cop_graph *was)
{
	const cop_flash f = memory(to, SIZE_MAX);
	cop_kept *part = cop__alloc(g->cx, sizeof *part * (size_t)(g->n_value + 1));
	int32_t n = 0;

	if (!part) return COP_NOMEM;
	gather(part, &n, g, was);
	cop_status st = n < 0 ? cop__error(g->cx, COP_ARG, "difference: '%s' is another network now than it was", g->name) : cop_keep_write(&f, part, (uint32_t)n) ? COP_NOMEM : COP_OK;
	cop__free(g->cx, part);
	return st;
}

cop_status cop_diff_save(const cop_graph *g, const cop_graph *was, const char *passes, const char *path)
{
	COP_NEED(COP_CX(g), g);
	COP_NEED(g->cx, was);
	COP_NEED(g->cx, path);
	cop_text all, kept;

	cop__text_init(&all, g->cx);
	cop__text_init(&kept, g->cx);
	cop_status st = write_text(&all, g, passes ? passes : "");
	if (!st) st = record(&kept, g, was);
	if (!st) cop__text_bytes(&all, kept.data, kept.len);
	if (!st) st = all.status;
	if (!st) st = cop_file_write(g->cx, path, all.data, all.len);
	cop__text_free(&kept);
	cop__text_free(&all);
	return st;
}

/* ---- and back ---- */

typedef struct lines { char passes[256]; const char **name; int32_t n; cop_samples samples; bool scaled, whole; uint32_t sum; } lines; /* sum: of the lines so far; whole: it was found below them */

static cop_status bad(const cop_graph *g, const char *why) { return cop__error(g->cx, COP_FORMAT, "difference: %s", why); }

static bool read_samples(cop_samples *s, const char *p)
{
	uint32_t word[3 + 2 * COP_MOST_CHANNELS] = {0};
	int n = 0;

	for (char *end; n < LEN(word) && *p == ' '; p = end) word[n++] = (uint32_t)strtoul(p, &end, 16);
	if (n < 3 || word[1] > COP_MOST_CHANNELS || word[2] > COP_LAYOUT_LAST || n != 3 + 2 * (int)word[1]) return false;
	memcpy(&s->times, word, 4);
	s->channels = (int32_t)word[1], s->layout = (cop_layout)word[2];
	memcpy(s->mean, word + 3, 4 * word[1]);
	memcpy(s->std, word + 3 + word[1], 4 * word[1]);
	return true;
}

/* One line, which ends in a zero byte. */
static bool read_line(lines *l, const char *p)
{
	char sum[16];

	cop__format(sum, sizeof sum, "sum %08x", l->sum);
	if (!strcmp(p, sum)) return l->whole = true;
	if (!strncmp(p, "apply ", 6)) return cop__format(l->passes, sizeof l->passes, "%s", p + 6) < (int)sizeof l->passes;
	if (!strncmp(p, "class ", 6) && l->n < MOST_PARTS) return l->name[l->n++] = p + 6, true;
	return l->scaled = !strncmp(p, "samples", 7) && read_samples(&l->samples, p + 7), l->scaled;
}

/* The lines before the record, which then begins at *at. text: a copy that may be changed. */
static bool read_lines(lines *l, char *text, size_t size, size_t *at)
{
	char *p = text + sizeof FIRST_LINE - 1, *end = text + size;

	l->sum = cop__crc32c(text, sizeof FIRST_LINE - 1, 0);
	for (char *stop; (stop = memchr(p, '\n', (size_t)(end - p))); p = stop + 1) {
		const uint32_t sum = cop__crc32c(p, (size_t)(stop + 1 - p), l->sum);
		*stop = 0;
		if (stop == p) return *at = (size_t)(p + 1 - text), l->whole;
		if (l->whole || memchr(p, 0, (size_t)(stop - p)) || !read_line(l, p)) return false;
		l->sum = sum;
	}
	return false;
}

static uint32_t word_at(const char *p) { return (uint8_t)p[0] | (uint32_t)(uint8_t)p[1] << 8 | (uint32_t)(uint8_t)p[2] << 16 | (uint32_t)(uint8_t)p[3] << 24; }

static cop_vid named(const cop_graph *g, uint32_t hash)
{
	for (int32_t v = 1; v <= g->n_value; v++)
		if (g->value[v].name && g->value[v].role != COP_TEMP && g->value[v].role != COP_INPUT && cop__hash_text(g->value[v].name) == hash) return (cop_vid)v;
	return 0;
}

/* The weight of which `hash` is the name of a part. */
static cop_vid named_part(const cop_graph *g, uint32_t hash)
{
	char name[COP_FOLLOWER];

	for (int32_t v = 1; v <= g->n_value; v++) {
		const cop_value *x = &g->value[v];
		if (x->name && x->role >= COP_CONST && x->type.rank > 1 && snprintf(name, sizeof name, "%s." COP_PART, x->name) < (int)sizeof name && cop__hash_text(name) == hash) return (cop_vid)v;
	}
	return 0;
}

static cop_status another(const cop_graph *g) { return cop__error(g->cx, COP_ARG, "difference: it is of another network: '%s' lacks a weight of it", g->name); }

/* The layers of int8 that the record has. */
static cop_status make_trainable(cop_graph **g, const char *table, uint32_t n)
{
	cop_graph *made = NULL;
	cop_text layers;
	int32_t found;
	bool known = true;

	cop__text_init(&layers, (*g)->cx);
	for (uint32_t i = 0; i < n && known; i++) {
		const uint32_t hash = word_at(table + 8 * i);
		const cop_vid whole = named(*g, hash), w = whole ? whole : named_part(*g, hash);
		known = w;
		if (known) cop__text_add(&layers, "%s%s", i ? "|" : "", (*g)->value[w].name);
	}
	cop_status st = known ? layers.status : another(*g);
	if (!st) st = cop__pass_trainable(&made, *g, layers.data, &found);
	cop__text_free(&layers);
	if (st) return st;
	cop_graph_free(*g);
	*g = made;
	return COP_OK;
}

/* The parts of weights that it has. */
static cop_status make_parts(cop_graph **g, const char *table, uint32_t n)
{
	cop_graph *made = NULL;
	int64_t *elements = cop__alloc((*g)->cx, sizeof *elements * ((size_t)(*g)->n_value + 1));

	if (!elements) return COP_NOMEM;
	for (uint32_t i = 0; i < n; i++) {
		const uint32_t hash = word_at(table + 8 * i);
		if (!named(*g, hash)) elements[named_part(*g, hash)] = word_at(table + 8 * i + 4) & 0x7fffffff;
	}
	cop_status st = cop__pass_parts_of(&made, *g, elements);
	cop__free((*g)->cx, elements);
	if (st) return st;
	cop_graph_free(*g);
	*g = made;
	return COP_OK;
}

static cop_status load(cop_graph *g, cop_text *record, uint32_t n)
{
	const cop_flash f = memory(record, record->len);
	cop_kept *part = cop__alloc(g->cx, sizeof *part * ((size_t)n + 1));
	cop_status st = part ? COP_OK : COP_NOMEM;

	for (uint32_t i = 0; !st && i < n; i++) {
		const cop_vid v = named(g, word_at(record->data + COP_KEEP_HEAD + 8 * i));
		if (!v) st = another(g);
		if (!st && !width_of(cop__t(g, v))) st = cop__error(g->cx, COP_ARG, "difference: '%s' has no contents that could be changed", g->value[v].name);
		if (!st) part[i] = part_of(g, v, g); /* what was, others may share: what is now gets bytes of its own */
		if (!st && !(part[i].now = cop__alloc(g->cx, cop_type_bytes(cop__t(g, v))))) st = COP_NOMEM;
	}
	if (!st && cop_keep_load(&f, part, n)) st = cop__error(g->cx, COP_ARG, "difference: it is damaged, or its weights began otherwise than those of '%s'", g->name);
	for (uint32_t i = 0; part && i < n; i++) {
		const cop_vid v = named(g, word_at(record->data + COP_KEEP_HEAD + 8 * i));
		void *own = !st ? cop__own(g, v) : NULL;
		if (!st && !own) st = COP_NOMEM;
		if (own) memcpy(own, part[i].now, cop_type_bytes(cop__t(g, v)));
		cop__free(g->cx, part[i].now);
	}
	cop__free(g->cx, part);
	return st;
}

static cop_status settle_all(cop_graph **g, const lines *l)
{
	COP_TRY(cop_graph_settle(g));
	if (l->scaled) (*g)->samples = l->samples;
	(*g)->accuracy = -1;
	return l->n ? cop_graph_classes_set(*g, l->name, l->n) : COP_OK;
}

static cop_status apply(cop_graph **g, lines *l, char *text, size_t size)
{
	cop_text record;
	size_t at = 0;

	if (size >= sizeof FIRST_LINE && !memcmp(text, FIRST_LINE, sizeof FIRST_LINE - 1) && !read_lines(l, text, size, &at)) return bad(*g, "its first lines are damaged");
	const uint32_t n = size - at > COP_KEEP_HEAD ? word_at(text + at + 16) & 0x7fffffff : 0;
	if (!n || n > MOST_PARTS || size - at < COP_KEEP_HEAD + 8 * n || word_at(text + at) != 0x44504f43) return bad(*g, "this is no difference, or it is cut short");
	if (*l->passes) COP_TRY(cop_graph_apply(g, l->passes));
	COP_TRY(make_trainable(g, text + at + COP_KEEP_HEAD, n));
	COP_TRY(make_parts(g, text + at + COP_KEEP_HEAD, n));
	cop__text_init(&record, (*g)->cx);
	cop__text_bytes(&record, text + at, size - at);
	cop_status st = record.status;
	if (!st) st = load(*g, &record, n);
	cop__text_free(&record);
	return st ? st : settle_all(g, l);
}

cop_status cop_diff_apply(cop_graph **g, const void *bytes, size_t size)
{
	COP_NEED(NULL, g);
	COP_NEED(NULL, *g);
	COP_NEED((*g)->cx, bytes);
	cop_ctx *cx = (*g)->cx;
	cop_graph *made = NULL;
	lines l = {.name = cop__alloc(cx, sizeof *l.name * MOST_PARTS)};
	char *text = cop__alloc(cx, size + 1);
	cop_status st = l.name && text ? cop_graph_copy(&made, *g) : COP_NOMEM;

	if (!st) {
		memcpy(text, bytes, size);
		st = apply(&made, &l, text, size);
	}
	cop__free(cx, text);
	cop__free(cx, l.name);
	cop_graph_free(st ? made : *g);
	if (!st) *g = made;
	return st;
}
