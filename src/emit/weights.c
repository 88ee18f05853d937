/* SPDX-License-Identifier: Apache-2.0
 *
 * weights - the memory of an emitted network: constants and images in flash, segments in RAM.
 *
 * Contents are printed as 32-bit words, so that every bit survives and compilers are quick. Each array is a union with
 * a member of every type that kernels access it as: the language then allows what they do.
 */
#include "emit/emit.h"
#include "kernel/runs.h"

#include <stdio.h>

enum { PER_LINE = 10 };

static bool is_bytes(const cop_type *t) { return t->enc == COP_DENSE && cop__dtype_bits(t->dtype) <= 8; }

const char *cop__emit_member(const cop_type *t)
{
	if (t->enc != COP_DENSE) return "u";
	return t->dtype == COP_F32 ? "f" : t->dtype == COP_I32 ? "i" : "b";
}

static bool all_zero(const cop_var *v)
{
	const uint8_t *p = v->init;
	size_t n = cop_type_bytes(&v->type);

	for (size_t i = 0; p && i < n; i++)
		if (p[i]) return false;
	return true;
}

/* In flash: what never changes, and the first contents of what does. */
bool cop__emit_has_image(const cop_emission *e, int32_t i)
{
	const cop_var *v = &e->plan->var[i];
	return v->used && (!v->written || !all_zero(v));
}

bool cop__emit_codes(const cop_emission *e, bool adaptive)
{
	for (int en = 0; en < e->plan->n_entry; en++)
		for (int32_t s = 0; s < e->plan->entry[en].n_step; s++) {
			const cop_step *st = &e->plan->entry[en].step[s];
			if (st->code && cop_coded_runs(st->code) == adaptive) return true;
		}
	return false;
}

bool cop__emit_packs(const cop_step *st) { return st->kernel->pack && !st->pack_once && !st->code; }

static bool could_share(const cop_emission *e, int entry, const cop_step *a, int at, const cop_step *b)
{
	const cop_place *x = &a->buf[cop__packed_buf(&e->plan->entry[entry], a)], *y = &b->buf[cop__packed_buf(&e->plan->entry[at], b)];
	return b->pack_once && a->kernel->pack == b->kernel->pack && x->seg == y->seg && x->off == y->off &&
		a->kernel->pack_bytes(a->word) == b->kernel->pack_bytes(b->word);
}

/* Words may differ in what is no matter to the weight: the heights of bands. */
static bool same_bytes(const cop_emission *e, const cop_step *a, const cop_step *b)
{
	const size_t bytes = a->kernel->pack_bytes(a->word), second = (bytes + 63) & ~(size_t)63;
	char *to = cop__alloc(e->cx, 2 * second + 64);

	if (!to) return false;
	cop__rearrange(to, bytes, a, 0, 1);
	cop__rearrange(to + second, bytes, b, 0, 1);
	bool same = !memcmp(to, to + second, bytes);
	cop__free(e->cx, to);
	return same;
}

int32_t cop__emit_same_image(const cop_emission *e, int entry, int32_t s, int *at)
{
	const cop_step *mine = &e->plan->entry[entry].step[s];

	for (*at = 0; *at <= entry; ++*at)
		for (int32_t i = 0; i < (*at < entry ? e->plan->entry[*at].n_step : s); i++) {
			const cop_step *other = &e->plan->entry[*at].step[i];
			if (could_share(e, entry, mine, *at, other) && same_bytes(e, mine, other)) return i;
		}
	*at = entry;
	return s;
}

static bool packs_first(const cop_emission *e, int entry, int32_t s)
{
	int at;
	return e->plan->entry[entry].step[s].pack_once && cop__emit_same_image(e, entry, s, &at) == s && at == entry;
}

size_t cop__emit_flash_bytes(const cop_emission *e)
{
	size_t sum = 0;

	for (int32_t i = 0; i < e->plan->n_var; i++)
		if (cop__emit_has_image(e, i)) sum += (cop_type_bytes(&e->plan->var[i].type) + 3) / 4 * 4;
	for (int en = 0; en < e->plan->n_entry; en++)
		for (int32_t s = 0; s < e->plan->entry[en].n_step; s++) {
			const cop_step *st = &e->plan->entry[en].step[s];
			if (cop__plan_coded(&e->plan->entry[en], s) == s) sum += (st->code_bytes + 3) / 4 * 4;
			if (packs_first(e, en, s)) sum += (st->kernel->pack_bytes(st->word) + 3) / 4 * 4;
		}
	return sum;
}

/* One number; hexadecimal where that is shorter or a float. */
static int put_number(char *to, uint32_t n)
{
	static const char digit[] = "0123456789abcdef";
	char *p = to;
	int shift = 28;

	if (n < 10) {
		*p++ = digit[n];
	} else {
		*p++ = '0', *p++ = 'x';
		while (!(n >> shift)) shift -= 4;
		for (; shift >= 0; shift -= 4) *p++ = digit[n >> shift & 15];
	}
	*p++ = ',';
	return (int)(p - to);
}

static void put_data(cop_text *o, const uint8_t *p, size_t bytes)
{
	size_t n = (bytes + 3) / 4;
	char line[12 * PER_LINE];
	int len = 0;

	for (size_t i = 0; i < n; i++) {
		uint32_t word = 0;
		memcpy(&word, p + 4 * i, COP_MIN(4, bytes - 4 * i));
		len += put_number(line + len, word);
		if ((i + 1) % PER_LINE && i + 1 < n) continue;
		line[len++] = '\n';
		cop__text_bytes(o, line, (size_t)len);
		len = 0;
	}
}

static void put_var(cop_text *o, const cop_emission *e, int32_t i)
{
	const cop_var *v = &e->plan->var[i];
	size_t bytes = cop_type_bytes(&v->type), words = (bytes + 3) / 4;
	char plain[96];

	cop__text_add(o, "/* %s%s:", cop__emit_plain(plain, v->name), v->written ? " as it begins" : "");
	for (int d = 0; d < v->type.rank; d++) cop__text_add(o, " %d", v->type.dim[d]);
	if (v->type.enc != COP_DENSE) cop__text_add(o, ", %s", cop__enc_text(v->type.enc));
	cop__text_add(o, " */\n");
	if (is_bytes(&v->type)) cop__text_add(o, "static const union { uint32_t u[%zu]; uint8_t b[%zu]; } w%d = {{\n", words, bytes, i);
	else
		cop__text_add(o, "static const union { uint32_t u[%zu]; int32_t i[%zu]; float f[%zu]; } w%d = {{\n", words, words,
			words, i);
	put_data(o, v->init, bytes);
	cop__text_add(o, "}};\n");
}

/* A weight as its kernel wants it: rearranged here, by the row's own function. Of the buffers it gets those in
 * flash. */
static cop_status put_packed(cop_text *o, const cop_emission *e, int entry, int32_t s)
{
	const cop_entry *en = &e->plan->entry[entry];
	const cop_step *st = &en->step[s];
	size_t bytes = st->kernel->pack_bytes(st->word);
	void *to = cop__alloc(e->cx, bytes + 64);
	char plain[96];

	if (!to) return COP_NOMEM;
	cop__rearrange(to, bytes, st, 0, 1);
	cop__text_add(o, "/* %s, rearranged */\nstatic const uint32_t p%c%d[] = {\n",
		cop__emit_plain(plain, en->g->value[cop__arg(en->g, st->node, st->kernel->pack_in)].name), cop__emit_tag[entry], s);
	put_data(o, to, bytes);
	cop__text_add(o, "};\n");
	cop__free(e->cx, to);
	return COP_OK;
}

/* A weight that is decoded before its step runs. */
static void put_coded(cop_text *o, const cop_emission *e, int entry, int32_t s)
{
	const cop_entry *en = &e->plan->entry[entry];
	const cop_step *st = &en->step[s];
	char plain[96];

	cop__text_add(o, "/* %s, coded */\nstatic const uint32_t z%c%d[] = {\n",
		cop__emit_plain(plain, en->g->value[cop__arg(en->g, st->node, 1)].name), cop__emit_tag[entry], s);
	put_data(o, st->code, st->code_bytes);
	cop__text_add(o, "};\n");
}

static void put_segment(cop_text *o, const cop_emission *e, cop_segment seg, const char *name, const char *what)
{
	size_t bytes = e->plan->bytes[seg], words = bytes / 4;

	if (!bytes) return;
	cop__text_add(o,
		"\n/* %s */\nstatic union { uint32_t u[%zu]; int32_t i[%zu]; float f[%zu]; uint8_t b[%zu]; } %s ALIGNED(%d)%s;\n",
		what, words, words, words, bytes, name, e->plan->target.align, seg == COP_SEG_FAST ? " FAST" : "");
}

cop_status cop__emit_weights(cop_text *o, const cop_emission *e)
{
	for (int32_t i = 0; i < e->plan->n_var; i++)
		if (cop__emit_has_image(e, i)) put_var(o, e, i);
	for (int en = 0; en < e->plan->n_entry; en++)
		for (int32_t s = 0; s < e->plan->entry[en].n_step; s++) {
			if (packs_first(e, en, s)) COP_TRY(put_packed(o, e, en, s));
			if (cop__plan_coded(&e->plan->entry[en], s) == s) put_coded(o, e, en, s);
		}
	put_segment(o, e, COP_SEG_PARAM, "parameters", "Parameters that training changes, one block.");
	put_segment(o, e, COP_SEG_STATE, "state", "What else lives from step to step.");
	bool two = e->plan->bytes[COP_SEG_FAST];
	put_segment(o, e, COP_SEG_ARENA, "arena", two ? "What is temporary and had no room in the fast RAM."
		: "Everything temporary, inputs and outputs within.");
	put_segment(o, e, COP_SEG_FAST, "fast", "What is temporary and touched most.");
	return o->status;
}

/* Words of a written variable come from its image; the rest of the blocks is zero. */
static void put_restore(cop_text *o, const cop_emission *e, int32_t i)
{
	const cop_var *v = &e->plan->var[i];
	size_t words = (cop_type_bytes(&v->type) + 3) / 4;

	if (cop__emit_has_image(e, i))
		cop__text_add(o, "\tfor (i = 0; i < %zu; i++) %s.u[%zu + i] = w%d.u[i];\n", words,
			v->place.seg == COP_SEG_PARAM ? "parameters" : "state", v->place.off / 4, i);
}

void cop__emit_init(cop_text *o, const cop_emission *e)
{
	const size_t *bytes = e->plan->bytes;

	if (bytes[COP_SEG_PARAM] || bytes[COP_SEG_STATE]) cop__text_add(o, "\tsize_t i;\n\n");
	if (bytes[COP_SEG_PARAM])
		cop__text_add(o, "\tfor (i = 0; i < %zu; i++) parameters.u[i] = 0;\n", bytes[COP_SEG_PARAM] / 4);
	if (bytes[COP_SEG_STATE]) cop__text_add(o, "\tfor (i = 0; i < %zu; i++) state.u[i] = 0;\n", bytes[COP_SEG_STATE] / 4);
	for (int32_t i = 0; i < e->plan->n_var; i++)
		if (e->plan->var[i].written) put_restore(o, e, i);
}
