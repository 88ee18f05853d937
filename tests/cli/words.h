/* SPDX-License-Identifier: Apache-2.0
 *
 * words.h - lines of every verb for programs, and words that are nearly right with what is said of them.
 */
#ifndef WORDS_H
#define WORDS_H

static const char *const lines[] = {
        "train|mlp-784x32x10|--data|synth-digits|--limit|300|--epochs|1|-o|other.cop|--json",
        "train|mlp-1x8x1|--data|line.csv|--epochs|2|-o|other.cop|--json",
        "eval|net.cop|--data|synth-digits|--limit|200|--times|1|--json",
        "eval|line.cop|--data|line.csv|--json",
        "eval|same.cop|--data|three.csv|--normal|1|--json",
        "quantize|same.cop|--data|three.csv|-o|q.cop|--split|all|--json",
        "compare|line.cop|line.cop|--data|line.csv|--json",
        "eval|mlp-2304x360|--data|synth-scenes|--limit|2|--json",
        "compress|net.cop|--recipe|once.yaml|--data|synth-digits|--limit|300|-o|small.cop|--json",
        "compress|net.cop|--recipe|orders.yaml|--data|synth-digits|--limit|300|-o|small.cop|--json",
        "quantize|net.cop|--data|synth-digits|-o|q.cop|--limit|50|--eval|--json",
        "quantize|line.cop|--data|line.csv|-o|q.cop|--split|all|--json",
        "inspect|net.cop|--json",
        "inspect|net.cop|--graph|--json",
        "inspect|three.cop|--plan|--fast-ram|1K|--json",
        "predict|three.cop|three.csv|--json",
        "predict|line.cop|line.csv|--json",
        "predict|line.cop|line.csv|--above|1100|--json",
        "explain|net.cop|x.npy|--sample|1,2|--sanity|--values|-o|e.html|--json",
        "explain|net.cop|--data|synth-digits|--sample|3|--before|net.cop|--patch|14|--json",
        "explain|digits.net|x.npy|--class|3|--json",
        "run|net.cop|x.npy|-o|y.npy|--json",
        "run|net.cop|x.npy|-o|ys/|--json",
        "bench|net.cop|--seconds|0.02|--json",
        "emit|net.cop|-o|emitted|--inputs|x.npy|--json",
        "emit|resnet-8|-o|banded|--patch|0.5|--target|cortex-m4|--json",
        "check|emitted|--json",
        "report|net.cop|-o|net.html|--json",
        "compare|net.cop|net.cop|--data|synth-digits|--limit|100|--json",
        "apply|net.cop|fuse|-o|fused.cop|--json",
        "export|net.cop|-o|net.onnx|--json",
        "data|list|--json",
        "data|check|synth-digits|--json",
        "data|check|three.csv|--json",
        "data|check|line.csv|--json",
        "data|check|parts|--json",
        "data|export|synth-digits|--limit|5|-o|x.npy|--json",
        "zoo|--json",
        "passes|--json",
        "schedules|--json",
        "stages|--json",
        "scores|--json",
        "grains|--json",
        "scopes|--json",
        "cuts|--json",
        "forms|--json",
        "losses|--json",
        "updates|--json",
        "policies|--json",
        "maps|--json",
        "targets|--json",
};

/* With --log an object for each epoch goes before that of the verb: this many. */
static const struct { const char *line; int epochs; } logged[] = {
        {"train|mlp-784x32x10|--data|synth-digits|--limit|300|--epochs|3|-o|other.cop|--log|other.csv|--json", 3},
        {"train|mlp-784x32x10|--data|synth-digits|--limit|300|--epochs|3|-o|other.cop|--log|other.csv|--json|--quiet", 3},
        {"train|mlp-1x8x1|--data|line.csv|--epochs|2|-o|other.cop|--log|other.csv|--json", 2},
        {"compress|net.cop|--recipe|once.yaml|--data|synth-digits|--limit|300|-o|small.cop|--log|small.csv|--json", 1},
};

static const struct {
	const char *line;
	int code;
	const char *says;
} wrong[] = {
        {"rnu|net.cop", 2, "did you mean 'run'?"}, /* one swap, of three letters */
        {"evl", 2, "no verb 'evl'; did you mean 'eval'?"},
        {"quantise|net.cop", 2, "did you mean 'quantize'?"},
        {"xyzzy", 2, "no verb 'xyzzy'; `coppice help` lists them"},
        {"eval|net.cop|--dta|synth-digits", 2, "no option '--dta'; did you mean '--data'?"},
        {"train|lenet-5|--epoch|3|--shedule|cosine", 2, "did you mean '--schedule'?"},
        {"eval|same.cop|--data|three.csv|--normal|4", 2, "data set 'three.csv' has no class '4'"},
        {"eval|net.cop|--data|synth-digits|--normal|4", 2, "takes 784 numbers and gives 10; one that gives its input back is needed"},
        {"eval|net.cop|--data|synth-digits|--only|for", 2, "data set 'synth-digits' has no class 'for'"},
        {"train|mlp-784x2|--data|synth-digits|--group|odd|-o|odd.cop", 2, "group 'odd': NAME=CLASS,CLASS"},
        {"eval|line.cop|--data|line.csv|--only|1", 2, "data set 'line.csv' has no classes to choose from"},
        {"eval|net.cop|--data|synth-digits|--task|rebild", 2, "must be class, regress or rebuild"},
        {"eval|net.cop|-x", 2, "no option '-x'"},
        {"eval|net.cop|--data", 2, "--data needs a value"},
        {"eval|net.cop|--quiet=3", 2, "--quiet takes no value"},
        {"eval", 2, "expected FILE"},
        {"eval|net.cop|--data|synth-digts", 2, "did you mean 'synth-digits'?"},
        {"eval|net.cop|--data|synth-digits|--split|tets", 2, "did you mean 'test'?"},
        {"eval|net.cop|--data|rows.csv", 7, "rows.csv: no such file or folder"},
        {"eval|lennet-5|--data|synth-digits", 2, "no network 'lennet-5'"},
        {"inspect|lenet5", 2, "did you mean 'lenet-5'?"},
        {"inspect|net.onx", 7, "net.onx: no such file"},
        {"inspect|folder/net", 7, "folder/net: no such file"},
        {"inspect|mobilenet-v1-0.001", 2, "width of 0.05 to 4"},
        {"train|net.txt|--data|synth-digits|-o|y.cop", 7, "net.txt: no such file"},
        {"emit|net.cop|-o|out|--target|cortexm4", 2, "did you mean 'cortex-m4'?"},
        {"apply|net.cop|fusee|-o|y.cop", 2, "did you mean 'fuse'?"},
        {"apply|net.cop|batch:m=2|-o|y.cop", 2, "batch: there is no option 'm'; it takes n"},
        {"train|mlp-784x10|--data|synth-digits|-o|y.cop|--update|adamm", 2, "did you mean 'adam'?"},
        {"train|mlp-784x10|--data|synth-digits|-o|y.cop|--schedule|cosin", 2, "did you mean 'cosine'?"},
        {"data|lst", 2, "did you mean 'list'?"},
        {"compress|net.cop|--data|synth-digits|-o|y.cop|--recipe|deep-compresion", 2, "did you mean 'deep-compression'?"},
        {"compress|net.cop|--data|synth-digits|-o|y.cop|--recipe|absent.yaml", 7, "absent.yaml: no such file"},
        {"compress|net.cop|--data|synth-digits|-o|y.cop|--recipe|stage.yaml", 2, "stage.yaml, line 3: there is no stage 'prun'; there are prune, "},
        {"compress|net.cop|--data|synth-digits|-o|y.cop|--recipe|key.yaml", 2, "prune: there is no option 'kep'"},
        {"compress|net.cop|--data|synth-digits|-o|y.cop|--recipe|layers.yaml", 2, "layers.yaml, line 3: prune: layers: 'conv9*' matches no weight of the network; they are called: fc1.w fc2.w"},
        {"compress|net.cop|--data|synth-digits|-o|y.cop|--recipe|rate.yaml", 2, "the rate of 'fd2*' matches no weight"},
        {"compress|net.cop|--data|synth-digits|--limit|300|-o|y.cop|--recipe|never.yaml", 5, "every stage of never.yaml was undone"},
        {"quantize|net.cop|--data|synth-digits|-o|y.cop|--keep|conv*", 2, "'conv*' matches no weight of the network"},
        {"explain|net.cop|x.npy|--befre|net.cop", 2, "no option '--befre'; did you mean '--before'?"},
        {"explain|net.cop|x.npy|--classes|names.txt|--class|sevn", 2, "net.cop has no class 'sevn'; did you mean 'seven'?"},
        {"quantize|net.cop|--data|synth-digits|-o|y.cop|--scheme|w8a9", 2, "did you mean 'w8a8'?"},
};

#endif
