/* SPDX-License-Identifier: Apache-2.0
 *
 * about.h - what a network carries beside its layers: the names of its classes or targets, how it wants its samples, and how well it
 * did. Every pass keeps it (cop__copy_begin). In the text form it stands behind the line `graph NAME`:
 *
 *   class night\x20snake                     one a class, in the order of the outputs
 *   target price                             one a number that a regression predicts
 *   samples times=255 mean=1,2,3 std=4 layout=first
 *   accuracy 0.934                           on the validation part when it was trained
 *
 * A byte of a name that is a blank, a control, '\' or '=' is written as \xHH, as in all names (cop__name_put).
 */
#ifndef COP_ABOUT_H
#define COP_ABOUT_H

#include "graph/graph.h"

enum { COP_MOST_CLASSES = 1 << 16, COP_LONGEST_NAME = 255 };

bool cop__about_any(const cop_graph *g);
cop_status cop__about_copy(cop_graph *to, const cop_graph *from);
void cop__about_print(cop_text *t, const cop_graph *g);
/* A line of the text, cut into n words. *mine: it is one of the four above. */
typedef struct cop_word { const char *s; int len; } cop_word;
cop_status cop__about_line(cop_graph *g, int line, const cop_word *w, int n, bool *mine);
/* What the whole text must satisfy: no name twice, no more names than outputs. */
cop_status cop__about_check(const cop_graph *g);

#endif
