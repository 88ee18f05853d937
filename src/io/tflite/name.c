/* SPDX-License-Identifier: Apache-2.0
 *
 * name - names of a file as names of a graph.
 */
#include "io/tflite/tflite.h"

#include <stdio.h>

void cop__tfl_name(char out[64], const cop_fb_vec *s)
{
	uint32_t n = 0;

	for (; n < s->n && n < 63 && s->p[n] > ' ' && s->p[n] < 127; n++) {
		char c = (char)s->p[n];
		bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '/' || c == ':' || c == '-';
		out[n] = plain ? c : '_';
	}
	out[n] = 0;
}

void cop__tfl_unique(cop_graph *g, char name[80], const char *want)
{
	snprintf(name, 80, "%s", *want && strcmp(want, "_") ? want : "x");
	for (int i = 2; cop__find(g, name); i++) snprintf(name, 80, "%s.%d", want, i);
}
