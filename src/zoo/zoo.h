/* SPDX-License-Identifier: Apache-2.0
 *
 * zoo.h - what the named architectures share: the request, and layers that make their own parameters.
 *
 * Every layer takes its input first and its name second; parameters are "<name>.w", "<name>.b" and, for the batch
 * norm behind a convolution, "<name>.bn.gamma", ".beta" (PARAM) and ".mean", ".var" (STATE that follows gamma).
 * A failure is recorded once and value 0 goes through the rest quietly: a model checks nothing, cop_zoo_build at the end.
 * Activations are clip nodes and batch norm is not folded: passes do both.
 */
#ifndef COP_ZOO_H
#define COP_ZOO_H

#include "core/options.h"
#include "op/op.h"

typedef struct cop_zoo {
	cop_graph *g;
	uint64_t seed;
	int32_t batch, h, w, c, classes;
	bool sized;        /* height or width were asked for */
	float eps, momentum; /* of batch norm; momentum: part of the new in its running statistics */
	const char *name;  /* the whole name, for messages */
	const char *rest;  /* of the name behind the row's stem: "0.35", "784x100x10", "" */
	const char *file, *word; /* a network as text: the line that is being read, for messages */
	int line;          /* 0: a network of the zoo */
} cop_zoo;

/* A row of zoo.def. The last one has no builder; it is that of every name that no other row fits. */
typedef struct cop_zoo_row {
	cop_row row; /* its name is that of an example */
	const char *stem;
	enum { EXACT = 0, SIZED = 1, OPEN = 2 } rest;
	cop_vid (*build)(cop_zoo *z);
	int32_t h, w, c, classes;
	struct { int32_t epochs, batch; float lr; const char *update, *schedule; float smooth; const char *colour, *grey, *policies; } train;
} cop_zoo_row;
extern const cop_zoo_row cop__zoo_rows[];
const cop_zoo_row *cop__zoo_find(const char *name);

/* stride 0: 1. kw 0: k. pad -1: as TensorFlow's SAME, the odd one behind. groups -1: depthwise (out is then ignored). adds: of
 * distances in place of products (op/addconv.c), which need batch norm behind them. dirac: the first filters, one for each channel that comes
 * in, begin as the one that hands its channel on. */
typedef struct cop_zoo_conv { int32_t out, k, stride, pad, groups, kw; bool adds, dirac; } cop_zoo_conv;

cop_vid cop__zoo_input(cop_zoo *z);                                                   /* "x" f32 [batch,h,w,c] */
cop_vid cop__zoo_conv_bias(cop_zoo *z, cop_vid x, const char *name, cop_zoo_conv c);  /* nothing behind it */
cop_vid cop__zoo_conv_plain(cop_zoo *z, cop_vid x, const char *name, cop_zoo_conv c); /* without a bias: cop__zoo_norm is to follow */
cop_vid cop__zoo_conv_bn(cop_zoo *z, cop_vid x, const char *name, cop_zoo_conv c);    /* no bias: batch norm would cancel it */
cop_vid cop__zoo_conv_relu(cop_zoo *z, cop_vid x, const char *name, cop_zoo_conv c);  /* with a bias */
cop_vid cop__zoo_gelu(cop_zoo *z, cop_vid x);
cop_vid cop__zoo_fc(cop_zoo *z, cop_vid x, const char *name, int32_t out);            /* a last layer */
cop_vid cop__zoo_fc_plain(cop_zoo *z, cop_vid x, const char *name, int32_t out);      /* without a bias */
cop_vid cop__zoo_fc_relu(cop_zoo *z, cop_vid x, const char *name, int32_t out);
cop_vid cop__zoo_fc_bn_relu(cop_zoo *z, cop_vid x, const char *name, int32_t out);
cop_vid cop__zoo_fc_bn_sign(cop_zoo *z, cop_vid x, const char *name, int32_t out);  /* 1 or -1 */
cop_vid cop__zoo_rsign(cop_zoo *z, cop_vid x, const char *name, const cop_sign_attr *a); /* of x + "<name>.shift", by channel */
cop_vid cop__zoo_border(cop_zoo *z, cop_vid x);                                       /* of -1 around signs, for a window of 3x3: zero is no sign */
cop_vid cop__zoo_rprelu(cop_zoo *z, cop_vid x, const char *name);                     /* "<name>.slope", ".knee", ".lift", by channel */
cop_vid cop__zoo_clip(cop_zoo *z, cop_vid x, float lo, float hi);
cop_vid cop__zoo_relu(cop_zoo *z, cop_vid x);
cop_vid cop__zoo_add(cop_zoo *z, cop_vid a, cop_vid b);
cop_vid cop__zoo_maxpool(cop_zoo *z, cop_vid x, int32_t k, int32_t stride, int32_t pad);
cop_vid cop__zoo_norm(cop_zoo *z, cop_vid x, const char *name);                       /* batch norm over the last axis */
cop_vid cop__zoo_layernorm(cop_zoo *z, cop_vid x, const char *name);                  /* over the last axis; "<name>.gamma", ".beta" */
/* "<name>.<what>": a parameter that is added, so it begins near zero. */
cop_vid cop__zoo_small_weight(cop_zoo *z, const char *name, const char *what, int32_t rank, const int32_t *dim);
/* A recurrent layer over x [n,t,i]: its last state [n,units], or every one [n,t,units]. Weights "<name>.w", "<name>.r", "<name>.b". */
cop_vid cop__zoo_rnn(cop_zoo *z, cop_vid x, const char *name, const cop_rnn_attr *a, int32_t units, bool every);
cop_vid cop__zoo_mean(cop_zoo *z, cop_vid x);                                         /* over height and width: [n,c] */
cop_vid cop__zoo_flatten(cop_zoo *z, cop_vid x);                                      /* [n, everything else] */
/* Records "zoo: 'name' ...", or "FILE, line N: 'word' ..." of a text, and returns 0. */
cop_vid cop__zoo_fail(cop_zoo *z, const char *why);
bool cop__zoo_small(const cop_zoo *z); /* pictures up to 64x64, for which CIFAR work has forms of its own */
/* A width multiplier, the whole of z->rest; 0 after a failure. */
float cop__zoo_width(cop_zoo *z);

/* The models: each returns the value that becomes output "y". */
cop_vid cop__zoo_lenet300(cop_zoo *z);
cop_vid cop__zoo_lenet5(cop_zoo *z);
cop_vid cop__zoo_mlp(cop_zoo *z);
cop_vid cop__zoo_airbench(cop_zoo *z);
cop_vid cop__zoo_binary_mlp(cop_zoo *z);
cop_vid cop__zoo_binary_resnet(cop_zoo *z);
cop_vid cop__zoo_resnet8(cop_zoo *z);
cop_vid cop__zoo_resnet_cifar(cop_zoo *z);
cop_vid cop__zoo_resnet18(cop_zoo *z);
cop_vid cop__zoo_vgg16(cop_zoo *z);
cop_vid cop__zoo_vgg_small(cop_zoo *z);
cop_vid cop__zoo_binary_vgg_small(cop_zoo *z);
cop_vid cop__zoo_mobilenet1(cop_zoo *z);
cop_vid cop__zoo_mobilenet2(cop_zoo *z);
cop_vid cop__zoo_dscnn(cop_zoo *z);
cop_vid cop__zoo_autoencoder(cop_zoo *z);
cop_vid cop__zoo_vit(cop_zoo *z);
cop_vid cop__zoo_swin(cop_zoo *z);

#endif
