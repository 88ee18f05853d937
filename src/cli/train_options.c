/* SPDX-License-Identifier: Apache-2.0
 *
 * train_options - the options of training; what is not given is that of the network's row in the zoo.
 */
#include "cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_LR = 0x2000, KEY_UPDATE, KEY_SCHEDULE, KEY_AUGMENT, KEY_SMOOTH, KEY_POLICIES, KEY_LIMIT, KEY_VALID, KEY_STOP_AFTER, KEY_KEEP, KEY_LOG, KEY_EVERY, KEY_BF16 };

const struct argp_option cli_train_options[] = {
        {"data", 'd', "NAME", 0, "data set: a name from `coppice data list`, or a path", 0},
        {"epochs", 'e', "N", 0, "passes over the training set", 0},
        {"batch", 'b', "N", 0, "samples in one step", 0},
        {"lr", KEY_LR, "RATE", 0, "learning rate", 0},
        {"update", KEY_UPDATE, "WORDS", 0, "update rule, from `coppice updates`: \"sgd momentum=0.9 decay=5e-4\", \"adam\", \"adamw decay=0.01\"", 0},
	{"schedule", KEY_SCHEDULE, "WORDS", 0,
		"schedule of the learning rate, from `coppice schedules`: constant, step:every=10,by=0.1 "
		"or cosine; each also takes warmup=EPOCHS", 0},
	{"augment", KEY_AUGMENT, "WORDS", 0,
		"augmentation: none, or some of flip,alternate,shift=2,crop=4,erase=8,mix=0.2,balance,normalise (docs/training.md)",
		0},
        {"smooth", KEY_SMOOTH, "PART", 0, "label smoothing, 0 to 1", 0},
	{"policies", KEY_POLICIES, "WORDS", 0, "what acts during training, from `coppice policies`, separated by ';': "
		"\"ema:decay=0.998\" or \"lookahead\" (averages of weights), \"early:patience=5\"", 0},
        {"limit", KEY_LIMIT, "N", 0, "use the first N samples of each part", 0},
        {"valid", KEY_VALID, "SET", 0,
		"what the network is scored on after each epoch: valid or test (a part of the data set), "
		"a fraction such as 0.1 (held out of the training part), a data set or path of its own, or no (default: valid)",
		0},
	{"stop-after", KEY_STOP_AFTER, "N", 0,
		"stop early, when the score on the validation set has not improved for N epochs in a row "
		"(the policy early:patience=N), and keep the best epoch", 0},
        {"keep", KEY_KEEP, "best|last", 0, "which epoch's weights are the result (default: last; with --stop-after, best)", 0},
	{"log", KEY_LOG, "FILE", 0, "file (CSV) that gets a line after each epoch; `coppice report --log` draws it. With "
		"--json, an object for each epoch is also printed", 0},
        {"bf16", KEY_BF16, 0, 0, "convolutions multiply numbers rounded to bfloat16 and sum them in floats: about twice as fast, on a processor with AMX. Weights, gradients and updates stay floats", 0},
        {"checkpoint-every", KEY_EVERY, "TIME", 0, "write the checkpoint at least this often, also within an epoch: 90s, 10m or 1h (default: 10m)", 0},
        {0},
};

/* "90s", "10m", "1h" */
static float duration(struct argp_state *state, const char *name, const char *text)
{
	static const struct { char unit; float seconds; } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}};
	char *end;
	float v = strtof(text, &end);

	for (int i = 0; i < LEN(units); i++)
		if (end != text && *end == units[i].unit && !end[1] && v > 0 && v <= 1e6f) return v * units[i].seconds;
	cli_misuse(state, "%s=%s: must be a time, such as 90s, 10m or 1h", name, text);
}

/* The options that are texts, taken as they are. */
static const char **text_of(cli_train *t, int key)
{
	switch (key) {
	case 'd': return &t->data;
	case KEY_UPDATE: return &t->a.update;
	case KEY_SCHEDULE: return &t->a.schedule;
	case KEY_AUGMENT: return &t->a.augment;
	case KEY_POLICIES: return &t->a.policies;
	case KEY_VALID: return &t->valid;
	case KEY_LOG: return &t->log;
	default: return NULL;
	}
}

error_t cli_train_option(int key, char *arg, struct argp_state *state, cli_train *t)
{
	const char **text = text_of(t, key);

	if (text) return *text = arg, 0;
	switch (key) {
	case 'e':
		t->a.epochs = cli_int(state, "--epochs", arg, 1, 100000);
		return 0;
	case 'b':
		t->a.batch = cli_int(state, "--batch", arg, 1, 65536);
		return 0;
	case KEY_LR:
		t->a.lr = cli_real(state, "--lr", arg, 0, 1000);
		t->has_lr = true;
		return 0;
	case KEY_SMOOTH:
		t->a.smooth = cli_real(state, "--smooth", arg, 0, 0.999f);
		t->has_smooth = true;
		return 0;
	case KEY_LIMIT:
		t->limit = cli_int(state, "--limit", arg, 0, 1 << 30);
		return 0;
	case KEY_STOP_AFTER:
		t->stop_after = cli_int(state, "--stop-after", arg, 1, 100000);
		return 0;
	case KEY_KEEP:
		if (strcmp(arg, "best") && strcmp(arg, "last")) cli_misuse(state, "--keep=%s: must be best or last", arg);
		t->has_keep = true;
		t->a.keep = *arg == 'b' ? COP_KEEP_BEST : COP_KEEP_LAST;
		return 0;
	case KEY_BF16:
		t->a.bf16 = true;
		return 0;
	case KEY_EVERY:
		t->a.checkpoint_every = duration(state, "--checkpoint-every", arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

cop_status cli_train_settle(cli *c, cli_train *t)
{
	const char *p = t->a.policies;

	if (!t->stop_after) return COP_OK;
	if (p && strstr(p, "early")) return cli_fail(c, COP_ARG, "--stop-after %d is the policy early, which --policies has, too; give one of the two", t->stop_after);
	if (snprintf(t->policies, sizeof t->policies, "%s%searly:patience=%d", p ? p : "", p ? "; " : "", t->stop_after) >= (int)sizeof t->policies)
		return cli_fail(c, COP_ARG, "--policies %.60s...: the text is too long", p);
	t->a.policies = t->policies;
	if (!t->has_keep) t->a.keep = COP_KEEP_BEST;
	return COP_OK;
}

/* A network that is trained already has the scaling that it needs. */
static void leave_out_normalise(cli_train *t)
{
	const char *at = strstr(t->a.augment, ",normalise");

	if (!at) return;
	snprintf(t->augment, sizeof t->augment, "%.*s", (int)(at - t->a.augment), t->a.augment);
	t->a.augment = t->augment;
}

void cli_train_defaults(cli_train *t, const char *name, const cop_dataset *data, bool fresh)
{
	const float lr = t->a.lr, smooth = t->a.smooth;
	const bool given = t->a.augment, policies = t->a.policies;

	cop_train_defaults(&t->a, name, data);
	if (t->has_lr) t->a.lr = lr;
	if (t->has_smooth) t->a.smooth = smooth;
	if (!policies && !fresh) t->a.policies = NULL;
	if (!given && !fresh) leave_out_normalise(t);
}

/* 0.02f is 0.0199999996; people have written 0.02. */
static double as_written(float v)
{
	char text[32];

	snprintf(text, sizeof text, "%.7g", (double)v);
	return strtod(text, NULL);
}

void cli_train_put(cli *c, const cop_train_args *a)
{
	cli_put_int(c, "batch", a->batch);
	cli_put_real(c, "lr", as_written(a->lr));
	cli_put_text(c, "update", a->update);
	cli_put_text(c, "schedule", a->schedule);
	cli_put_text(c, "augment", a->augment ? a->augment : "none");
	cli_put_real(c, "smooth", as_written(a->smooth));
	cli_put_text(c, "products", a->bf16 ? "bf16" : "float");
	cli_put_text(c, "policies", a->policies ? a->policies : "none");
}

void cli_train_say(cli *c, const cop_train_args *a)
{
	cli_train_put(c, a);
	cli_note(c, "training: --epochs %d --batch %d --lr %g --update \"%s\" --schedule %s --augment %s --smooth %g%s%s%s%s",
		a->epochs, a->batch, (double)a->lr, a->update, a->schedule, a->augment ? a->augment : "none", (double)a->smooth,
		a->policies ? " --policies \"" : "", a->policies ? a->policies : "", a->policies ? "\"" : "", a->bf16 ? " --bf16" : "");
}

cop_status cli_trainable(cop_graph **g, const char **update, int32_t *layers)
{
	CLI_TRY(cop_graph_trainable(g, *update, layers));
	if (*layers && !*update) *update = "qsgd";
	return COP_OK;
}
