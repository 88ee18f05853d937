/* SPDX-License-Identifier: Apache-2.0
 *
 * oscillate_reference.h - written by make_oscillate_reference.py. A weight begins at w, is rounded to multiples of s, and is to be t; turns: how often
 * it went back before it was fixed, in all if it was not; often, mean: as they were left then; end: w after the last step.
 */
enum { STEPS = 400 };
static const struct { float w, s, t, lr, from, to; int fixed_at, fixed_to, turns; float often, mean, end; } reference[] = {
	{0.62f, 0.25f, 0.63f, 0.3f, 0.04f, 0.01f, 7, 2, 5, 0.049009949f, 2.0385282f, 0.5f},
	{0.62f, 0.25f, 0.63f, 0.3f, 0.03f, 0.01f, 6, 2, 4, 0.0394039899f, 2.0389173f, 0.5f},
	{0.62f, 0.25f, 0.7f, 0.3f, 0.04f, 0.01f, 15, 2, 5, 0.0472948551f, 2.11138844f, 0.5f},
	{-0.4f, 0.25f, -0.33f, 0.1f, 0.04f, 0.01f, 8, -2, 5, 0.0484286919f, -1.95186245f, -0.5f},
	{0.62f, 0.25f, 0.63f, 0.3f, 0.9f, 0.8f, 213, 2, 203, 0.845143557f, 2.45695662f, 0.5f},
	{0.62f, 0.25f, 0.63f, 0.02f, 0.3f, 0.02f, 37, 2, 35, 0.294633418f, 2.15894938f, 0.5f},
	{0.1f, 0.25f, 0.75f, 0.3f, 0.04f, 0.01f, 0, 0, 0, 0.0f, 2.94596791f, 0.700000048f},
	{0.62f, 0.25f, 0.74f, 0.4f, 0.2f, 0.05f, 276, 3, 22, 0.0839204565f, 2.89583087f, 0.75f},
};
