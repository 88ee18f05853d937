/* SPDX-License-Identifier: Apache-2.0
 *
 * train_options - the options of training, and what a model is trained with when they are not given.
 */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

enum { KEY_LR = 0x2000, KEY_UPDATE, KEY_SCHEDULE, KEY_AUGMENT, KEY_SMOOTH, KEY_LIMIT };

const struct argp_option cli_train_options[] = {
        {"data", 'd', "NAME", 0, "data set: a name from `coppice data list`, or a path", 0},
        {"epochs", 'e', "N", 0, "passes over the training set", 0},
        {"batch", 'b', "N", 0, "samples in one step", 0},
        {"lr", KEY_LR, "RATE", 0, "learning rate", 0},
        {"update", KEY_UPDATE, "WORDS", 0, "update rule: \"sgd momentum=0.9 decay=5e-4\", \"adam\" or \"adamw decay=0.01\"", 0},
        {"schedule", KEY_SCHEDULE, "WORDS", 0, "schedule of the learning rate: constant, step:every=10,by=0.1 or cosine; each also takes warmup=EPOCHS", 0},
        {"augment", KEY_AUGMENT, "WORDS", 0, "augmentation: none, or some of flip,shift=2,crop=4,erase=8,normalise", 0},
        {"smooth", KEY_SMOOTH, "PART", 0, "label smoothing, 0 to 1", 0},
        {"limit", KEY_LIMIT, "N", 0, "use the first N samples of each part", 0},
        {0},
};

/* By the beginning of the model's name; the last row is for all others. */
static const struct {
	const char *stem;
	int32_t epochs, batch;
	float lr;
	const char *update, *schedule, *augment;
} table[] = {
        {"lenet-300-100", 20, 64, 0.05f, "sgd momentum=0.9 decay=5e-4", "cosine", NULL},
        {"lenet-5", 12, 64, 0.02f, "sgd momentum=0.9 decay=5e-4", "cosine", NULL},
        {"mlp-", 20, 64, 0.05f, "sgd momentum=0.9 decay=5e-4", "cosine", NULL},
        {"resnet-18", 90, 64, 0.05f, "sgd momentum=0.9 nesterov=1 decay=1e-4", "cosine:warmup=2", "flip"},
        {"resnet-", 60, 128, 0.1f, "sgd momentum=0.9 nesterov=1 decay=5e-4", "cosine:warmup=1", "flip,crop=4"},
        {"vgg-", 60, 128, 0.05f, "sgd momentum=0.9 nesterov=1 decay=5e-4", "cosine:warmup=1", "flip,crop=4"},
        {"mobilenet-", 60, 64, 0.05f, "sgd momentum=0.9 decay=4e-5", "cosine:warmup=2", "flip"},
        {"ds-cnn", 36, 100, 0.001f, "adam", "cosine", NULL},
        {"autoencoder-ad", 50, 128, 0.001f, "adam", "constant", NULL},
        {"", 10, 32, 0.01f, "sgd momentum=0.9 decay=1e-4", "cosine", NULL},
};

error_t cli_train_option(int key, char *arg, struct argp_state *state, cli_train *t)
{
	switch (key) {
	case 'd':
		t->data = arg;
		return 0;
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
	case KEY_UPDATE:
		t->a.update = arg;
		return 0;
	case KEY_SCHEDULE:
		t->a.schedule = arg;
		return 0;
	case KEY_AUGMENT:
		t->a.augment = arg;
		return 0;
	case KEY_SMOOTH:
		t->a.smooth = cli_real(state, "--smooth", arg, 0, 0.999f);
		return 0;
	case KEY_LIMIT:
		t->limit = cli_int(state, "--limit", arg, 0, 1 << 30);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

void cli_train_defaults(cli_train *t, const char *model)
{
	int i = 0;
	const char *slash = strrchr(model, '/');

	if (slash) model = slash + 1;
	while (strncmp(model, table[i].stem, strlen(table[i].stem))) i++;
	if (!t->a.epochs) t->a.epochs = table[i].epochs;
	if (!t->a.batch) t->a.batch = table[i].batch;
	if (!t->has_lr) t->a.lr = table[i].lr;
	if (!t->a.update) t->a.update = table[i].update;
	if (!t->a.schedule) t->a.schedule = table[i].schedule;
	if (!t->a.augment) t->a.augment = table[i].augment;
}
