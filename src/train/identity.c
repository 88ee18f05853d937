/* SPDX-License-Identifier: Apache-2.0
 *
 * identity - see identity.h.
 */
#include "train/identity.h"

#include "io/cop/cop.h"

#include <stdio.h>
#include <stdlib.h>

enum { MOST_NUMBERS = 1 << 22 }; /* of a data set that are looked at */

static void add_hash(cop_text *t, const char *label, const char *name, cop_sha256 *s)
{
	uint8_t h[32];

	cop__sha256_end(s, h);
	cop__text_add(t, "%s\t%s, contents %08x%08x\n", label, name, cop__be32(h), cop__be32(h + 4));
}

static cop_status more(void *sha, const void *bytes, size_t size) { return cop__sha256_more(sha, bytes, size), COP_OK; }

void cop__identity_bytes(cop_text *t, const char *label, const char *name, const void *bytes, size_t size)
{
	cop_sha256 s;

	cop__sha256_begin(&s);
	cop__sha256_more(&s, bytes, size);
	add_hash(t, label, name, &s);
}

/* Of its file, which is never there in one piece. */
cop_status cop__identity_graph(cop_text *t, const char *label, const cop_graph *g)
{
	cop_rope file;
	cop_sha256 s;

	cop__rope_init(&file, g->cx);
	cop__sha256_begin(&s);
	cop_status st = cop__model_rope(&file, g, NULL, 0, COP_CODEC_RAW);
	if (!st) st = cop__rope_write(&file, more, &s);
	if (!st) add_hash(t, label, g->name, &s);
	cop__rope_free(&file);
	return st ? st : t->status;
}

/* FNV-1a, over words. */
static uint64_t mix(uint64_t h, const void *bytes, size_t n_words)
{
	const uint8_t *p = bytes;

	for (size_t i = 0; i < n_words; i++) h = (h ^ cop__le32(p + 4 * i)) * 0x100000001b3u;
	return h;
}

/* x: room for a sample and what belongs to it. */
static cop_status samples(uint64_t *h, cop_dataset *d, float *x)
{
	float *y = x + cop_type_count(&d->x);
	int64_t each = cop_type_count(&d->x), step = COP_MAX(1, (int64_t)d->count * each / MOST_NUMBERS);

	for (int64_t i = 0; i < d->count; i += step) {
		int32_t label = 0;
		COP_TRY(d->get(d->ud, (int32_t)i, x, &label));
		if (d->targets) COP_TRY(d->target(d->ud, (int32_t)i, y));
		*h = mix(mix(mix(*h, x, (size_t)each), &label, 1), y, (size_t)d->targets);
	}
	return COP_OK;
}

cop_status cop__identity_data(cop_text *t, const char *label, cop_dataset *d)
{
	uint64_t h = 0xcbf29ce484222325u;
	float *x = d ? cop__alloc(t->cx, (size_t)(cop_type_count(&d->x) + d->targets) * sizeof *x) : NULL;

	if (!d) return cop__text_add(t, "%s\tnone\n", label), t->status;
	if (!x) return COP_NOMEM;
	cop_status st = samples(&h, d, x);
	cop__free(t->cx, x);
	if (st) return st;
	cop__text_add(t, "%s\t%d samples of ", label, d->count);
	for (int i = 0; i < d->x.rank; i++) cop__text_add(t, i ? "x%d" : "%d", d->x.dim[i]);
	cop__text_add(t, ", %d classes, contents %016llx\n", d->classes, (unsigned long long)h);
	return t->status;
}

/* As few digits as tell it from every other float: 0.05, not 0.0500000007. */
static void add_real(cop_text *t, const char *label, float v)
{
	char text[COP_FLOAT_TEXT];
	cop__text_add(t, "%s\t%s\n", label, cop__float_print(text, v));
}

void cop__identity_args(cop_text *t, const cop_train_args *a)
{
	cop__text_add(t, "seed\t%lld\nepochs\t%d\nbatch\t%d\n", (long long)a->seed, a->epochs, a->batch);
	add_real(t, "lr", a->lr);
	cop__text_add(t, "update\t%s\nschedule\t%s\naugment\t%s\n", a->update ? a->update : "sgd momentum=0.9",
		a->schedule ? a->schedule : "cosine", a->augment ? a->augment : "none");
	add_real(t, "smooth", a->smooth);
	cop__text_add(t, "policies\t%s\n", a->policies ? a->policies : "none");
	cop__text_add(t, "kept epoch\t%s\n", a->keep == COP_KEEP_BEST ? "the best" : "the last");
	if (a->bf16) cop__text_add(t, "products\tbf16\n");
}

bool cop__same_weights(const cop_graph *a, const cop_graph *b)
{
	for (int32_t v = 1; v <= a->n_value; v++) {
		const cop_value *x = &a->value[v];
		if (x->role != COP_PARAM && x->role != COP_STATE) continue;
		cop_vid f = cop__find(b, x->name);
		size_t bytes = cop_type_bytes(&x->type);
		if (!f || bytes != cop_type_bytes(cop__t(b, f)) || !x->data != !b->value[f].data) return false;
		if (x->data && memcmp(x->data, b->value[f].data, bytes)) return false;
	}
	return true;
}
