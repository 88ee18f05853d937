/* SPDX-License-Identifier: Apache-2.0
 *
 * zoo - lists the networks that can be built by name.
 */
#include "cli.h"

cop_status cmd_zoo(cli *c, int argc, char **argv)
{
	const cli_line line = {.args = "",
	        .doc = "Lists the networks that can be built by name.\vExample:\n  coppice zoo\n  coppice inspect "
	               "mobilenet-v2-0.35@96"};
	const char *name, *summary = "";

	CLI_TRY(cli_parse_line(c, &line, argc, argv));
	cli_put_list(c, "models");
	for (int i = 0; (name = cop_zoo_name(i, &summary)); i++) {
		cli_put_item(c, NULL);
		cli_put_text(c, "name", name);
		cli_put_text(c, "summary", summary);
		cli_put_item_end(c);
		cli_out(c, "%-22s %s\n", name, summary);
	}
	cli_put_end(c);
	return COP_OK;
}
