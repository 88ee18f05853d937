/* SPDX-License-Identifier: Apache-2.0
 *
 * hint - values within the network learn from values within a teacher. What that adds to the loss stands beside the rest of it, also beside
 * `distill`, whichever is named first. Where both have the same teacher, it runs once.
 */
#include "train/loss/hint.h"
#include "train/policy/pairs.h"
#include "train/policy/teachers.h"

typedef struct options { char teacher[COP_TEACHER_PATHS], at[512]; cop_choice by; } options;

static const cop_row *row(int i) { return i >= 0 && i < COP_HINTS ? &cop_hint_rows[i].loss.row : NULL; }
const cop_table cop_hints = {"hints", "hint", "how values within a network learn from those within a teacher", row};

static const cop_option table[] = {
	COP_OPT_TEXT(options, teacher, "", "the file of a trained network with the same inputs, in any format that can be read, or several with `|` between them; without one, the network as it is at the start"),
	COP_OPT_TEXT(options, at, "", "layers whose values learn, `|` between them, by the names of their weights: `conv3`, or `conv3>conv9` where the teacher's has another name; without it, of each height and width the last in both networks"),
	COP_OPT_CHOICE(options, by, &cop_hints, "attention", "what of the values is compared"),
	COP_OPT_END,
};

typedef struct lesson { cop_build *b; const options *o; float share; } lesson;

static cop_status learn(const lesson *l, const cop_graph *as, const cop_pair *p)
{
	const cop_loss *loss = &cop_hint_rows[l->o->by.row].loss;
	const cop_hint_weight *w = (const void *)l->o->by.o.bytes;
	const cop_term t = {.loss = loss, .options = w, .weight = w->weight * l->share, .y = cop__build_inner(l->b, p->student),
		.target = cop__build_taught(l->b, as, p->teacher), .beside = true};

	if (!t.y || !t.target) return cop__failed(as->cx);
	cop__log(as->cx, COP_LOG_INFO, "hint: '%s' learns from '%s' of the teacher '%s' by %s", p->of, p->from, as->name, loss->row.name);
	return cop__build_term(l->b, &t);
}

static cop_status one_teacher(void *ud, const cop_graph *teacher)
{
	const lesson *l = ud;
	const cop_graph *as;
	cop_pairs pairs;

	COP_TRY(cop__build_teacher(l->b, teacher, &as));
	COP_TRY(cop__pairs(&pairs, &(cop_pairing){cop__build_model(l->b), as, cop_hint_rows[l->o->by.row].positions, l->o->at}));
	for (int32_t i = 0; i < pairs.n; i++) COP_TRY(learn(l, as, &pairs.at[i]));
	return COP_OK;
}

/* Several teachers share the weight. */
static cop_status build(void *ud, cop_build *b)
{
	const options *o = ud;
	lesson l = {b, o, 1};

	if (!*o->teacher) return one_teacher(&l, cop__build_model(b));
	l.share /= cop__number_of_teachers(o->teacher);
	return cop__each_teacher(cop__build_model(b)->cx, o->teacher, one_teacher, &l);
}

static cop_status begin(void *ud, cop_graph *model, cop_dataset *d) { return cop__examine_teachers(((const options *)ud)->teacher, model, d); }

static cop_status identity(void *ud, cop_text *t) { return cop__identity_teachers(t, ((const options *)ud)->teacher); }

static cop_status make(cop_policy *out, cop_arena *mem, const void *o)
{
	(void)mem;
	*out = (cop_policy){.name = "hint", .taught = true, .ud = (void *)(uintptr_t)o, .begin = begin, .build = build, .identity = identity};
	return COP_OK;
}

const cop_policy_row cop_policy_hint = {
	.row = {"hint", "values within a teacher are learnt, beside its answers", "Romero et al. 2015, arXiv 1412.6550; Zagoruyko and Komodakis 2017, arXiv 1612.03928",
		table, sizeof(options)}, .make = make, .teaches = true};
