/* SPDX-License-Identifier: Apache-2.0
 *
 * main - a user's own program, by net.h alone: reals in, the name of the best class out, and its score.
 */
#include "net.h"
#include "samples.h" /* samples[][NET_INPUT_SIZE], reals */

void say(const char *text);

static int best(const float *score)
{
	int best = 0;

	for (int i = 1; i < NET_OUTPUT_SIZE; i++)
		if (score[i] > score[best]) best = i;
	return best;
}

int main(void)
{
	static float score[NET_OUTPUT_SIZE];

	net_init();
	for (unsigned i = 0; i < sizeof samples / sizeof samples[0]; i++) {
		net_input_set(samples[i]);
		net_run();
		net_output_get(score);
		int k = best(score), percent = (int)(score[k] * 100 + 0.5f);
		char text[] = " 000 %\n";
		text[1] = (char)('0' + percent / 100 % 10), text[2] = (char)('0' + percent / 10 % 10), text[3] = (char)('0' + percent % 10);
		say(net_class_names[k]);
		say(text);
	}
	return 0;
}
