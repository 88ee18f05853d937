/* SPDX-License-Identifier: Apache-2.0
 *
 * teacher - networks that run beside the one that is trained, and values within both; see build.h.
 */
#include "pass/pass.h"
#include "train/build_record.h"

#include <stdio.h>

typedef struct shape_text { char text[96]; } shape_text;

static const char *shape(shape_text *out, const cop_type *t)
{
	int at = snprintf(out->text, sizeof out->text, "%s", cop__dtype_text(t->dtype));

	for (int i = 0; i < t->rank; i++) at += snprintf(out->text + at, sizeof out->text - (size_t)at, "%s%d", i ? "," : "[", t->dim[i]);
	snprintf(out->text + at, sizeof out->text - (size_t)at, "%s", t->rank ? "]" : "");
	return out->text;
}

static cop_status fits(const cop_build *b, const cop_graph *t)
{
	const cop_graph *s = b->model;

	for (int32_t i = 0; i < t->n_input; i++) {
		const cop_value *x = &t->value[t->input[i]], *y = &s->value[s->input[i]];
		shape_text a, c;
		if (x->type.dtype == y->type.dtype && cop__same_shape(&x->type, &y->type)) continue;
		return cop__error(b->cx, COP_SHAPE, "the teacher '%s' takes %s as its input '%s', the network %s", t->name,
			shape(&a, &x->type), x->name, shape(&c, &y->type));
	}
	return cop_graph_keeps_state(t) ? cop__error(b->cx, COP_ARG,
		"the teacher '%s' keeps a state from run to run, so its answers depend on more than the sample", t->name) : COP_OK;
}

static cop_status deployed(cop_graph **out, const cop_build *b, const cop_graph *teacher)
{
	cop_graph *view, *batched = NULL, *plain = NULL;

	COP_TRY(cop__teacher_view(&view, teacher, b->model));
	cop_status st = cop__batch_for(&batched, view, &(cop_sized_args){.n = cop__samples_held(b->model, 0)}, NULL);
	if (!st) st = cop__pass_to_infer(&plain, batched);
	if (!st) st = cop__pass_fuse(out, plain);
	cop_graph_free(view);
	cop_graph_free(batched);
	cop_graph_free(plain);
	return st;
}

/* ---- one that is there already ---- */

static bool same_node(const cop_node *a, const cop_node *b)
{
	return a->op == b->op && a->n_in == b->n_in && a->guard == b->guard && !memcmp(a->in, b->in, sizeof a->in) &&
		!memcmp(a->out, b->out, sizeof a->out) && !memcmp(a->attr, b->attr, sizeof a->attr);
}

static bool same_value(const cop_value *a, const cop_value *b)
{
	const cop_type *t = &a->type, *u = &b->type;

	if (a->role != b->role || t->dtype != u->dtype || t->enc != u->enc || t->enc_bytes != u->enc_bytes || !cop__same_shape(t, u)) return false;
	if (a->role < COP_CONST || a->data == b->data) return true;
	return a->data && b->data && !memcmp(a->data, b->data, cop_type_bytes(t));
}

static bool same_graph(const cop_graph *a, const cop_graph *b)
{
	if (a->n_value != b->n_value || a->n_node != b->n_node || a->n_output != b->n_output) return false;
	for (int32_t i = 0; i < a->n_output; i++)
		if (a->output[i] != b->output[i]) return false;
	for (int32_t n = 1; n <= a->n_node; n++)
		if (!same_node(&a->node[n], &b->node[n])) return false;
	for (int32_t v = 1; v <= a->n_value; v++)
		if (!same_value(&a->value[v], &b->value[v])) return false;
	return true;
}

/* Its number; n_teacher: it is new. */
static int32_t find(const cop_build *b, const cop_graph *t)
{
	int32_t i = 0;

	while (i < b->n_teacher && !same_graph(b->teacher[i], t)) i++;
	return i;
}

cop_status cop__build_teacher(cop_build *b, const cop_graph *teacher, const cop_graph **as)
{
	cop_graph *t;

	if (teacher->n_input < 1 || b->model->n_input < 1) return cop__error(b->cx, COP_ARG, "the teacher or the network has no input");
	COP_TRY(deployed(&t, b, teacher));
	int32_t i = find(b, t);
	cop_status st = fits(b, t);
	if (!st && i == COP_MAX_TEACHERS) st = cop__error(b->cx, COP_ARG, "a network can have %d teachers, not more", COP_MAX_TEACHERS);
	if (!st && i == b->n_teacher) b->teacher[b->n_teacher++] = t;
	else cop_graph_free(t);
	*as = st ? NULL : b->teacher[i];
	return st;
}

/* ---- values ---- */

/* The name of v, which is one of its own where it had none. */
static const char *named(cop_graph *g, cop_vid v)
{
	char name[24];

	if (!g->value[v].name) {
		for (uint32_t i = v; snprintf(name, sizeof name, "inner%u", i), cop__find(g, name); i++) continue;
		cop__name(g, v, name);
	}
	return g->value[v].name;
}

cop_handle cop__build_inner(cop_build *b, cop_vid v)
{
	const char *name = named(b->model, v);
	return name ? cop__build_value(b, name) : 0;
}

cop_handle cop__build_taught(cop_build *b, const cop_graph *as, cop_vid v)
{
	char name[COP_FOLLOWER], whose[24];
	int32_t i = 0;

	while (b->teacher[i] != as) i++;
	const char *own = named(b->teacher[i], v);
	return own && !cop__follower_name(name, b->cx, cop__teacher_name(whose, i), own) ? cop__build_value(b, name) : 0;
}

const char *cop__teacher_name(char to[24], int32_t i)
{
	snprintf(to, 24, i ? "teacher%d" : "teacher", i + 1);
	return to;
}
