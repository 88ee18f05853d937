/* SPDX-License-Identifier: Apache-2.0
 *
 * explaining.h - the samples of one call of `explain`, with what was found: between the verb and what it prints.
 */
#ifndef CLI_EXPLAINING_H
#define CLI_EXPLAINING_H

#include "cli.h"

enum { CLI_MOST_EXPLAINED = 24, CLI_MOST_RANDOM = 6 };

typedef struct cli_network { const char *file; cop_graph *g; } cli_network;

/* A sample with its texts and maps; page points to them. */
typedef struct cli_explained {
	const char *file;
	int32_t sample, of;             /* its place in the file, and how many are there */
	char name[300], class_name[CLI_CLASS], label[CLI_CLASS], predicted[2][CLI_CLASS];
	cop_explanation maps[2], drawn[CLI_MOST_RANDOM];
	cop_explained_random random[CLI_MOST_RANDOM];
	cop_explained page;
} cli_explained;

/* The sample of `of` alone, for whoever takes a whole data set; its labels are not asked. */
typedef struct cli_alone { cop_dataset d; cop_dataset *of; int32_t at; } cli_alone;
void cli_alone_of(cli_alone *a, cop_dataset *of, int32_t at);

/* What a class is called, for --class (explained.c): the number of the output, or -1 after a sentence. Targets of a regression count as classes. */
cop_status cli_class_find(int32_t *out, cli *c, const cli_network *n, const char *name);
void cli_answer_name(char out[CLI_CLASS], const cop_graph *g, int32_t k);
void cli_explained_say(cli *c, const cli_explained *e, bool values); /* values: the object gets all numbers of the maps */

#endif
