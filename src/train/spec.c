/* SPDX-License-Identifier: Apache-2.0
 *
 * spec - "update=sgd momentum=0.9 loss=xent smooth=0.1 clip=1 layers=fc*": the rule of updates and the loss by name, with their options beside those
 * of the training as a whole. The name of a rule alone is short for update=NAME.
 */
#include "train/build_record.h"

static const cop_option general[] = {
	COP_OPT_AMONG(cop_general, update, &cop_updates, "sgd", "the rule that changes weights by their gradients"),
	COP_OPT_AMONG(cop_general, loss, &cop_losses, "xent", "what is made small"),
	COP_OPT_TEXT(cop_general, layers, "*", "the weights that are trained, by name"),
	COP_OPT_REAL(cop_general, clip, 0, 1e30, "0", "the most that the norm of all gradients together may be; 0: no bound"),
	COP_OPT_REAL(cop_general, lr, 0, 1e30, "0.01", "learning rate, until another is set"),
	COP_OPT_END,
};

static bool is_gap(char c) { return c == ' ' || c == ',' || c == '\t' || c == '\n'; }

/* The next word of text: its key, and its value or NULL; false at the end. */
typedef struct item { const char *key, *value; size_t key_len, value_len; } item;

static bool next(item *it, const char **at)
{
	const char *p = *at, *eq = NULL;

	while (is_gap(*p)) p++;
	if (!*p) return false;
	it->key = p;
	for (; *p && !is_gap(*p); p++)
		if ((*p == '=' || *p == ':') && !eq) eq = p;
	it->key_len = (size_t)((eq ? eq : p) - it->key);
	it->value = eq ? eq + 1 : NULL;
	it->value_len = eq ? (size_t)(p - eq) - 1 : 0;
	*at = p;
	return true;
}

static bool is_rule(const item *it) { return !it->value && cop__row_index(&cop_updates, it->key, it->key_len) >= 0; }
static bool is_key(const item *it, const char *key) { return it->value && it->key_len == strlen(key) && !memcmp(it->key, key, it->key_len); }

/* Which rule and which loss: their options are known only then. */
static cop_status find_rows(cop_general *s, cop_ctx *cx, const char *text)
{
	cop_options o = {.cx = cx, .where = "training", .part = {{.option = general, .to = s}}};
	item it;

	cop__options_default(general, s);
	while (next(&it, &text)) {
		if (is_rule(&it)) COP_TRY(cop__option_set(&o, "update", 6, it.key, it.key_len));
		else if (is_key(&it, "update") || is_key(&it, "loss")) COP_TRY(cop__option_set(&o, it.key, it.key_len, it.value, it.value_len));
	}
	return COP_OK;
}

cop_status cop__build_spec(cop_build *b, const char *text)
{
	const char *at = text;
	item it;

	COP_TRY(find_rows(&b->all, b->cx, text));
	const cop_row *rule = cop_updates.row(b->all.update), *loss = cop_losses.row(b->all.loss);
	void *rule_options = cop__arena_get(&b->mem, rule->size + 8), *loss_options = cop__arena_get(&b->mem, loss->size + 8);
	if (!rule_options || !loss_options) return COP_NOMEM;
	cop__options_default(rule->options, rule_options);
	cop__options_default(loss->options, loss_options);
	cop_options o = {.cx = b->cx, .where = "training",
		.part = {{.option = general, .to = &b->all}, {.option = rule->options, .to = rule_options},
		{.option = loss->options, .to = loss_options}}};
	while (next(&it, &at)) {
		if (!it.value && !is_rule(&it) && !cop__option_known(&o, it.key, it.key_len)) return cop__no_row(b->cx, "training", &cop_updates, it.key, it.key_len);
		if (!is_rule(&it)) COP_TRY(cop__option_set(&o, it.key, it.key_len, it.value, it.value_len));
	}
	b->rule = (const cop_update *)(const void *)rule;
	b->rule_options = rule_options;
	cop__build_no_terms(b);
	return cop__build_term(b, &(cop_term){.loss = (const cop_loss *)(const void *)loss, .options = loss_options});
}
