/* SPDX-License-Identifier: Apache-2.0
 *
 * augment - see augment.h.
 */
#include "data/augment.h"

#include <math.h>

const cop_option cop__augment_options[] = {
	COP_OPT_FLAG(cop_augment, none, NULL, "nothing"),
	COP_OPT_FLAG(cop_augment, flip, NULL, "mirror left and right, every second sample by chance"),
	COP_OPT_FLAG(cop_augment, alternate, NULL, "mirror half of the samples, and in the next epoch the other half (Jordan 2024, arXiv 2404.00498)"),
	COP_OPT_WHOLE(cop_augment, shift, 0, 1024, NULL, "move by up to so many pixels along each axis; zeros come in"),
	COP_OPT_WHOLE(cop_augment, crop, 0, 1024, NULL, "pad by so many zeros and cut at a random place: the same as shift, and adds to it"),
	COP_OPT_FLAG(cop_augment, reflect, NULL, "with shift or crop: the picture mirrored at its border comes in, not zeros"),
	COP_OPT_WHOLE(cop_augment, erase, 0, 1024, NULL, "set a square of so many pixels a side to zero: cut-out (DeVries 2017, arXiv 1708.04552)"),
	COP_OPT_REAL(cop_augment, mix, 0, 4, NULL,
		"mix each sample and its label with another one, in shares of Beta(mix, mix): mix-up (Zhang 2018, arXiv 1710.09412)"),
	COP_OPT_FLAG(cop_augment, balance, NULL, "weigh samples so that each class counts the same, however many it has"),
	COP_OPT_FLAG(cop_augment, normalise, NULL, "mean 0 and deviation 1 by channel, as part of the network"),
	COP_OPT_END,
};

cop_status cop__augment_parse(cop_augment *a, cop_ctx *cx, const char *text)
{
	cop_options o = {.cx = cx, .where = "augment", .part = {{.option = cop__augment_options, .to = a}}};

	*a = (cop_augment){0};
	cop__options_default(cop__augment_options, a);
	return cop__options_read(&o, text, strlen(text));
}

bool cop__augment_moves(const cop_augment *a) { return a->flip || a->alternate || a->shift || a->crop || a->erase; }

/* Half of the samples in even epochs, the other half in odd ones: two epochs in a row show both forms of each. */
static bool by_turns(uint64_t seed, int32_t epoch, int32_t sample)
{
	return (cop__rand(seed, cop__hash_text("batch.alternate"), (uint32_t)sample) + (uint32_t)epoch) & 1;
}

cop_move cop__augment_move(const cop_augment *a, uint64_t seed, int32_t epoch, int32_t sample, int32_t h, int32_t w)
{
	const int32_t reach = a->shift + a->crop;
	uint32_t stream = cop__hash_text("batch.augment"), span = 2 * (uint32_t)reach + 1;
	uint64_t at = ((uint64_t)epoch << 32 | (uint32_t)sample) * 4;
	uint32_t r = cop__rand(seed, stream, at);
	cop_move m = {.flip = a->alternate ? by_turns(seed, epoch, sample) : a->flip && r & 1};

	m.dy = (int32_t)((uint64_t)cop__rand(seed, stream, at + 1) * span >> 32) - reach;
	if (w > 1) m.dx = (int32_t)((uint64_t)cop__rand(seed, stream, at + 2) * span >> 32) - reach;
	r = cop__rand(seed, stream, at + 3);
	m.ey = (int32_t)((r >> 16) * (uint32_t)h >> 16) - a->erase / 2;
	m.ex = (int32_t)((r & 0xffff) * (uint32_t)w >> 16) - a->erase / 2;
	return m;
}

/* Beta(a, a) by Jöhnk 1964: of two numbers u^(1/a) and v^(1/a), the first one's part of their sum, where that is at most 1. */
static float beta(float a, uint64_t seed, uint32_t stream, uint64_t at)
{
	for (uint64_t i = 0; i < 256; i += 2) {
		double x = pow((double)cop__rand_unit(seed, stream, at + i), 1 / (double)a), y = pow((double)cop__rand_unit(seed, stream, at + i + 1), 1 / (double)a);
		if (x + y <= 1 && x + y > 0) return (float)(x / (x + y));
	}
	return 1;
}

cop_mix cop__augment_mix(const cop_augment *a, uint64_t seed, int32_t epoch, int32_t sample, int32_t count)
{
	uint32_t stream = cop__hash_text("batch.mix");
	uint64_t at = ((uint64_t)epoch << 32 | (uint32_t)sample) * 257;

	if (!(a->mix > 0)) return (cop_mix){sample, 1};
	return (cop_mix){(int32_t)((uint64_t)cop__rand(seed, stream, at) * (uint32_t)count >> 32), beta(a->mix, seed, stream, at + 1)};
}
