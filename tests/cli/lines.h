/* SPDX-License-Identifier: Apache-2.0
 *
 * lines.h - command lines, fields separated by '|', with what is expected of them.
 */
#ifndef LINES_H
#define LINES_H

/* exit code, and what stderr says */
static const struct {
	const char *line;
	int code;
	const char *says;
} bad[] = {
        {"nonsense", 2, "no verb 'nonsense'"},
        {"eval", 2, "expected FILE"},
        {"eval|net.cop", 2, "--data NAME is missing"},
        {"eval|net.cop|--colour", 2, "unrecognized option"},
        {"eval|net.cop|--data|synth-digits|--batch|0", 2, "--batch=0"},
        {"eval|net.cop|--data|synth-digits|--split|fifth", 2, "split 'fifth'"},
        {"eval|net.cop|--data|nosuchset", 2, "'nosuchset'"},
        {"eval|net.cop|--data|mnist", 7, "coppice data get mnist"},
        {"eval|absent.cop|--data|synth-digits", 7, "absent.cop"},
        {"eval|cut.cop|--data|synth-digits", 6, "cut.cop, byte"},
        {"eval|junk.cop|--data|synth-digits", 6, "junk.cop, byte 0"},
        {"eval|small-input.cop|--data|synth-digits", 3, "784 numbers"},
        {"inspect|absent.cop", 7, "absent.cop"},
        {"inspect|net.cop|--target|pdp11", 2, "pdp11"},
        {"train|lenet-300-100|--data|synth-digits", 2, "-o FILE is missing"},
        {"train|nosuchnet|--data|synth-digits|-o|x.cop", 2, "nosuchnet"},
        {"train|mlp-784x10|--data|synth-digits|-o|nowhere/x.cop", 7, "nowhere/x.cop"},
        {"train|mlp-784x10|--data|synth-digits|-o|.", 7, "is a folder"},
        {"train|mlp-784x10|--data|synth-digits|-o|/dev/stdout", 7, "is standard output"},
        {"train|mlp-784x10|--data|synth-digits|-o|x.cop|--limit|64|--schedule|moon", 2, "moon"},
        {"train|mlp-784x10|--data|synth-digits|-o|x.cop|--limit|64|--update|sgd speed=9", 2, "'speed'"},
        {"train|mlp-784x10|--data|synth-digits|-o|x.cop|--limit|64|--resume", 7, "no checkpoint"},
        {"train|mlp-784x10|--data|synth-digits|-o|x.cop|--valid|perhaps", 2, "yes or no"},
        {"train|mlp-784x64x64x10|--data|synth-digits|-o|x.cop|--limit|2000|--epochs|4|--lr|1000", 8, "loss became"},
        {"compress|net.cop|--data|synth-digits|-o|x.cop", 2, "--recipe FILE is missing"},
        {"compress|net.cop|--data|synth-digits|-o|x.cop|--recipe|absent.yaml", 7, "absent.yaml"},
        {"compress|net.cop|--data|synth-digits|-o|x.cop|--limit|64|--recipe|key.yaml", 2,
                "line 3: a prune stage has no option 'colour'"},
        {"quantize|net.cop|--data|synth-digits", 2, "-o FILE is missing"},
        {"quantize|net.cop|-o|q.cop", 2, "--data NAME is missing"},
        {"quantize|net.cop|--data|synth-digits|-o|q.cop|--scheme|w3a8", 2, "no scheme 'w3a8'"},
        {"quantize|net.cop|--data|synth-digits|-o|q.cop|--range|wide", 2, "no range 'wide'"},
        {"quantize|net.cop|--data|synth-digits|-o|q.cop|--per|row", 2, "channel or tensor"},
        {"quantize|net.cop|--data|synth-digits|-o|q.cop|--round|up", 2, "nearest or adaround"},
        {"quantize|net.cop|--data|synth-digits|-o|q.cop|--max-drop|-1", 2, "--max-drop=-1"},
        {"quantize|net.cop|--data|synth-digits|-o|q.cop|--limit|some", 2, "--limit=some"},
        {"quantize|net.cop|--data|synth-digits|-o|q.cop|--keep|*", 2, "layer left to quantise"},
        {"quantize|net.cop|--data|synth-digits|-o|q.cop|--split|fifth", 2, "split 'fifth'"},
        {"quantize|net.cop|--data|synth-digits|-o|q.cop|--scheme|fp16|--round|adaround", 2, "weights alone"},
        {"quantize|small-input.cop|--data|synth-digits|-o|q.cop", 3, "784 numbers"},
        {"run|net.cop|absent.npy|-o|y.npy", 7, "absent.npy"},
        {"run|net.cop|junk.cop|-o|y.npy", 6, "junk.cop"},
        {"run|small-input.cop|x.npy|-o|y.npy", 3, "x.npy: has shape 5x28x28x1"},
        {"run|net.cop|labels.npy|-o|y.npy", 2, "labels.npy"},
        {"emit|net.cop|-o|out|--target|pdp11", 2, "pdp11"},
        {"emit|big.cop|-o|out|--target|netduinoplus2", 5, "flash"},
        {"emit|net.cop|-o|junk.cop", 7, "is a file"},
        {"emit|net.cop|-o|nowhere/out", 7, "nowhere/out"},
        {"emit|net.cop", 2, "-o FOLDER is missing"},
        {"emit|net.cop|-o|out|--ram|4Q", 2, "--ram=4Q"},
        {"emit|net.cop|-o|out|--target|cortex-m4|--ram|8M", 2, "only 4194304 bytes"},
        {"emit|net.cop|-o|out|--target|cortex-m4|--ram|4K", 5, "the arena's peak is at fc"},
        {"emit|net.cop|-o|out|--target|cortex-m4|--flash|64K", 5, "has 65536 bytes of flash"},
        {"emit|net.cop|-o|out|--inputs|labels.npy", 3, "labels.npy: holds 5 numbers"},
        {"check|absent", 7, "absent/Makefile"},
        {"check", 2, "expected FOLDER"},
        {"apply|net.cop|smelt|-o|x.cop", 2, "smelt"},
        {"apply|net.cop|batch:m=3|-o|x.cop", 2, "'m'"},
        {"report|net.cop|-o|x.html|--history|junk.cop", 6, "history"},
        {"export|net.cop|-o|nowhere/x.safetensors", 7, "nowhere"},
        {"bench|net.cop|--seconds|soon", 2, "--seconds=soon"},
        {"data|shred", 2, "shred"},
        {"data|check", 2, "name of a set"},
        {"data|get|synth-digits", 2, "nothing to fetch"},
        {"zoo|extra", 2, "too many"},
};

/* a file that is there afterwards, and what stdout says */
static const struct {
	const char *line, *file, *says;
} good[] = {
        {"--help", NULL, "trains, compresses and deploys"},
        {"--version", NULL, "coppice " COP_VERSION},
        {"zoo|--json", NULL, "\"lenet-300-100\""},
        {"passes", NULL, "fold_bn"},
        {"targets", NULL, "cortex-m4"},
        {"data|list", NULL, "synth-digits"},
        {"data|check|synth-digits", NULL, "all right"},
        {"eval|net.cop|--data|synth-digits|--limit|200|--json", NULL, "\"accuracy\":"},
        {"inspect|net.cop", NULL, "estimate"},
        {"inspect|net.cop|--json", NULL, "\"ram_bytes\":"},
        {"inspect|net.cop|--graph", NULL, "output y"},
        {"inspect|net.cop|--plan|--target|cortex-m4", NULL, "cop_fc_f32"},
        {"bench|net.cop|--seconds|0.02|--json", NULL, "\"milliseconds\":"},
        {"bench|net.cop|--seconds|0.02|--train|--batch|8|--json", NULL, "\"images_per_second\":"},
        {"run|net.cop|x.npy|-o|scores.npy", "scores.npy", "5x10"},
        {"apply|net.cop|to_infer fuse|-o|fused.cop", "fused.cop", "nodes"},
        {"export|net.cop|-o|net.safetensors", "net.safetensors", "written"},
        {"emit|net.cop|-o|emitted|--json", "emitted/net.c", "\"files\":"},
        {"emit|net.cop|-o|emitted/|--train", "emitted/net.h", "files"},
        {"emit|net.cop|-o|checked|--inputs|x.npy", "checked/model.cop", "files"},
        {"check|checked", "checked/y.bin", "in 5 runs"},
        {"check|checked|--json", NULL, "\"equal\":1"},
        {"emit|net.cop|-o|trained|--train", "trained/x.bin", "files"},
        {"check|trained", NULL, "the bits of this machine, in 4 runs"},
        {"compress|net.cop|--recipe|once.yaml|--data|synth-digits|--limit|500|-o|small.cop|--json",
                "small.history.json", "\"factor\":"},
        {"report|small.cop|-o|small.html", "small.html", "written"},
};

#endif
