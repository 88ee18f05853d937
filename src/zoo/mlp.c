/* SPDX-License-Identifier: Apache-2.0
 *
 * mlp - "mlp-784x100x10": fully connected layers of the given sizes, ReLU between them. The input is [n, first], or
 * [n,h,w,c] where the arguments give a height: h w c must then be the first size. The arguments' classes replace the last.
 */
#include "zoo/zoo.h"

#include <stdio.h>
#include <stdlib.h>

enum { MAX_SIZES = 16 };

/* Reads "784x100x10"; returns how many sizes, 0 if it is not that. */
static int read_sizes(const char *s, int32_t *size)
{
	int n = 0;

	for (;; s++) {
		char *end;
		long v = strtol(s, &end, 10);
		if (end == s || *s == '-' || v < 1 || v > 1 << 20 || n == MAX_SIZES) return 0;
		size[n++] = (int32_t)v;
		s = end;
		if (!*s) return n;
		if (*s != 'x') return 0;
	}
}

static cop_vid input(cop_zoo *z, int32_t first)
{
	cop_type t = cop__type(COP_F32, 2, DIMS(z->batch, first));

	if (!z->sized) return cop__input(z->g, "x", &t);
	z->w = COP_MAX(z->w, 1);
	z->c = COP_MAX(z->c, 1);
	if ((int64_t)z->h * z->w * z->c != first) return cop__zoo_fail(z, "must begin with height times width times channels");
	return cop__zoo_flatten(z, cop__zoo_input(z));
}

/* The network that binary weights are trained on: batch norm and a sign between the layers, none of which has a bias but the last. */
cop_vid cop__zoo_binary_mlp(cop_zoo *z)
{
	cop_vid x = cop__zoo_flatten(z, cop__zoo_input(z));
	char name[16];

	for (int i = 1; i <= 3; i++) {
		snprintf(name, sizeof name, "fc%d", i);
		x = cop__zoo_fc_bn_sign(z, x, name, 1024);
	}
	return cop__zoo_fc(z, x, "fc4", z->classes);
}

cop_vid cop__zoo_mlp(cop_zoo *z)
{
	int32_t size[MAX_SIZES];
	int n = read_sizes(z->rest, size);
	char name[16];

	if (n < 2) return cop__zoo_fail(z, "must give 2 to 16 layer sizes, as in 'mlp-784x100x10'");
	if (z->classes) size[n - 1] = z->classes;
	cop_vid x = input(z, size[0]);
	for (int i = 1; i < n; i++) {
		snprintf(name, sizeof name, "fc%d", i);
		x = i < n - 1 ? cop__zoo_fc_relu(z, x, name, size[i]) : cop__zoo_fc(z, x, name, size[i]);
	}
	return x;
}
