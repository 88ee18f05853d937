/* SPDX-License-Identifier: Apache-2.0
 *
 * pairs - see pairs.h.
 */
#include "train/policy/pairs.h"
#include "op/op.h"
#include "pass/pass.h"

#include <stdio.h>

/* What the layers of a network put out, in the order of its nodes. */
typedef struct put { const char *name; cop_vid v; } put;
typedef struct outlets { const cop_graph *g; put *at; int32_t n; } outlets;

/* ---- what a layer puts out ---- */

/* The weight that node n multiplies by, rounded or not; 0: it is no layer. */
static cop_vid weight_of(const cop_graph *g, cop_nid n)
{
	const int op = g->node[n].op;
	cop_vid w = op == OP_conv || op == OP_fc || op == OP_matmul ? cop__arg(g, n, 1) : 0;

	while (w && g->value[w].producer) w = cop__arg(g, g->value[w].producer, 0);
	return w && g->value[w].role >= COP_CONST ? w : 0;
}

/* reader[v]: the only node that reads v; 0: there are none or several. */
static cop_nid *readers(const cop_graph *g, cop_arena *mem)
{
	int32_t *count = cop__readers(g, mem);
	cop_nid *reader = cop__arena_get(mem, sizeof *reader * (size_t)(g->n_value + 1));

	for (cop_nid n = 1; count && reader && n <= (cop_nid)g->n_node; n++)
		for (int i = 0; i < g->node[n].n_in; i++)
			if (count[g->node[n].in[i]] == 1) reader[g->node[n].in[i]] = n;
	return count ? reader : NULL;
}

static cop_vid put_by(const cop_graph *g, const cop_nid *reader, cop_vid v)
{
	for (cop_nid n; (n = reader[v]); v = cop__res(g, n, 0)) {
		const cop_type *y = cop__t(g, cop__res(g, n, 0));
		if (weight_of(g, n) || y->dtype != COP_F32 || !cop__same_shape(y, cop__t(g, v))) break;
	}
	return v;
}

static bool is_usable(const cop_type *t, int32_t batch) { return t->dtype == COP_F32 && t->rank >= 2 && t->dim[0] == batch; }

static cop_status find_outlets(outlets *o, cop_arena *mem, const cop_graph *g, int32_t batch)
{
	const cop_nid *reader = readers(g, mem);

	*o = (outlets){.g = g, .at = cop__arena_get(mem, sizeof *o->at * (size_t)(g->n_node + 1))};
	if (!o->at || !reader) return COP_NOMEM;
	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++) {
		const cop_vid w = weight_of(g, n), v = w ? put_by(g, reader, cop__res(g, n, 0)) : 0;
		if (v && is_usable(cop__t(g, v), batch)) o->at[o->n++] = (put){g->value[w].name, v};
	}
	return COP_OK;
}

/* ---- sizes ---- */

static int64_t positions(const cop_type *t) { return cop_type_count(t) / t->dim[0] / t->dim[t->rank - 1]; }

static bool same_size(const cop_type *a, const cop_type *b)
{
	bool same = a->rank == b->rank;

	for (int i = 1; same && i < a->rank - 1; i++) same = a->dim[i] == b->dim[i];
	return same;
}

/* "12x12x6": height, width, channels. */
typedef struct size_text { char text[80]; } size_text;
static const char *size(size_text *out, const cop_type *t)
{
	int at = 0;

	out->text[0] = 0;
	for (int i = 1; i < t->rank; i++) at += snprintf(out->text + at, sizeof out->text - (size_t)at, i > 1 ? "x%d" : "%d", t->dim[i]);
	return out->text;
}

/* ---- pairs ---- */

static cop_status add(cop_pairs *out, const cop_graph *g, const put *s, const put *t)
{
	if (out->n == COP_MAX_PAIRS) return cop__error(g->cx, COP_ARG, "hint: there are more than %d pairs; name some of them: at=STUDENT>TEACHER", COP_MAX_PAIRS);
	out->at[out->n++] = (cop_pair){s->v, t->v, s->name, t->name};
	return COP_OK;
}

static bool is_answer(const cop_graph *g, cop_vid v)
{
	for (int32_t i = 0; i < g->n_output; i++)
		if (g->output[i] == v) return true;
	return false;
}

/* The last one of the size of `like`; NULL: none. */
static const put *last_of(const outlets *o, const cop_type *like)
{
	const put *last = NULL;

	for (int32_t i = 0; i < o->n; i++)
		if (!is_answer(o->g, o->at[i].v) && same_size(cop__t(o->g, o->at[i].v), like) && (!last || o->at[i].v > last->v)) last = &o->at[i];
	return last;
}

static cop_status pair_by_size(cop_pairs *out, const cop_pairing *p, const outlets *s, const outlets *t)
{
	for (int32_t i = 0; i < s->n; i++) {
		const cop_type *like = cop__t(s->g, s->at[i].v);
		const put *other = positions(like) >= p->positions ? last_of(t, like) : NULL;
		if (other && last_of(s, like) == &s->at[i]) COP_TRY(add(out, p->student, &s->at[i], other));
	}
	if (out->n) return COP_OK;
	if (p->positions > 1)
		return cop__error(p->student->cx, COP_ARG, "hint: '%s' and the teacher '%s' have no layers whose values are pictures of the same height and width; "
			"by=fitnet and by=similarity compare other values, too", p->student->name, p->teacher->name);
	return cop__error(p->student->cx, COP_ARG, "hint: '%s' and the teacher '%s' have no layers whose values are of the same height and width; "
		"name layers to be compared by=similarity: at=STUDENT>TEACHER", p->student->name, p->teacher->name);
}

/* ---- by name ---- */

/* Every layer by both of its names. */
typedef struct known { const outlets *o; char brief[64]; } known;
static const char *name_at(void *ud, int i)
{
	known *k = ud;
	const char *name = i / 2 < k->o->n ? k->o->at[i / 2].name : NULL, *dot = name ? strrchr(name, '.') : NULL;

	if (!dot || i % 2) return name;
	snprintf(k->brief, sizeof k->brief, "%.*s", (int)COP_MIN(dot - name, (ptrdiff_t)sizeof k->brief - 1), name);
	return k->brief;
}

/* Is the name "conv2.w" meant by "conv2.w" or "conv2"? */
static bool is_meant(const char *name, const char *text, size_t len)
{
	return !strncmp(name, text, len) && (!name[len] || (name[len] == '.' && !strchr(name + len + 1, '.')));
}

static cop_status find(const put **found, const outlets *o, const char *whose, const char *text, size_t len)
{
	char word[64];
	cop_hint hint;
	known k = {.o = o};

	*found = NULL;
	for (int32_t i = 0; i < o->n; i++)
		if (is_meant(o->at[i].name, text, len)) *found = &o->at[i];
	if (*found) return COP_OK;
	snprintf(word, sizeof word, "%.*s", (int)COP_MIN(len, sizeof word - 1), text);
	return cop__error(o->g->cx, COP_ARG, "hint: at: %s '%s' has no layer '%s' whose values could be compared%s", whose, o->g->name, word,
		cop__hint(&hint, word, name_at, &k));
}

static cop_status check_sizes(const cop_pairing *p, const put *s, const put *t)
{
	const cop_type *a = cop__t(p->student, s->v), *b = cop__t(p->teacher, t->v);
	size_text x, y;

	if (p->positions && !same_size(a, b))
		return cop__error(p->student->cx, COP_SHAPE, "hint: at: '%s' puts out %s and the teacher's '%s' %s; height and width must be the same, or by=similarity",
			s->name, size(&x, a), t->name, size(&y, b));
	if (positions(a) < p->positions)
		return cop__error(p->student->cx, COP_SHAPE, "hint: at: '%s' puts out %s, a single position, of which there is no map; use by=fitnet", s->name, size(&x, a));
	return COP_OK;
}

static cop_status pair_by_name(cop_pairs *out, const cop_pairing *p, const outlets *s, const outlets *t)
{
	for (const char *at = p->at; *(at += strspn(at, "|")); at += strcspn(at, "|")) {
		const size_t len = strcspn(at, "|");
		const char *sign = memchr(at, '>', len), *from = sign ? sign + 1 : at;
		const put *a, *b;
		COP_TRY(find(&a, s, "the network", at, sign ? (size_t)(sign - at) : len));
		COP_TRY(find(&b, t, "the teacher", from, (size_t)(at + len - from)));
		COP_TRY(check_sizes(p, a, b));
		COP_TRY(add(out, p->student, a, b));
	}
	return COP_OK;
}

cop_status cop__pairs(cop_pairs *out, const cop_pairing *p)
{
	const int32_t batch = cop__samples_held(p->student, 0);
	cop_arena mem;
	outlets s, t;

	out->n = 0;
	cop__arena_init(&mem, p->student->cx);
	cop_status st = find_outlets(&s, &mem, p->student, batch);
	if (!st) st = find_outlets(&t, &mem, p->teacher, batch);
	if (!st) st = *p->at ? pair_by_name(out, p, &s, &t) : pair_by_size(out, p, &s, &t);
	cop__arena_free(&mem);
	return st;
}
