/* SPDX-License-Identifier: Apache-2.0
 *
 * targets - lists the machines a plan can be made for.
 */
#include "cli.h"

cop_status cmd_targets(cli *c, int argc, char **argv)
{
	const cli_line line = {.args = "",
	        .doc = "Lists the machines a plan can be made for.\vExample:\n  coppice targets\n"
	               "  coppice emit small.cop --target cortex-m4 -o out/"};
	const char *name, *summary = "";

	CLI_TRY(cli_parse_line(c, &line, argc, argv));
	cli_put_list(c, "targets");
	for (int i = 0; (name = cop_target_name(i, &summary)); i++) {
		cli_put_item(c, NULL);
		cli_put_text(c, "name", name);
		cli_put_text(c, "summary", summary);
		cli_put_item_end(c);
		cli_out(c, "%-16s %s\n", name, summary);
	}
	cli_put_end(c);
	return COP_OK;
}
