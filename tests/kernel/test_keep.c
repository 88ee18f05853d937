/* SPDX-License-Identifier: Apache-2.0
 *
 * What was learnt, kept in a flash that may lose its power at any write: afterwards there is what was kept before or what is kept now, and never a mix.
 */
#include "help.h"
#include "kernel/keep.h"

/* ---- a flash ---- */

enum { SLOT = 4096 };
typedef struct flash {
	uint8_t slot[2][SLOT];
	int left;            /* operations that still work; then the power is gone. below 0: any number */
	int part;            /* of the operation that is hit, how much is done, in sixteenths */
	int done, again;     /* operations; units that were written twice since they were erased */
	uint8_t used[2][SLOT / COP_KEEP_UNIT];
} flash;

/* 16: all of it is done, 0: nothing. */
static int power(flash *f)
{
	f->done++;
	return f->left < 0 || f->left-- > 0 ? 16 : f->left == -1 ? (f->left = INT32_MIN, f->part) : 0;
}

static int erase(void *ud, int slot)
{
	flash *f = ud;
	const int part = f->left == INT32_MIN ? 0 : power(f);

	memset(f->slot[slot], 0xff, (size_t)(SLOT * part / 16));
	if (part) memset(f->used[slot], 0, sizeof f->used[slot]);
	return 0;
}

static int write(void *ud, int slot, uint32_t at, const void *bytes, uint32_t n)
{
	flash *f = ud;
	const int part = f->left == INT32_MIN ? 0 : power(f);

	assert_true(at % COP_KEEP_UNIT == 0 && n % COP_KEEP_UNIT == 0 && at + n <= SLOT);
	for (uint32_t u = at / COP_KEEP_UNIT; u < (at + n) / COP_KEEP_UNIT; u++) f->again += f->used[slot][u], f->used[slot][u] = 1;
	for (uint32_t i = 0; i < n * (uint32_t)part / 16; i++) f->slot[slot][at + i] &= ((const uint8_t *)bytes)[i]; /* bits can be cleared alone */
	return 0;
}

static int read(void *ud, int slot, uint32_t at, void *bytes, uint32_t n)
{
	assert_true(at + n <= SLOT);
	memcpy(bytes, ((flash *)ud)->slot[slot] + at, n);
	return 0;
}

static cop_flash of(flash *f) { return (cop_flash){f, SLOT, erase, write, read}; }

static flash *blank(void)
{
	flash *f = calloc(1, sizeof *f);

	memset(f->slot, 0xff, sizeof f->slot);
	f->left = -1;
	return f;
}

/* ---- a network's weights ---- */

enum { BYTES = 300, WORDS = 40, REALS = 20 };
typedef struct weights { int8_t w[BYTES]; int32_t b[WORDS]; float f[REALS]; } weights;

static void parts(cop_kept part[3], weights *now, const weights *first)
{
	part[0] = (cop_kept){0x11, BYTES, 1, now->w, first->w};
	part[1] = (cop_kept){0x22, WORDS, 4, now->b, first->b};
	part[2] = (cop_kept){0x33, REALS, 4, now->f, NULL}; /* zeros */
}

/* As after a training: most bytes moved by little or not at all, some far. */
static weights learnt(const weights *first, uint32_t seed)
{
	weights v = *first;

	for (int i = 0; i < BYTES; i++) v.w[i] = (int8_t)(v.w[i] + (cop__rand(seed, 1, (uint64_t)i) % 4 ? 0 : (int)(cop__rand(seed, 2, (uint64_t)i) % 7) - 3));
	v.w[7] = -128, v.w[8] = 127;
	for (int i = 0; i < WORDS; i++) v.b[i] += (int)(cop__rand(seed, 3, (uint64_t)i) % 100001) - 50000;
	v.b[3] = INT32_MIN, v.b[4] = INT32_MAX;
	for (int i = 0; i < REALS; i++) v.f[i] = cop__rand_unit(seed, 4, (uint64_t)i) - 0.5f;
	return v;
}

static weights began(void)
{
	weights v = {{0}, {0}, {0}};

	for (int i = 0; i < BYTES; i++) v.w[i] = (int8_t)(cop__rand(9, 1, (uint64_t)i) % 255 - 127);
	for (int i = 0; i < WORDS; i++) v.b[i] = (int)(cop__rand(9, 2, (uint64_t)i) % 2001) - 1000;
	return v;
}

static int keep(flash *f, const weights *now, const weights *first)
{
	cop_kept part[3];
	const cop_flash at = of(f);

	parts(part, (weights *)(uintptr_t)now, first);
	return cop_keep_write(&at, part, 3);
}

static int load(flash *f, weights *now, const weights *first)
{
	cop_kept part[3];
	const cop_flash at = of(f);

	*now = *first;
	parts(part, now, first);
	return cop_keep_load(&at, part, 3);
}

/* ---- */

static void what_is_kept_is_loaded(void **state)
{
	const weights first = began();
	flash *f = blank();
	weights now;

	(void)state;
	assert_int_equal(load(f, &now, &first), COP_KEEP_NONE);
	assert_memory_equal(&now, &first, sizeof now);
	for (uint32_t k = 1; k < 8; k++) { /* slots take turns */
		const weights v = learnt(&first, k);
		assert_int_equal(keep(f, &v, &first), COP_KEEP_DONE);
		assert_int_equal(load(f, &now, &first), COP_KEEP_DONE);
		assert_memory_equal(&now, &v, sizeof now);
	}
	assert_int_equal(f->again, 0);
	free(f);
}

/* The power goes at each operation, before it, within it, or after it. */
static void old_or_new(void **state)
{
	static const int done[] = {0, 1, 7, 8, 15, 16};
	const weights first = began(), a = learnt(&first, 1), b = learnt(&first, 2), c = learnt(&first, 3);
	int olds = 0, news = 0;

	(void)state;
	for (int round = 0; round < 2; round++) /* into either slot */
		for (int p = 0; p < LEN(done); p++)
			for (int at = 0, more = 1; more; at++) {
				flash *f = blank();
				const weights *old = round ? &b : &a, *new = round ? &c : &b;
				weights now;
				assert_int_equal(keep(f, &a, &first), 0);
				if (round) assert_int_equal(keep(f, &b, &first), 0);
				f->left = at, f->part = done[p], f->done = 0;
				keep(f, new, &first);
				more = f->done > at;
				f->left = -1;
				assert_int_equal(load(f, &now, &first), COP_KEEP_DONE);
				const bool is_old = !memcmp(&now, old, sizeof now), is_new = !memcmp(&now, new, sizeof now);
				if (is_old + is_new != 1) fail_msg("round %d, the power goes at operation %d, %d/16 of it done: neither the old nor the new", round, at, done[p]);
				olds += is_old, news += is_new;
				assert_int_equal(keep(f, &c, &first), 0); /* and it goes on */
				assert_int_equal(load(f, &now, &first), 0);
				assert_memory_equal(&now, &c, sizeof now);
				free(f);
			}
	assert_true(olds > 100 && news >= 2 * LEN(done));
}

/* The first save ever has no older one: it is there or it is not. */
static void the_first_save(void **state)
{
	const weights first = began(), a = learnt(&first, 1);
	int none = 0;

	(void)state;
	for (int at = 0, more = 1; more; at++) {
		flash *f = blank();
		weights now;
		memset(f->slot, 0x5a, sizeof f->slot); /* whatever was in it */
		f->left = at, f->part = 8;
		keep(f, &a, &first);
		more = f->done > at;
		f->left = -1;
		const int got = load(f, &now, &first);
		none += got == COP_KEEP_NONE;
		assert_memory_equal(&now, got ? &first : &a, sizeof now);
		assert_true(got == COP_KEEP_NONE || got == COP_KEEP_DONE);
		free(f);
	}
	assert_true(none > 10);
}

/* A bit that turns in one slot: the other one is loaded. */
static void damage_is_seen(void **state)
{
	const weights first = began(), a = learnt(&first, 1), b = learnt(&first, 2);
	flash *f = blank();
	weights now;
	cop_kept part[3];

	(void)state;
	assert_int_equal(keep(f, &a, &first), 0);
	assert_int_equal(keep(f, &b, &first), 0);
	parts(part, &now, &first);
	const uint32_t bytes = (uint32_t)f->slot[1][8] | (uint32_t)f->slot[1][9] << 8;
	for (uint32_t i = 0; i < COP_KEEP_HEAD + bytes; i++) {
		f->slot[1][i] ^= (uint8_t)(1u << i % 8);
		assert_int_equal(load(f, &now, &first), COP_KEEP_DONE);
		assert_memory_equal(&now, &a, sizeof now);
		f->slot[1][i] ^= (uint8_t)(1u << i % 8);
	}
	free(f);
}

/* Differences from other contents, or of other parts, are none of this network's. */
static void another_network_is_refused(void **state)
{
	const weights first = began(), a = learnt(&first, 1);
	weights other = first, now;
	flash *f = blank();
	cop_kept part[3];
	const cop_flash at = of(f);

	(void)state;
	assert_int_equal(keep(f, &a, &first), 0);
	other.w[5]++;
	assert_int_equal(load(f, &now, &other), COP_KEEP_NONE);
	assert_memory_equal(&now, &other, sizeof now);
	parts(part, &now, &first);
	now = first;
	assert_int_equal(cop_keep_load(&at, part, 2), COP_KEEP_NONE);
	part[1].hash++;
	assert_int_equal(cop_keep_load(&at, part, 3), COP_KEEP_NONE);
	assert_memory_equal(&now, &first, sizeof now);
	free(f);
}

static void size_and_fullness(void **state)
{
	const weights first = began();
	weights wild = first;
	flash *f = blank();
	cop_kept part[3];
	cop_flash at = of(f);

	(void)state;
	assert_int_equal(keep(f, &first, &first), 0); /* nothing changed: the table, and next to nothing for the rest */
	const uint32_t none = (uint32_t)f->slot[0][8] | (uint32_t)f->slot[0][9] << 8;
	assert_true(none >= 24 && none < 40);
	for (size_t i = 0; i < sizeof wild; i++) ((uint8_t *)&wild)[i] = (uint8_t)cop__rand(77, 1, i);
	parts(part, &wild, &first);
	at.size = cop_keep_most(sizeof wild, 3);
	assert_int_equal(cop_keep_write(&at, part, 3), COP_KEEP_DONE); /* noise fits what it takes at most */
	flash *copy = malloc(sizeof *copy);
	memcpy(copy, f, sizeof *f);
	at.size -= COP_KEEP_UNIT;
	assert_int_equal(cop_keep_write(&at, part, 3), COP_KEEP_FULL);
	assert_memory_equal(copy->slot, f->slot, sizeof f->slot);
	free(copy);
	free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_kept_is_loaded), cmocka_unit_test(old_or_new), cmocka_unit_test(the_first_save), cmocka_unit_test(damage_is_seen),
		cmocka_unit_test(another_network_is_refused), cmocka_unit_test(size_and_fullness),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
