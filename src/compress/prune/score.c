/* SPDX-License-Identifier: Apache-2.0
 *
 * score - the table of scores.
 */
#include "compress/prune/score.h"

#define SCORE(name) extern const cop_score_row cop_score_##name;
#include "compress/prune/score.def"
#undef SCORE
static const cop_score_row *const rows[] = {
#define SCORE(name) &cop_score_##name,
#include "compress/prune/score.def"
#undef SCORE
};
static const cop_row *row(int i) { return i >= 0 && i < LEN(rows) ? &rows[i]->row : NULL; }
const cop_table cop__scores = {"scores", "score", "by which pruning decides what goes", row};
const cop_score_row *cop__score(int32_t i) { return rows[i]; }
