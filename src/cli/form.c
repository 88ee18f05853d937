/* SPDX-License-Identifier: Apache-2.0
 *
 * form - the options of the verbs that deploy a network: how its int8 layers round, and whether what no result needs is taken out.
 */
#include "cli.h"

#include <stdio.h>
#include <string.h>

enum { KEY_ROUNDING = 0x4000, KEY_AS_IS };

const struct argp_option cli_form_options[] = {
	{"rounding", KEY_ROUNDING, "NAME", 0,
		"how int8 layers round: tflite gives the bits of TFLite; single is faster and now and "
		"then differs by one unit (default: as in the file; tflite for a .tflite)", 0},
        {"as-is", KEY_AS_IS, NULL, 0, "keep constant channels, borders, and layers that change nothing, which are removed otherwise", 0},
        {0},
};

static error_t option(int key, char *arg, struct argp_state *state)
{
	cli_form *f = state->input;

	switch (key) {
	case KEY_ROUNDING:
		if (strcmp(arg, "tflite") && strcmp(arg, "single")) cli_misuse(state, "--rounding=%s: must be tflite or single", arg);
		f->rounding = arg;
		return 0;
	case KEY_AS_IS:
		f->as_is = true;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

const struct argp cli_form_argp = {.options = cli_form_options, .parser = option};

cop_status cli_form_apply(cop_graph **g, const cli_form *f)
{
	char passes[64];

	snprintf(passes, sizeof passes, "to_infer fuse%s%s%s", f->rounding ? " round:mode=" : "", f->rounding ? f->rounding : "", f->as_is ? "" : " shrink");
	return cop_graph_apply_in_place(g, passes);
}

const char *cli_code_name(cop_code c)
{
	static const char *const names[] = {[COP_CODE_TABLES] = "tables", [COP_CODE_ADAPTIVE] = "adaptive", [COP_CODE_AUTO] = "auto"};
	return c >= COP_CODE_TABLES && c < LEN(names) ? names[c] : NULL;
}
