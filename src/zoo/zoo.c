/* SPDX-License-Identifier: Apache-2.0
 *
 * zoo - the table of names, and what every model has in common: its size, its input, its output.
 *
 * A name is a row's stem, what the model makes of the rest ("0.35" of "mobilenet-v2-0.35"), and "@96" for the
 * height and width of the images. What the arguments say goes before what the name says, before the row.
 */
#include "core/need.h"
#include "zoo/zoo.h"

#include <stdio.h>
#include <stdlib.h>

typedef struct zoo_row {
	const char *name, *stem, *summary;
	cop_vid (*build)(cop_zoo *z);
	int32_t h, w, c, classes, depth;
	bool open;   /* something must follow the stem */
	bool square; /* takes "@size" */
} zoo_row;

static const zoo_row rows[] = {
	{"lenet-300-100", "lenet-300-100", "two hidden layers for MNIST, 266,610 parameters", cop__zoo_lenet300, 28, 28, 1, 10, 0, false, false},
	{"lenet-5", "lenet-5", "Caffe's LeNet for MNIST, 431,080 parameters", cop__zoo_lenet5, 28, 28, 1, 10, 0, false, true},
	{"mlp-784x100x10", "mlp-", "fully connected, any sizes, ReLU between them", cop__zoo_mlp, 0, 0, 0, 0, 0, true, false},
	{"resnet-8", "resnet-8", "MLPerf Tiny's image classifier, 32x32x3, 78 k parameters", cop__zoo_resnet8, 32, 32, 3, 10, 0, false, true},
	{"resnet-20", "resnet-20", "He 2016 for CIFAR, projection shortcuts, 0.27 M parameters", cop__zoo_resnet_cifar, 32, 32, 3, 10, 20, false, true},
	{"resnet-32", "resnet-32", "the same, 0.47 M parameters", cop__zoo_resnet_cifar, 32, 32, 3, 10, 32, false, true},
	{"resnet-56", "resnet-56", "the same, 0.86 M parameters", cop__zoo_resnet_cifar, 32, 32, 3, 10, 56, false, true},
	{"resnet-18", "resnet-18", "He 2016 for ImageNet, 11.69 M parameters", cop__zoo_resnet18, 224, 224, 3, 1000, 18, false, true},
	{"vgg-16", "vgg-16", "Simonyan 2014 for ImageNet, 138.36 M parameters; @32: the CIFAR form with batch norm, 14.7 M", cop__zoo_vgg16, 224, 224, 3, 0, 16, false, true},
	{"mobilenet-v1-0.25@96", "mobilenet-v1-", "Howard 2017, any width and size; 0.25@96 with 2 classes is MLPerf Tiny's person detector", cop__zoo_mobilenet1, 224, 224, 3, 1000, 0, true, true},
	{"mobilenet-v2-0.35@128", "mobilenet-v2-", "Sandler 2018, any width and size", cop__zoo_mobilenet2, 224, 224, 3, 1000, 0, true, true},
	{"ds-cnn", "ds-cnn", "MLPerf Tiny's keyword spotter, 49x10 features, 12 words", cop__zoo_dscnn, 49, 10, 1, 12, 0, false, false},
	{"autoencoder-ad", "autoencoder-ad", "MLPerf Tiny's anomaly detector, 640 to 8 and back", cop__zoo_autoencoder, 0, 0, 0, 0, 0, false, false},
};

const char *cop_zoo_name(int i, const char **summary)
{
	if (i < 0 || i >= LEN(rows)) return NULL;
	if (summary) *summary = rows[i].summary;
	return rows[i].name;
}

static const zoo_row *find(const char *name)
{
	for (int i = 0; i < LEN(rows); i++) {
		size_t n = strlen(rows[i].stem);
		if (!strncmp(name, rows[i].stem, n) && (rows[i].open ? name[n] && name[n] != '@' : !name[n] || name[n] == '@')) return &rows[i];
	}
	return NULL;
}

static const char *known_name(void *ud, int i)
{
	(void)ud;
	return cop_zoo_name(i, NULL);
}

static cop_status unknown(cop_ctx *cx, const char *name)
{
	char known[300] = "";
	cop_hint hint;

	for (int i = 0, at = 0; i < LEN(rows) && at < LEN(known); i++)
		at += snprintf(known + at, sizeof known - (size_t)at, "%s%s", i ? " " : "", rows[i].name);
	return cop__error(cx, COP_ARG, "there is no file and no network '%.60s'; the networks are: %s%s", name, known, cop__hint(&hint, name, known_name, NULL));
}

/* Cuts "@96" off `text` into h and w. */
static cop_status cut_size(cop_ctx *cx, cop_zoo *z, char *text, bool square)
{
	char *at = strchr(text, '@'), *end;

	if (!at) return COP_OK;
	long size = strtol(at + 1, &end, 10);
	if (!square) return cop__error(cx, COP_ARG, "zoo: '%s' has no image size to be given with '@'", z->name);
	if (end == at + 1 || *end || size < 8 || size > 4096)
		return cop__error(cx, COP_ARG, "zoo: '%s' must end with an image size of 8 to 4096 behind '@'", z->name);
	*at = 0;
	z->h = z->w = (int32_t)size;
	z->sized = true;
	return COP_OK;
}

static cop_status apply_args(cop_ctx *cx, cop_zoo *z, const cop_zoo_args *a)
{
	z->batch = 1;
	if (!a) return COP_OK;
	if (a->batch < 0 || a->classes < 0 || a->height < 0 || a->width < 0 || a->channels < 0)
		return cop__error(cx, COP_ARG, "zoo: '%s': batch, classes, height, width and channels must not be negative", z->name);
	if (a->batch) z->batch = a->batch;
	if (a->classes) z->classes = a->classes;
	if (a->height) z->h = a->height;
	if (a->width) z->w = a->width;
	if (a->channels) z->c = a->channels;
	z->sized |= a->height || a->width;
	z->seed = a->seed;
	return COP_OK;
}

cop_status cop_zoo_build(cop_graph **out, cop_ctx *cx, const char *name, const cop_zoo_args *a)
{
	COP_NEED(cx, out);
	*out = NULL;
	COP_NEED(cx, name);
	static const cop_zoo_args none = {0};
	if (!a) a = &none;
	const zoo_row *row = find(name);
	char rest[96];
	cop_status st;

	*out = NULL;
	if (!row || strlen(name) >= sizeof rest) return unknown(cx, name);
	snprintf(rest, sizeof rest, "%s", name + strlen(row->stem));
	cop_zoo z = {.h = row->h, .w = row->w, .c = row->c, .classes = row->classes, .eps = 1e-5f, .name = name, .rest = rest, .depth = row->depth};
	COP_TRY(cut_size(cx, &z, rest, row->square));
	COP_TRY(apply_args(cx, &z, a));
	COP_TRY(cop__graph_new(&z.g, cx, name));
	cop_vid y = row->build(&z);
	COP_GO(y ? cop__output(z.g, y, "y") : cx->code ? cx->code : COP_NOMEM);
	z.g->value[z.g->input[0]].lead = 1;
	z.g->value[z.g->input[0]].samples = z.batch;
	*out = z.g;
	return COP_OK;
done:
	cop_graph_free(z.g);
	return st;
}
