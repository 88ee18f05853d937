/* SPDX-License-Identifier: Apache-2.0
 *
 * list - what can be named: a verb for each table of methods, all of them this one.
 */
#include "cli.h"

#include <string.h>

/* {"name", "kind", "values", "default", "needed", "meaning"} */
static void put_option(cli *c, const cop_method_option *o)
{
	cli_put_item(c, NULL);
	cli_put_text(c, "name", o->name);
	cli_put_text(c, "kind", o->kind);
	cli_put_text(c, "values", o->values);
	cli_put_text(c, "default", o->fallback ? o->fallback : "");
	cli_put_bool(c, "needed", o->needed);
	cli_put_text(c, "meaning", o->meaning);
	cli_put_item_end(c);
}

static void say_option(cli *c, const cop_method_option *o, const char *indent)
{
	cli_out(c, "%s%-14s %s", indent, o->name, o->meaning);
	if (!o->among && strcmp(o->kind, "text") && strcmp(o->kind, "names")) cli_out(c, "; %s", o->values);
	if (o->needed) cli_out(c, " (needed)");
	else if (o->fallback && *o->fallback) cli_out(c, " (%s)", o->fallback);
	cli_out(c, "\n");
}

/* The rows of a choice, with what each adds to the options. */
static void say_rows(cli *c, const char *table)
{
	cop_method m;
	cop_method_option o;

	for (int i = 0; cop_table_row(&m, table, i); i++) {
		cli_out(c, "        %-14s %s\n", m.name, m.summary);
		for (int k = 0; cop_table_option(&o, table, i, k); k++) say_option(c, &o, "            ");
	}
}

static void put_row(cli *c, const cop_method *m, const char *table, int i)
{
	cop_method_option o;

	cli_put_item(c, NULL);
	cli_put_text(c, "name", m->name);
	cli_put_text(c, "summary", m->summary);
	cli_put_text(c, "source", m->source ? m->source : "");
	cli_out(c, m->source ? "%-22s %s (%s)\n" : "%-22s %s\n", m->name, m->summary, m->source);
	cli_put_list(c, "options");
	for (int k = 0; cop_table_option(&o, table, i, k); k++) {
		put_option(c, &o);
		say_option(c, &o, "    ");
		if (o.among) say_rows(c, o.among);
	}
	cli_put_end(c);
	cli_put_item_end(c);
}

/* What all stages have, too, for people. */
static void say_common(cli *c)
{
	cop_method m;
	cop_method_option o;

	for (int i = 0; cop_table_row(&m, "common", i); i++) {
		cli_out(c, "%s: %s\n", m.name, m.summary);
		for (int k = 0; cop_table_option(&o, "common", i, k); k++) say_option(c, &o, "    ");
	}
}

/* key: of the list in JSON. */
static cop_status list(cli *c, int argc, char **argv, const char *table, const char *key, const char *doc)
{
	const cli_line line = {.args = "", .doc = doc};
	cop_method m;

	CLI_TRY(cli_parse_line(c, &line, argc, argv));
	cli_put_list(c, key);
	for (int i = 0; cop_table_row(&m, table, i); i++) put_row(c, &m, table, i);
	cli_put_end(c);
	if (!strcmp(table, "stages")) say_common(c);
	return COP_OK;
}

#define LIST(name, doc) \
	cop_status cmd_##name(cli *c, int argc, char **argv) { return list(c, argc, argv, #name, #name, doc); }
LIST(passes, "Lists the passes of `coppice apply` with their options.\vExample:\n  coppice passes\n  coppice apply net.cop \"batch:n=8 fuse\" -o out.cop")
LIST(stages, "Lists the stages of recipes with their options, and what these take.\v"
	"Example:\n  coppice stages\n  coppice compress net.cop --recipe my.yaml --data mnist -o small.cop")
LIST(scores, "Lists the scores by which pruning decides what goes: the word behind `by` in a recipe.\vExample:\n  coppice scores")
LIST(grains, "Lists what pruning can remove as a whole: the word behind `what` in a recipe, with its options.\vExample:\n  coppice grains")
LIST(scopes, "Lists how a cut can be divided among the layers: the word behind `scope` in a recipe.\vExample:\n  coppice scopes")
LIST(cuts, "Lists when pruning can cut: the word behind `schedule` of prune in a recipe, with its options.\vExample:\n  coppice cuts")
LIST(forms, "Lists the forms that weights can have while they are trained.\vExample:\n  coppice forms")
LIST(losses, "Lists what training can make small.\vExample:\n  coppice losses")
LIST(updates, "Lists the rules by which training updates weights, for --update and recipes.\v"
	"Example:\n  coppice updates\n  coppice train lenet-5 --data mnist --update \"adam decay=1e-4\" -o net.cop")
LIST(policies, "Lists what can act while a network is trained.\vExample:\n  coppice policies")
LIST(schedules, "Lists how the learning rate can fall, for --schedule and recipes.\v"
	"Example:\n  coppice schedules\n  coppice train lenet-5 --data mnist --schedule step:every=5,by=0.2 -o net.cop")
LIST(maps, "Lists what can be drawn of what a network looked at.\vExample:\n  coppice maps\n  coppice explain net.cop cat.png -o explain.html")
LIST(spaces, "Lists the families of networks that `coppice search` chooses from: the words of --space.\vExample:\n  coppice spaces")
LIST(judges, "Lists how `coppice search` judges a network: the word of --judge.\vExample:\n  coppice judges")
LIST(ways, "Lists how `coppice search` finds the network that it tries next: the word of --by.\vExample:\n  coppice ways")
LIST(targets, "Lists the machines a plan can be made for.\vExample:\n  coppice targets\n  coppice emit small.cop --target cortex-m4 -o out/")

cop_status cmd_zoo(cli *c, int argc, char **argv)
{
	return list(c, argc, argv, "zoo", "models", "Lists the networks that can be built by name.\vExample:\n  coppice zoo\n  coppice inspect mobilenet-v2-0.35@96");
}
