// The look of the page: the reader's own fonts, light and dark, and A4 without colours that waste ink.

export const STYLE = `
:root{color-scheme:light dark;--ink:#1c2430;--soft:#5b6675;--line:#dde2e9;--paper:#fff;--wash:#f5f7fa;--pass:#16794a;--fail:#b3261e;--unsure:#8a5a00;--pass-wash:#e8f5ee;--fail-wash:#fdecea;--unsure-wash:#fdf3dd;--link:#1f5fbf}
@media (prefers-color-scheme:dark){:root{--ink:#e7ebf1;--soft:#9aa6b6;--line:#323b48;--paper:#12161c;--wash:#1a2029;--pass:#5fd39a;--fail:#ff8f86;--unsure:#f0bf61;--pass-wash:#12291f;--fail-wash:#331a18;--unsure-wash:#2f2612;--link:#8db8ff}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:60rem;padding:2rem 1.25rem 4rem;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
h1{font-size:1.6rem;line-height:1.2;margin:0}
h2{font-size:1.2rem;margin:2.5rem 0 .75rem;padding-bottom:.3rem;border-bottom:1px solid var(--line)}
h3{font-size:1rem;line-height:1.35;margin:0}
p{margin:.35rem 0}
a{color:var(--link)}
code,pre{font:.85em/1.45 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;overflow-wrap:anywhere}
pre{padding:.6rem .8rem;background:var(--wash);border-radius:.4rem;white-space:pre-wrap}
.kind{color:var(--soft);letter-spacing:.04em;text-transform:uppercase;font-size:.8rem;margin:0 0 .6rem}
.verdict{display:flex;gap:1rem;align-items:center;padding:1.1rem 1.25rem;border-radius:.6rem;border-left:.4rem solid}
.verdict p{color:var(--ink)}
.verdict .mark{font-size:2rem;line-height:1}
.pass>.mark,.pass>h3>.mark,.verdict.pass{color:var(--pass)}
.fail>.mark,.fail>h3>.mark,.verdict.fail{color:var(--fail)}
.inconclusive>.mark,.inconclusive>h3>.mark,.verdict.inconclusive{color:var(--unsure)}
.verdict.pass{background:var(--pass-wash)}.verdict.fail{background:var(--fail-wash)}.verdict.inconclusive{background:var(--unsure-wash)}
.facts{margin:1.1rem 0 0;display:grid;gap:.3rem}
.facts div{display:grid;grid-template-columns:11rem 1fr;gap:1rem}
dt{color:var(--soft)}dd{margin:0;min-width:0}
.promises{list-style:none;margin:0;padding:0;display:grid;grid-template-columns:repeat(auto-fit,minmax(17rem,1fr));gap:.75rem}
.promises li{display:flex;gap:.7rem;padding:.85rem 1rem;border:1px solid var(--line);border-radius:.5rem}
.mark{font-weight:700;color:var(--soft)}
.id{color:var(--soft);font-weight:400;font-variant-numeric:tabular-nums}
.said,.basis,.counts,.small,.legend{color:var(--soft);font-size:.87rem}
table{border-collapse:collapse;width:100%;font-size:.9rem}
th,td{text-align:left;vertical-align:top;padding:.4rem .6rem;border-bottom:1px solid var(--line)}
.plain th{width:14rem;font-weight:600}
.wide{overflow-x:auto}
table.rounds{font-size:.82rem;font-variant-numeric:tabular-nums}
table.rounds th,table.rounds td{padding:.2rem .4rem;text-align:right;white-space:nowrap}
table.rounds thead th{position:sticky;top:0;background:var(--paper);color:var(--soft);font-weight:600}
table.rounds td:nth-child(2),table.rounds th:nth-child(2),table.rounds td:last-child,table.rounds th:last-child{text-align:left}
table.rounds td:last-child{white-space:normal;overflow-wrap:anywhere}
tr.failed td,tr.failed th{color:var(--fail)}tr.under-way td{color:var(--unsure)}
.legend{display:flex;flex-wrap:wrap;gap:.2rem 1.2rem;margin-top:.6rem}
.chart{width:100%;height:auto;margin:.6rem 0}
.chart line{stroke:var(--line)}.chart text{fill:var(--soft);font-size:11px}
.chart polyline{fill:none;stroke-width:2}.chart .accuracy{stroke:var(--link)}.chart .auc{stroke:var(--unsure);stroke-dasharray:5 3}
.chart text.accuracy{fill:var(--link);stroke:none}.chart text.auc{fill:var(--unsure);stroke:none}
.check{padding:.9rem 0 .8rem;border-bottom:1px solid var(--line);break-inside:avoid}
.check h3 .mark{display:inline-block;width:1.4rem}
.check dl{display:grid;grid-template-columns:11.5rem 1fr;gap:.15rem 1rem;margin:.4rem 0 0 1.4rem}
.check .counts{margin:.15rem 0 0 1.4rem}
.failures{margin:.6rem 0 .4rem 1.4rem;width:calc(100% - 1.4rem);background:var(--fail-wash);overflow-wrap:anywhere;table-layout:fixed}
.inconclusive .failures{background:var(--unsure-wash)}
.failures th{font-weight:500}
details ul{columns:2;column-gap:1.5rem;margin:.3rem 0;padding-left:1.1rem;font-size:.85rem;font-variant-numeric:tabular-nums;overflow-wrap:anywhere}
@media (max-width:40rem){.facts div,.check dl{grid-template-columns:1fr;gap:0}.facts div{margin-bottom:.3rem}details ul{columns:1}.plain th{width:auto}}
@page{size:A4;margin:16mm 14mm}
@media print{:root{color-scheme:light;--ink:#000;--soft:#444;--line:#bbb;--paper:#fff;--wash:#fff;--pass:#0b5c36;--fail:#9c1c15;--unsure:#6f4700;--pass-wash:#fff;--fail-wash:#fff;--unsure-wash:#fff;--link:#000}body{max-width:none;padding:0;font-size:10.5pt}h2{break-after:avoid}.promises{grid-template-columns:1fr 1fr}.promises li,.verdict,table.plain tr{break-inside:avoid}.verdict{border:1px solid var(--line);border-left:.4rem solid}.wide{overflow:visible}table.rounds{font-size:7.5pt}table.rounds thead th{position:static}table.rounds th,table.rounds td{padding:.1rem .25rem}a{text-decoration:none}}
`.replaceAll('\n', '');
