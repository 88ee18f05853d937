/* SPDX-License-Identifier: Apache-2.0
 *
 * spec - "update=sgd momentum=0.9 loss=xent smooth=0.1 clip=1 layers=fc*": the rule of updates and the loss by name, with their options beside those
 * of the training as a whole. The name of a rule alone is short for update=NAME. "sgd by=(sgd momentum=0 lr=1e-5)": the second rule learns the first
 * one's rate and momentum.
 */
#include "train/build_record.h"

#include <stdio.h>

#define LEARNS                                                                                                               \
	COP_OPT_TEXT(cop_general, by, "", "the rule, in parentheses with its options, that learns this one's numbers by their gradient"), \
	COP_OPT_NAMES(cop_general, learn, "*", "which numbers are learnt, where by= is given"),                              \
	COP_OPT_WORD(cop_general, per, "network|weight", "network", "whether all weights have the same numbers, or each weight its own")

static const cop_option general[] = {
	COP_OPT_AMONG(cop_general, update, &cop_updates, "sgd", "the rule that changes weights by their gradients"),
	COP_OPT_AMONG(cop_general, loss, &cop_losses, "xent", "what is made small"),
	COP_OPT_TEXT(cop_general, layers, "*", "the weights that are trained, by name"),
	COP_OPT_REAL(cop_general, clip, 0, 1e30, "0", "the most that the norm of all gradients together may be; 0: no bound"),
	COP_OPT_REAL(cop_general, lr, 0, 1e30, "0.01", "learning rate, until another is set"),
	COP_OPT_RATES(cop_general, rates, 0, 1e6, NULL, "factors of the rate by name of the weight, the first that fits: *.bn.beta:64;fc1.*:0.1; 0: not trained"),
	COP_OPT_RATES(cop_general, channels, 0, 1, NULL, "the part of the channels that a layer reads whose weights are trained, by name of the weight: conv5.w:0.25;conv6.w:0.125; those with the largest weights"),
	COP_OPT_FLAG(cop_general, guard, "no", "whether a step whose loss is not finite changes no weight"),
	COP_OPT_WORD(cop_general, saved, "float|exact|int8|int8-all", "float", "what the backward pass reads of the forward pass: as it is; less of it, to the same bits; what is for gradients of weights alone as bytes; what batch norm and smooth functions want, too"),
	COP_OPT_WORD(cop_general, errors, "float|int8", "float", "gradients of activations of int8 layers: as floats; as bytes with one unit each, a quarter of the memory"),
	COP_OPT_WORD(cop_general, rounding, "pseudo|nearest|stochastic|truncate", "pseudo", "how errors=int8 rounds: by the bits that are lost; to the nearest; by chance; down"),
	LEARNS,
	COP_OPT_END,
};
/* Of a rule that changes the numbers of another one. */
static const cop_option above[] = {COP_OPT_REAL(cop_general, lr, 0, 1e30, "1e-5", "its learning rate"), LEARNS, COP_OPT_END};

static bool is_rule(const cop_setting *it) { return !it->value && cop__row_index(&cop_updates, it->key, it->key_len) >= 0; }
static bool is_key(const cop_setting *it, const char *key) { return it->value && it->key_len == strlen(key) && !memcmp(it->key, key, it->key_len); }

/* Which rule and which loss: their options are known only then. */
static cop_status find_rows(cop_general *s, cop_ctx *cx, const char *text)
{
	cop_options o = {.cx = cx, .where = "training", .part = {{.option = general, .to = s}}};
	cop_setting it;

	cop__options_default(general, s);
	for (const char *end = text + strlen(text); cop__setting_next(&it, &text, end);) {
		if (is_rule(&it)) COP_TRY(cop__option_set(&o, "update", 6, it.key, it.key_len));
		else if (is_key(&it, "update") || is_key(&it, "loss")) COP_TRY(cop__option_set(&o, it.key, it.key_len, it.value, it.value_len));
	}
	return COP_OK;
}

const cop_update *cop__update_said(const char *text)
{
	cop_setting it;
	int row = 0; /* sgd */

	for (const char *end = text + strlen(text); cop__setting_next(&it, &text, end);) {
		const char *name = is_rule(&it) ? it.key : is_key(&it, "update") ? it.value : NULL;
		const int at = name ? cop__row_index(&cop_updates, name, is_rule(&it) ? it.key_len : it.value_len) : -1;
		if (at >= 0) row = at;
	}
	return (const cop_update *)(const void *)cop_updates.row(row);
}

/* ---- rules that learn the numbers of a rule ---- */

static cop_status fill_level(cop_tier *l, cop_build *b, const cop_update *rule, const void *options, const cop_general *said);

/* "sgd momentum=0 lr=1e-5": the rule above level l. */
static cop_status read_above(const cop_tier *l, cop_tier *up, cop_build *b, const char *text)
{
	char where[64];
	const char *rest;
	cop_general said;
	int i;

	snprintf(where, sizeof where, "training: %s by", l->rule->row.name);
	if (*text == '(') return cop__error(b->cx, COP_ARG, "%s: the parenthesis before '%.40s' is not closed", where, text + 1);
	if (l->height + 2 > COP_MOST_LEVELS) return cop__error(b->cx, COP_ARG, "%s: there are more than %d rules one above the other", where, COP_MOST_LEVELS);
	if (!l->rule->learns[0].name) return cop__error(b->cx, COP_ARG, "%s: '%s' has no number that can be learnt", where, l->rule->row.name);
	COP_TRY(cop__row_find(&i, &rest, b->cx, where, &cop_updates, text, strlen(text)));
	const cop_update *rule = (const cop_update *)(const void *)cop_updates.row(i);
	if (rule->ahead) return cop__error(b->cx, COP_ARG, "%s: '%s' changes what a network is run with, and numbers of a rule are not run", where, rule->row.name);
	void *options = cop__arena_get(&b->mem, rule->row.size + 8);
	if (!options) return COP_NOMEM;
	cop__options_default(above, &said);
	cop__options_default(rule->row.options, options);
	cop_options o = {.cx = b->cx, .where = where, .part = {{.option = above, .to = &said}, {.option = rule->row.options, .to = options}}};
	COP_TRY(cop__options_read(&o, rest, strlen(rest)));
	up->height = l->height + 1;
	return fill_level(up, b, rule, options, &said);
}

/* Is there a number that is learnt, and that is not 0? */
static bool learns_any(const cop_tier *l)
{
	for (int i = 0; i < COP_LEARNT; i++)
		if (cop__tier_learns(l, i)) return true;
	return false;
}

static cop_status fill_level(cop_tier *l, cop_build *b, const cop_update *rule, const void *options, const cop_general *said)
{
	cop_tier *up = *said->by ? cop__arena_get(&b->mem, sizeof *up) : NULL;

	*l = (cop_tier){.rule = rule, .options = options, .lr = said->lr, .learn = cop__arena_str(&b->mem, said->learn, strlen(said->learn)),
		.per_weight = said->per, .height = l->height, .by = up};
	if (!l->learn || (*said->by && !up)) return COP_NOMEM;
	if (!up) return COP_OK;
	COP_TRY(read_above(l, up, b, said->by));
	return learns_any(l) ? COP_OK : cop__error(b->cx, COP_ARG, "training: %s: learn=%s names none of its numbers that are not 0", rule->row.name, said->learn);
}

cop_status cop__build_spec(cop_build *b, const char *text)
{
	const char *at = text;
	cop_setting it;

	COP_TRY(find_rows(&b->all, b->cx, text));
	const cop_row *rule = cop_updates.row(b->all.update), *loss = cop_losses.row(b->all.loss);
	void *rule_options = cop__arena_get(&b->mem, rule->size + 8), *loss_options = cop__arena_get(&b->mem, loss->size + 8);
	if (!rule_options || !loss_options) return COP_NOMEM;
	cop__options_default(rule->options, rule_options);
	cop__options_default(loss->options, loss_options);
	cop_options o = {.cx = b->cx, .where = "training",
		.part = {{.option = general, .to = &b->all}, {.option = rule->options, .to = rule_options},
		{.option = loss->options, .to = loss_options}}};
	for (const char *end = text + strlen(text); cop__setting_next(&it, &at, end);) {
		if (!it.value && !is_rule(&it) && !cop__option_known(&o, it.key, it.key_len)) return cop__no_row(b->cx, "training", &cop_updates, it.key, it.key_len);
		if (!is_rule(&it)) COP_TRY(cop__option_set(&o, it.key, it.key_len, it.value, it.value_len));
	}
	if (b->all.rates.n && *b->all.by) return cop__error(b->cx, COP_ARG, "training: rates= gives each weight a rate, and by= learns one for all; give one of the two");
	if (b->all.rounding && !b->all.errors) return cop__error(b->cx, COP_ARG, "training: rounding= says how errors=int8 loses bits, and errors are floats here; add errors=int8, or leave it out");
	COP_TRY(fill_level(&b->level, b, (const cop_update *)(const void *)rule, rule_options, &b->all));
	if (b->all.rates.n) b->level.rates = &b->all.rates;
	cop__build_no_terms(b);
	return cop__build_term(b, &(cop_term){.loss = (const cop_loss *)(const void *)loss, .options = loss_options});
}
