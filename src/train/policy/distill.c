/* SPDX-License-Identifier: Apache-2.0
 *
 * distill - a part of the loss is the distance from a teacher's answers to the same samples. The teacher is a network in
 * a file, or several of them, or the network itself as it is when the training begins; what a change of structure leaves
 * is then its own teacher from there on.
 */
#include "train/policy/teachers.h"

typedef struct options { char teacher[COP_TEACHER_PATHS]; float part; cop_choice by; } options;

/* What one can learn of a teacher's answers. */
static const cop_row *answer(int i)
{
	static const char *const name[] = {"distill", "dkd", "dist"};
	return i >= 0 && i < LEN(name) ? &cop__loss(name[i])->row : NULL;
}
const cop_table cop_distances = {"distances", "distance", "how far answers are from a teacher's", answer};

static const cop_option table[] = {
	COP_OPT_TEXT(options, teacher, "", "the file of a trained network with the same inputs and classes, in any format that can be read, or several with `|` between them; without one, the network as it is at the start"),
	COP_OPT_REAL(options, part, 0, 1, "0.9", "of the loss; the rest is what it was"),
	COP_OPT_CHOICE(options, by, &cop_distances, "distill", "the loss that tells how far the answers are from the teacher's"),
	COP_OPT_END,
};

static int32_t answers_of(const cop_graph *g)
{
	const cop_type *y = cop__t(g, g->output[0]);
	return y->rank ? y->dim[y->rank - 1] : 1;
}

/* What the loss was counts so much less; nothing of it is left where the teacher is all of it. */
static cop_status make_room(cop_build *b, float part, const cop_loss *loss)
{
	const cop_graph *g = cop__build_model(b);

	if (g->targets.count || !g->n_output || answers_of(g) < 2)
		return cop__error(g->cx, COP_ARG, "distill: '%s' does not tell classes apart, so there are no softened answers to learn", g->name);
	if (loss->number && !cop__build_knows_class(b))
		return cop__error(g->cx, COP_ARG,
			"the loss '%s' needs the class of each sample: it is not for unlabelled, mixed or balanced samples", loss->row.name);
	if (part < 1) cop__build_weigh_terms(b, 1 - part);
	else cop__build_no_terms(b);
	return COP_OK;
}

/* Do both call the same class by the same name, where both have names? */
static cop_status same_names(const cop_graph *g, const cop_graph *teacher)
{
	for (int32_t i = 0; i < g->classes.count && i < teacher->classes.count; i++)
		if (strcmp(g->classes.at[i], teacher->classes.at[i]))
			return cop__error(g->cx, COP_ARG, "distill: class %d of the teacher '%s' is '%s', and of '%s' it is '%s'", i, teacher->name, teacher->classes.at[i], g->name, g->classes.at[i]);
	return COP_OK;
}

/* Its answers are `part` of the loss. */
static cop_status learn_from(cop_build *b, const cop_graph *teacher, float part, const cop_loss *loss, const void *o)
{
	const cop_graph *g = cop__build_model(b), *as;

	COP_TRY(cop__build_teacher(b, teacher, &as));
	if (!as->n_output || answers_of(teacher) != answers_of(g))
		return cop__error(g->cx, COP_SHAPE, "distill: the teacher '%s' tells %d classes apart, '%s' %d", teacher->name,
			as->n_output ? answers_of(teacher) : 0, g->name, answers_of(g));
	COP_TRY(same_names(g, teacher));
	const cop_term t = {.loss = loss, .options = o, .weight = part, .target = cop__build_taught(b, as, as->output[0])};
	if (!t.target) return cop__failed(g->cx);
	return part > 0 ? cop__build_term(b, &t) : COP_OK;
}

/* ---- by the network itself, or one that is in memory ---- */

static cop_status build_taught(void *ud, cop_build *b)
{
	const cop_taught *o = ud;
	const struct { float temperature; bool standardise; } soft = {o->temperature, false};

	COP_TRY(make_room(b, o->part, cop__loss("distill")));
	return learn_from(b, o->by ? o->by : cop__build_model(b), o->part, cop__loss("distill"), &soft);
}

cop_policy cop__taught(cop_taught *t) { return (cop_policy){.name = "distill", .taught = true, .ud = t, .build = build_taught}; }

/* ---- by name ---- */

typedef struct lesson { cop_build *b; const cop_loss *loss; const void *options; float part; } lesson;

static cop_status one_teacher(void *ud, const cop_graph *teacher)
{
	const lesson *l = ud;
	return learn_from(l->b, teacher, l->part, l->loss, l->options);
}

/* Several teachers share the part: their mean answer is what is learned of `distill`. */
static cop_status build(void *ud, cop_build *b)
{
	const options *o = ud;
	lesson l = {b, cop__loss(answer(o->by.row)->name), o->by.o.bytes, o->part};

	COP_TRY(make_room(b, o->part, l.loss));
	if (!*o->teacher) return one_teacher(&l, cop__build_model(b));
	l.part /= cop__number_of_teachers(o->teacher);
	return cop__each_teacher(cop__build_model(b)->cx, o->teacher, one_teacher, &l);
}

static cop_status begin(void *ud, cop_graph *model, cop_dataset *d) { return cop__examine_teachers(((const options *)ud)->teacher, model, d); }

static cop_status identity(void *ud, cop_text *t) { return cop__identity_teachers(t, ((const options *)ud)->teacher); }

static cop_status make(cop_policy *out, cop_arena *mem, const void *o)
{
	(void)mem;
	*out = (cop_policy){.name = "distill", .taught = true, .ud = (void *)(uintptr_t)o, .begin = begin, .build = build, .identity = identity};
	return COP_OK;
}

const cop_policy_row cop_policy_distill = {
	.row = {"distill", "a teacher's answers to the same samples are a part of the loss",
		"Hinton et al. 2015, arXiv 1503.02531", table, sizeof(options)}, .make = make, .teaches = true, .answers = true};
