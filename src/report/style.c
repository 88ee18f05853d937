/* SPDX-License-Identifier: Apache-2.0
 *
 * style - how every page begins and ends, and how it looks: one column on a phone, two at a desk, light or dark as the reader's system is.
 */
#include "report/report.h"

static const char style[] =
        ":root{color-scheme:light "
        "dark;--back:#fbfaf7;--card:#fff;--text:#1d2430;--soft:#5d6675;--line:#e2e0d8;--good:#0b7f6c;--bad:#b4530f;--"
        "mark:#12a089}"
        "@media(prefers-color-scheme:dark){:root{--back:#14171c;--card:#1c2128;--text:#e6e8ec;--soft:#9aa4b2;--line:#"
        "2f3640;--good:#3fc7b0;--bad:#f0a35e}}"
        "*{box-sizing:border-box}"
        "body{margin:0;background:var(--back);color:var(--text);font:16px/1.5 system-ui,'Segoe UI',Roboto,'Noto "
        "Sans',sans-serif}"
        "main{max-width:1120px;margin:0 auto;padding:28px 18px 60px}"
        "h1{font-size:1.7rem;line-height:1.2;margin:0 0 4px;overflow-wrap:anywhere}h2{font-size:1.15rem;margin:38px 0 "
        "10px}"
        "p{max-width:70ch;margin:8px 0}.soft{color:var(--soft)}"
        ".cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(136px,1fr));gap:12px;margin:22px 0}"
        ".card{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:14px 16px}"
        ".card "
        "b{display:block;white-space:nowrap;font-size:1.4rem;line-height:1.15;font-weight:650;letter-spacing:-.01em}"
        ".card.main b{font-size:1.9rem}.card.main{grid-column:span 2;border-color:var(--mark);box-shadow:inset 0 3px 0 "
        "var(--mark)}"
        ".card span{color:var(--soft);font-size:.86rem;display:block}"
        ".wide{overflow-x:auto;background:var(--card);border:1px solid var(--line);border-radius:10px}"
        "table{border-collapse:collapse;width:100%;font-size:.93rem;font-variant-numeric:tabular-nums}"
        "th,td{padding:8px 14px;text-align:right;white-space:nowrap;border-top:1px solid var(--line)}"
        "thead th{border-top:0;color:var(--soft);font-weight:600;font-size:.82rem}"
        "th:first-child,td:first-child,.l{text-align:left!important}td.why{white-space:normal;text-align:left}"
        ".better{color:var(--good)}.worse{color:var(--bad);font-weight:600}code{overflow-wrap:anywhere;font-size:.9em}"
        ".kept{color:var(--good);font-weight:600}.undone{color:var(--bad);font-weight:600}"
        ".pics{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,320px),1fr));gap:16px}"
        "figure{margin:0;background:var(--card);border:1px solid var(--line);border-radius:10px;padding:14px 14px 10px}"
        "figure h3{margin:0 0 4px;font-size:.98rem}figcaption{color:var(--soft);font-size:.84rem;margin-top:4px}"
        "figure svg{display:block;width:100%;height:auto;color:var(--text)}"
        "figure svg [color=black]{color:inherit}figure svg [fill=black]{fill:currentColor}figure svg "
        "[stroke=black]{stroke:currentColor}"
        ".note{background:var(--card);border:1px solid var(--line);border-left:4px solid "
        "var(--bad);border-radius:6px;padding:10px 14px}"
        "footer{margin-top:44px;color:var(--soft);font-size:.86rem}footer li{margin:3px 0}"
        "img{display:inline-block;vertical-align:middle;border-radius:4px}img.px{image-rendering:pixelated}"
        "h3{font-size:1rem;margin:24px 0 4px}.maps td,.maps th{text-align:center;padding:8px}.maps th{white-space:normal;overflow-wrap:anywhere}.maps td.l{white-space:normal;min-width:7.5em}"
        ".legend img{height:14px;margin:0 6px}"
        "@media(max-width:560px){main{padding:18px 12px 40px}th,td{padding:7px 7px}.cards{grid-template-columns:1fr "
        "1fr}"
        "table{font-size:.85rem}.fit td,.fit th{white-space:normal}.fit .opt{display:none}.fit "
        "td.n{white-space:nowrap}h1{font-size:1.4rem}}";

void cop__html_begin(cop_text *t, const char *title)
{
	cop__text_add(t, "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
	                 "content=\"width=device-width,initial-scale=1\">\n<title>");
	cop__html_text(t, title);
	cop__text_add(t, "</title>\n<style>");
	cop__text_bytes(t, style, strlen(style));
	cop__text_add(t, "</style></head><body><main>\n<h1>");
	cop__html_text(t, title);
	cop__text_add(t, "</h1>\n");
}

void cop__html_end(cop_text *t) { cop__text_add(t, "</main></body></html>\n"); }
