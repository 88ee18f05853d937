/* SPDX-License-Identifier: Apache-2.0
 *
 * history - see history.h.
 */
#include "compress/history.h"
#include "compress/compress.h"
#include "enc/enc.h"

#include <math.h>
#include <stdio.h>

enum { BINS = 65 };

/* Names come from recipes and files. */
static void put_text(cop_text *t, const char *s)
{
	size_t n = cop_text_json(NULL, 0, s) + 1;
	char *text = cop__alloc(t->cx, n);

	if (text) cop_text_json(text, n, s);
	else t->status = COP_NOMEM;
	cop__text_add(t, "\"%s\"", text ? text : "");
	cop__free(t->cx, text);
}

static void on_progress(void *ud, const cop_epoch *e)
{
	cop_history *h = ud;

	if (e->done >= 1) {
		cop__text_add(&h->curve, "%s{\"stage\":", h->curve.len ? "," : "");
		put_text(&h->curve, e->stage);
		cop__text_add(&h->curve, ",\"epoch\":%d,\"loss\":%.6g,\"accuracy\":%.6g}", e->epoch, (double)e->loss, (double)e->accuracy);
	}
	if (h->progress) h->progress(h->ud, e);
}

void cop__history_begin(cop_history *h, cop_ctx *cx, const char *recipe, cop_train_args *a)
{
	*h = (cop_history){.cx = cx, .progress = a->progress, .ud = a->ud};
	cop__text_init(&h->head, cx);
	cop__text_init(&h->stages, cx);
	cop__text_init(&h->curve, cx);
	cop__text_init(&h->layers, cx);
	a->progress = on_progress;
	a->ud = h;
	cop__text_add(&h->head, "{\"recipe\":");
	put_text(&h->head, recipe);
}

void cop__history_stage(cop_history *h, const char *stage, const cop_mark *before, const cop_mark *after, const char *why, double seconds)
{
	cop_text *t = &h->stages;

	cop__text_add(t, "%s{\"stage\":\"%s\",\"accuracy\":[%.6g,%.6g],\"bytes\":[%zu,%zu],\"kept\":%s,\"why\":", t->len ? "," : "", stage,
		(double)before->accuracy, (double)after->accuracy, before->bytes, after->bytes, *why ? "false" : "true");
	put_text(t, why);
	cop__text_add(t, ",\"seconds\":%.1f}", seconds);
}

void cop__history_figures(cop_history *h, const char *key, const cop_score *test, const cop_figures *f, double microseconds)
{
	cop__text_add(&h->head, ",\"%s\":{\"accuracy\":%.6g,\"parameters\":%lld,\"nonzero\":%lld,\"macs\":%lld,\"file_bytes\":%zu,\"flash_bytes\":%zu,\"ram_bytes\":%zu,\"energy_nj\":%.6g,\"microseconds\":%.4g}",
		key, (double)test->accuracy, (long long)f->parameters, (long long)f->nonzero, (long long)f->macs, f->file_bytes, f->flash_bytes, f->ram_bytes, f->energy_nj, microseconds);
}

static void histogram(cop_text *t, const float *w, int64_t n, float range)
{
	int64_t bin[BINS] = {0};

	for (int64_t i = 0; i < n; i++) {
		if (w[i] == 0) continue;
		int b = (int)((w[i] / range + 1) * 0.5f * BINS);
		bin[COP_MIN(COP_MAX(b, 0), BINS - 1)]++;
	}
	for (int i = 0; i < BINS; i++) cop__text_add(t, "%s%lld", i ? "," : "[", (long long)bin[i]);
	cop__text_add(t, "]");
}

/* Values of any encoding, expanded. */
static cop_status expand(float **w, const cop_graph *g, cop_vid v)
{
	const cop_value *x = &g->value[v];

	*w = cop__alloc(g->cx, (size_t)cop_type_count(&x->type) * 4);
	return *w ? cop__decode(*w, g->cx, x->name, &x->type, x->data) : COP_NOMEM;
}

static void put_layer(cop_text *t, const cop_value *x, const float *old, const float *new, size_t bytes)
{
	int64_t n = cop_type_count(&x->type), nonzero = 0;
	float range = 1e-9f;

	for (int64_t i = 0; i < n; i++) range = fmaxf(range, fmaxf(fabsf(old[i]), fabsf(new[i]))), nonzero += new[i] != 0;
	cop__text_add(t, "%s{\"name\":", t->len ? "," : "");
	put_text(t, x->name);
	cop__text_add(t, ",\"count\":%lld,\"nonzero\":%lld,\"range\":%.6g,\"bytes\":%zu,\"before\":", (long long)n, (long long)nonzero, (double)range, bytes);
	histogram(t, old, n, range);
	cop__text_add(t, ",\"after\":");
	histogram(t, new, n, range);
	cop__text_add(t, "}");
}

cop_status cop__history_layers(cop_history *h, const cop_graph *before, const cop_graph *after)
{
	cop_status st = COP_OK;

	for (int32_t v = 1; !st && v <= before->n_value; v++) {
		const cop_value *x = &before->value[v];
		cop_vid same = cop__compressible(before, (cop_vid)v, "*") && x->data ? cop__find(after, x->name) : 0;
		float *old = NULL, *new = NULL;
		if (!same || !after->value[same].data || cop__t(after, same)->dtype != COP_F32) continue; /* integers have their scales elsewhere */
		st = expand(&old, before, (cop_vid)v);
		if (!st) st = expand(&new, after, same);
		if (!st) put_layer(&h->layers, x, old, new, cop_type_bytes(&after->value[same].type));
		cop__free(h->cx, old);
		cop__free(h->cx, new);
	}
	return st;
}

cop_status cop__history_pack(cop_text *t, const cop_history *h)
{
	const cop_text *part[] = {&h->head, &h->stages, &h->curve, &h->layers};

	for (int i = 0; i < LEN(part); i++) cop__text_add(t, i ? " %zu" : "%zu", part[i]->len);
	cop__text_add(t, "\n");
	for (int i = 0; i < LEN(part); i++) {
		COP_TRY(part[i]->status);
		cop__text_bytes(t, part[i]->data, part[i]->len);
	}
	return t->status;
}

cop_status cop__history_unpack(cop_history *h, const char *text, size_t size, const char *file)
{
	cop_text *part[] = {&h->head, &h->stages, &h->curve, &h->layers};
	size_t len[LEN(part)], at;
	int head = 0;

	bool ok = sscanf(text, "%zu %zu %zu %zu\n%n", &len[0], &len[1], &len[2], &len[3], &head) == LEN(part) && head > 0;
	at = (size_t)head;
	for (int i = 0; ok && i < LEN(part); i++) {
		ok = len[i] <= size - at;
		if (!ok) break;
		cop__text_free(part[i]);
		cop__text_bytes(part[i], text + at, len[i]);
		at += len[i];
	}
	return ok ? COP_OK : cop__error(h->cx, COP_FORMAT, "%s: its history is damaged", file);
}

cop_status cop__history_end(cop_history *h, cop_write_fn *write, void *ud)
{
	cop_text *t = &h->head;

	cop__text_add(t, ",\"stages\":[%s],\"curve\":[%s],\"layers\":[%s]}\n", h->stages.len ? h->stages.data : "", h->curve.len ? h->curve.data : "", h->layers.len ? h->layers.data : "");
	COP_TRY(h->stages.status);
	COP_TRY(h->curve.status);
	COP_TRY(h->layers.status);
	COP_TRY(t->status);
	return write ? write(ud, t->data, t->len) : COP_OK;
}

void cop__history_free(cop_history *h)
{
	cop__text_free(&h->head);
	cop__text_free(&h->stages);
	cop__text_free(&h->curve);
	cop__text_free(&h->layers);
}
