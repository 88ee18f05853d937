/* SPDX-License-Identifier: Apache-2.0
 *
 * resume.h - the files between which a recipe can be stopped (see resume.c). base NULL: nothing is kept.
 */
#ifndef COP_RESUME_H
#define COP_RESUME_H

#include "compress/history.h"

cop_status cop__resume_save(const cop_graph *g, const cop_history *h, const char *base, int32_t stage, uint64_t seed);
/* Replaces *g and fills h when there is something to go on with; *stage is then the next one. */
cop_status cop__resume_load(cop_graph **g, cop_history *h, const char *base, int32_t n_stage, uint64_t seed, int32_t *stage, bool *resumed);
const char *cop__resume_stage_path(char out[1024], const char *base, int32_t stage);
void cop__resume_clean(const char *base, int32_t n_stage);

#endif
