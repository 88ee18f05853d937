/* SPDX-License-Identifier: Apache-2.0
 *
 * resume.h - the files between which a recipe can be stopped (see resume.c). base NULL: nothing is kept.
 */
#ifndef COP_RESUME_H
#define COP_RESUME_H

#include "compress/compress.h"
#include "compress/history.h"

typedef struct cop_resume {
	const char *base; /* the checkpoint's path */
	cop_text run;     /* what decides the result: train/identity.h */
} cop_resume;

/* run: of this recipe on this network and data. */
cop_status cop__resume_begin(cop_resume *r, const cop_graph *g, const cop_means *m, const char *recipe, size_t size);
cop_status cop__resume_save(const cop_resume *r, const cop_graph *g, const cop_history *h, int32_t stage);
/* Before any work: refuses files of other origin, and other runs' checkpoints. With m->a->resume replaces *g and fills h when there is something to go
 * on with; *stage is then the next one (all of them: only the end is left), else -1. */
cop_status cop__resume_load(cop_resume *r, cop_graph **g, cop_history *h, const cop_means *m, int32_t n_stage, int32_t *stage);
const char *cop__resume_stage_path(char out[1024], const char *base, int32_t stage);
void cop__resume_free(cop_resume *r);

#endif
