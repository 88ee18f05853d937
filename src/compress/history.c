/* SPDX-License-Identifier: Apache-2.0
 *
 * history - see history.h.
 */
#include "compress/history.h"
#include "compress/layers.h"
#include "enc/enc.h"
#include "train/policy.h"

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
		cop__epoch_note(&h->epochs, e);
		cop__text_add(&h->curve, ",\"epoch\":%d,\"loss\":%.6g,\"accuracy\":%.6g}", e->epoch, (double)e->loss, (double)e->accuracy);
	}
	if (h->progress) h->progress(h->ud, e);
}

void cop__history_begin(cop_history *h, cop_ctx *cx, const char *recipe, cop_train_args *a)
{
	*h = (cop_history){.cx = cx, .progress = a->progress, .ud = a->ud};
	snprintf(h->result.recipe, sizeof h->result.recipe, "%s", recipe);
	cop__text_init(&h->curve, cx);
	cop__text_init(&h->epochs, cx);
	cop__text_init(&h->orders, cx);
	cop__text_init(&h->layers, cx);
	a->progress = on_progress;
	a->ud = h;
}

static void put_costs(cop_text *t, const cop_stage_result *s)
{
	cop__text_add(t, ",\"what\":");
	put_text(t, s->what);
	cop__text_add(t, ",\"flash\":[%zu,%zu],\"ram\":[%zu,%zu],\"macs\":[%lld,%lld]", s->flash[0], s->flash[1], s->ram[0],
		s->ram[1], (long long)s->macs[0], (long long)s->macs[1]);
	if (s->instructions[0]) cop__text_add(t, ",\"instructions\":[%lld,%lld]", (long long)s->instructions[0], (long long)s->instructions[1]);
}

static void put_stage(cop_text *t, const cop_stage_result *s, bool first)
{
	cop__text_add(t, "%s{\"stage\":\"%s\",\"accuracy\":[%.6g,%.6g],\"loss\":[%.6g,%.6g],\"bytes\":[%zu,%zu],\"kept\":%s,\"why\":", first ? "" : ",", s->stage,
		(double)s->accuracy[0], (double)s->accuracy[1], (double)s->loss[0], (double)s->loss[1], s->bytes[0], s->bytes[1], s->kept ? "true" : "false");
	put_text(t, s->why);
	cop__text_add(t, ",\"seconds\":%.1f", s->seconds);
	if (s->flash[0]) put_costs(t, s);
	cop__text_add(t, "}");
}

static void put_stages(cop_text *t, const cop_compress_result *r)
{
	cop__text_add(t, ",\"stages\":[");
	for (int32_t i = 0; i < r->n_stage; i++) put_stage(t, &r->stage[i], i == 0);
	cop__text_add(t, "]");
}

void cop__history_order(cop_text *t, const cop_order_result *o, const cop_compress_result *r)
{
	cop__text_add(t, "%s{\"order\":\"%s\",\"accuracy\":%.6g,\"loss\":%.6g,\"test\":%.6g,\"lost\":%.6g,\"bytes\":%zu,\"kept\":%d,\"fits\":%s,\"seconds\":%.1f",
		t->len ? "," : "", o->order, (double)o->accuracy, (double)o->loss, (double)o->test, o->lost, o->bytes, o->kept, o->fits ? "true" : "false", o->seconds);
	put_stages(t, r);
	cop__text_add(t, "}");
}

static void put_orders(cop_text *t, const cop_history *h)
{
	for (int32_t k = 0; k < h->result.n_order; k++)
		if (h->result.order[k].best) cop__text_add(t, ",\"order\":\"%s\",\"orders\":[%s]", h->result.order[k].order, h->orders.data);
}

static void put_side(cop_text *t, const char *key, const cop_compress_side *s)
{
	const cop_figures *f = &s->figures;
	cop__text_add(t, ",\"%s\":{\"accuracy\":%.6g,\"parameters\":%lld,\"nonzero\":%lld,\"macs\":%lld,\"file_bytes\":%zu,\"flash_bytes\":%zu,\"ram_bytes\":%zu,\"energy_nj\":%.6g,\"microseconds\":%.4g}",
		key, (double)s->accuracy, (long long)f->parameters, (long long)f->nonzero, (long long)f->macs, f->file_bytes,
			f->flash_bytes, f->ram_bytes, f->energy_nj, s->microseconds);
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

/* A weight that lost channels has fewer numbers than it had. */
static void put_layer(cop_text *t, const cop_value *x, const float *old, const cop_value *y, const float *new)
{
	int64_t n = cop_type_count(&x->type), m = cop_type_count(&y->type), nonzero = 0;
	float range = 1e-9f;

	for (int64_t i = 0; i < n; i++) range = fmaxf(range, fabsf(old[i]));
	for (int64_t i = 0; i < m; i++) range = fmaxf(range, fabsf(new[i])), nonzero += new[i] != 0;
	cop__text_add(t, "%s{\"name\":", t->len ? "," : "");
	put_text(t, x->name);
	cop__text_add(t, ",\"count\":%lld,\"nonzero\":%lld,\"range\":%.6g,\"bytes\":%zu,\"before\":", (long long)n,
		(long long)nonzero, (double)range, cop_type_bytes(&y->type));
	histogram(t, old, n, range);
	cop__text_add(t, ",\"after\":");
	histogram(t, new, m, range);
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
		if (!st) put_layer(&h->layers, x, old, &after->value[same], new);
		cop__free(h->cx, old);
		cop__free(h->cx, new);
	}
	return st;
}

cop_status cop__history_end(cop_history *h, cop_write_fn *write, void *ud)
{
	const cop_compress_result *r = &h->result;
	cop_text t;

	COP_TRY(h->curve.status);
	COP_TRY(h->epochs.status);
	COP_TRY(h->layers.status);
	cop__text_init(&t, h->cx);
	cop__text_add(&t, "{\"recipe\":");
	put_text(&t, r->recipe);
	put_side(&t, "before", &r->before);
	put_side(&t, "after", &r->after);
	put_orders(&t, h);
	put_stages(&t, r);
	cop__text_add(&t, ",\"curve\":[%s],\"layers\":[%s]}\n", h->curve.len ? h->curve.data : "", h->layers.len ? h->layers.data : "");
	cop_status st = t.status;
	if (!st && write) st = write(ud, t.data, t.len);
	cop__text_free(&t);
	return st;
}

void cop__history_free(cop_history *h)
{
	cop__text_free(&h->curve);
	cop__text_free(&h->epochs);
	cop__text_free(&h->orders);
	cop__text_free(&h->layers);
}
